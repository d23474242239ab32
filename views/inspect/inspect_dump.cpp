// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/inspect_dump.h"

#include <QJsonArray>
#include <cmath>

#include "engine/base/hash.h"

namespace es::views {
namespace {

QJsonValue numberOrNull(double value) { return std::isfinite(value) ? QJsonValue(value) : QJsonValue(); }

template <class T>
QJsonArray numbers(const std::vector<T>& values) {
    QJsonArray out;
    for (const T value : values) out.append(numberOrNull(static_cast<double>(value)));
    return out;
}

}  // namespace

QString sampleText(std::uint64_t hash) { return QString::fromStdString(hashText(hash)); }

QJsonObject toJson(const analysis::TokenReading& reading) {
    QJsonArray choices;
    for (const auto& choice : reading.choices)
        choices.append(QJsonObject{{QStringLiteral("expert"), choice.expert},
                                   {QStringLiteral("weight"), numberOrNull(static_cast<double>(choice.weight))},
                                   {QStringLiteral("probability"), numberOrNull(static_cast<double>(choice.probability))},
                                   {QStringLiteral("kept"), choice.kept},
                                   {QStringLiteral("place"), reading.slots > 0 ? QJsonValue(static_cast<double>(choice.place)) : QJsonValue()}});
    return {{QStringLiteral("router"), reading.router.id.value},
            {QStringLiteral("layer"), reading.router.layer.value},
            {QStringLiteral("branch"), QString::fromLatin1(toString(reading.router.branch).data())},
            {QStringLiteral("objective"), QString::fromLatin1(toString(reading.objective).data())},
            {QStringLiteral("choices"), choices},
            {QStringLiteral("probabilities"), numbers(reading.probabilities_E)},
            {QStringLiteral("entropy_nats"), numberOrNull(reading.entropy_nats)},
            {QStringLiteral("max_entropy_nats"), numberOrNull(reading.max_entropy_nats)},
            {QStringLiteral("margin_first_second"), numberOrNull(reading.margin12)},
            {QStringLiteral("boundary_margin"), numberOrNull(reading.boundary_margin)},
            {QStringLiteral("slots"), reading.slots > 0 ? QJsonValue(static_cast<double>(reading.slots)) : QJsonValue()},
            {QStringLiteral("masked"), reading.masked},
            {QStringLiteral("dropped"), reading.dropped}};
}

QJsonObject toJson(const analysis::TokenHistory& history) {
    return {{QStringLiteral("router"), history.router.id.value},
            {QStringLiteral("step"), numbers(history.step)},
            {QStringLiteral("expert"), numbers(history.expert)},
            {QStringLiteral("weight"), numbers(history.weight)}};
}

}  // namespace es::views
