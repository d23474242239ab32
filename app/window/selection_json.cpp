// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/selection_json.h"

#include <QJsonArray>

namespace es::app {

QJsonObject toJson(const views::Selection& s) {
    QJsonArray more;
    for (const TokenIndex token : s.more_tokens) more.append(token.value);
    return {{QStringLiteral("run"), s.run},
            {QStringLiteral("baseline"), QJsonArray::fromStringList(s.baseline)},
            {QStringLiteral("candidate"), QJsonArray::fromStringList(s.candidate)},
            {QStringLiteral("router"), s.router.value},
            {QStringLiteral("expert"), s.expert.value},
            {QStringLiteral("sample"), s.sample ? QString::number(*s.sample, 16) : QString()},
            {QStringLiteral("token_modality"), static_cast<int>(s.token_modality)},
            {QStringLiteral("token"), s.token.value},
            {QStringLiteral("more_tokens"), more},
            {QStringLiteral("step"), static_cast<double>(s.step)},
            {QStringLiteral("workspace"), s.workspace}};
}

views::Selection selectionFromJson(const QJsonObject& json) {
    views::Selection s;
    const auto strings = [&](const QString& key) {
        QStringList list;
        for (const QJsonValue& value : json.value(key).toArray()) list << value.toString();
        return list;
    };
    s.run = json.value(QStringLiteral("run")).toString();
    s.baseline = strings(QStringLiteral("baseline"));
    s.candidate = strings(QStringLiteral("candidate"));
    s.router = RouterId(json.value(QStringLiteral("router")).toInt(-1));
    s.expert = ExpertIndex(json.value(QStringLiteral("expert")).toInt(-1));
    bool ok = false;
    const quint64 sample = json.value(QStringLiteral("sample")).toString().toULongLong(&ok, 16);
    if (ok) s.sample = sample;
    s.token_modality = static_cast<Modality>(json.value(QStringLiteral("token_modality")).toInt(static_cast<int>(Modality::kUnknown)));
    s.token = TokenIndex(json.value(QStringLiteral("token")).toInt(-1));
    for (const QJsonValue& value : json.value(QStringLiteral("more_tokens")).toArray())
        if (value.toInt(-1) >= 0) s.more_tokens.emplace_back(value.toInt());
    s.step = static_cast<std::int64_t>(json.value(QStringLiteral("step")).toDouble(-1));
    s.workspace = json.value(QStringLiteral("workspace")).toString(s.workspace);
    return s;
}

}  // namespace es::app
