// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/token_words.h"

#include <QCoreApplication>
#include <algorithm>
#include <cmath>

namespace es::views {
namespace {
QString tr(const char* text) { return QCoreApplication::translate("Inspect", text); }
}  // namespace

QString tokenName(const store::SampleRecord* record, Modality modality, int index) {
    if (modality == Modality::kVision) {
        if (!record || record->grid_width <= 0) return tr("patch %1").arg(index);
        return tr("patch (%1, %2)").arg(index / record->grid_width).arg(index % record->grid_width);
    }
    if (record && index >= 0 && index < static_cast<int>(record->token_texts.size()))
        return tr("word “%1”").arg(QString::fromStdString(record->token_texts[static_cast<std::size_t>(index)]));
    return tr("word %1").arg(index);
}

QString numberText(double value, int decimals) {
    if (!std::isfinite(value)) return QStringLiteral("–");
    const QString text = QString::number(value, 'f', decimals);
    if (!text.startsWith(QLatin1Char('-'))) return text;
    const QString digits = text.mid(1);
    const bool zero = std::none_of(digits.begin(), digits.end(), [](QChar c) { return c >= QLatin1Char('1') && c <= QLatin1Char('9'); });
    return zero ? digits : QChar(0x2212) + digits;
}

QString choicesText(const analysis::TokenReading& reading) {
    QStringList parts;
    for (const auto& choice : reading.choices)
        parts << (parts.isEmpty() ? tr("%1 (weight %2)") : tr("%1 (%2)")).arg(choice.expert).arg(numberText(choice.weight));
    return parts.isEmpty() ? tr("none") : tr("expert %1").arg(parts.join(QStringLiteral(", ")));
}

QString slotsText(const analysis::TokenReading& reading) {
    QStringList parts;
    for (const auto& choice : reading.choices) parts << (choice.kept ? tr("%1 of %2") : tr("none, %1 in line for %2")).arg(choice.place + 1).arg(reading.slots);
    return parts.join(QStringLiteral(" · "));
}

QString readoutText(const QString& name, const analysis::TokenReading* reading) {
    if (!reading) return name;
    QStringList parts{name, choicesText(*reading)};
    if (std::isfinite(reading->entropy_nats)) parts << tr("entropy %1 nats").arg(numberText(reading->entropy_nats));
    if (std::isfinite(reading->boundary_margin)) parts << tr("margin %1").arg(numberText(reading->boundary_margin));
    if (reading->dropped) parts << tr("dropped");
    if (reading->masked) parts << tr("masked");
    return parts.join(QStringLiteral(" · "));
}

QString predictionText(const session::WordPrediction& prediction, int most) {
    QStringList words;
    for (std::size_t i = 0; i < std::min({prediction.words.size(), prediction.probabilities.size(), static_cast<std::size_t>(most)}); ++i)
        words << QStringLiteral("%1 %2").arg(QString::fromStdString(prediction.words[i]), numberText(static_cast<double>(prediction.probabilities[i])));
    return tr("predicted, when hidden: %1").arg(words.join(QStringLiteral(", ")));
}

QString stepText(std::int64_t step) {
    QString digits = QString::number(step);
    for (qsizetype at = digits.size() - 3; at > 0; at -= 3) digits.insert(at, QChar(0x202F));
    return digits;
}

}  // namespace es::views
