// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/interventions/intervention_words.h"

#include <QCoreApplication>
#include <QLocale>
#include <QStringList>
#include <algorithm>
#include <cmath>
#include <set>

#include "analysis/figures/wording.h"
#include "views/inspect/token_words.h"

namespace es::views {
namespace {

using session::InterventionKind;
constexpr std::size_t kClassRows = 12;
constexpr int kLossDecimals = 3;

QString inWords(const char* text) { return QCoreApplication::translate("Interventions", text); }
QString plainText(const std::string& words) { return QString::fromStdString(words); }

/// With its sign, as many decimals as it takes to see it.
QString signedNumber(double value) {
    if (!std::isfinite(value)) return QStringLiteral("–");
    const int decimals = std::abs(value) >= 0.095 || value == 0 ? 2 : std::abs(value) >= 0.0095 ? 3 : 4;
    return (value >= 0 ? QStringLiteral("+") : QStringLiteral("\u2212")) + QString::number(std::abs(value), 'f', decimals);
}

QString guessWords(double p) { return p < 0 ? inWords("below the ten best") : QString::number(p, 'f', 2); }

}  // namespace

QString kindTitle(InterventionKind kind) {
    switch (kind) {
        case InterventionKind::kBan: return inWords("Ban");
        case InterventionKind::kForce: return inWords("Force");
        case InterventionKind::kSilence: return inWords("Silence");
        case InterventionKind::kSwap: return inWords("Swap");
        case InterventionKind::kRandomRouter: return inWords("Random");
        case InterventionKind::kOtherK: return inWords("Set k");
        case InterventionKind::kDropBest: return inWords("Drop best");
    }
    return {};
}

QString kindHelp(InterventionKind kind) {
    switch (kind) {
        case InterventionKind::kBan: return inWords("The expert cannot be chosen: the next best takes over");
        case InterventionKind::kForce: return inWords("The expert is chosen first, with the gate that the router's rule gives");
        case InterventionKind::kSilence: return inWords("The expert's gate is 0 where it is chosen; nobody takes over");
        case InterventionKind::kSwap: return inWords("The logits of two experts are exchanged");
        case InterventionKind::kRandomRouter: return inWords("The router's weights are drawn anew");
        case InterventionKind::kOtherK: return inWords("So many experts are chosen instead of k");
        case InterventionKind::kDropBest: return inWords("So many of each token's best experts cannot be chosen");
    }
    return {};
}

QString recipeWords(const store::KeptResult& result) {
    QStringList parts;
    for (const std::string& one : result.interventions) parts << plainText(one);
    return parts.isEmpty() ? inWords("no intervention") : parts.join(QStringLiteral(" · "));
}

QString scopeWords(const store::KeptResult& result) {
    const QString step = inWords("step %1").arg(stepText(result.checkpoint));
    if (result.sample) {
        const QString caption = result.names.empty() ? QString() : plainText(result.names.front().caption);
        return (caption.isEmpty() ? inWords("one sample") : QStringLiteral("“%1”").arg(caption)) + QStringLiteral(" · ") + step;
    }
    std::set<std::uint64_t> samples;
    for (const auto& row : result.rows) samples.insert(row.sample);
    const QString set = result.set.empty() ? QString() : QStringLiteral(" · ") + plainText(result.set);
    return inWords("%1 held-out samples").arg(samples.size()) + set + QStringLiteral(" · ") + step;
}

QString lossLines(const store::KeptResult& result, const std::vector<analysis::LossEffect>& effects, const ResultColors& colors) {
    const auto row = [](const QStringList& cells, const QString& style) {
        QString made = QStringLiteral("<tr>");
        for (qsizetype i = 0; i < cells.size(); ++i)
            made += QStringLiteral("<td%1 style=\"%2\">%3</td>").arg(i == 0 ? QString() : QStringLiteral(" align=\"right\""), style, cells[i]);
        return made + QStringLiteral("</tr>");
    };
    const bool of_set = !result.sample;
    QString rows = row(of_set ? QStringList{inWords("loss"), inWords("before"), inWords("difference"), inWords("95 % interval"), inWords("n")}
                              : QStringList{inWords("loss"), inWords("before"), inWords("after"), inWords("difference")},
                       QStringLiteral("color:%1").arg(colors.muted));
    for (const analysis::LossEffect& effect : effects) {
        QString name = plainText(effect.loss).replace(QLatin1Char('_'), QLatin1Char(' '));
        if (!effect.unit.empty()) name += QStringLiteral(", ") + plainText(effect.unit);
        QString difference = signedNumber(effect.difference);
        const bool sure = of_set ? effect.excludesZero() : std::abs(effect.difference) > 0;
        if (sure) difference = QStringLiteral("<span style=\"color:%1\">%2</span>").arg(effect.difference > 0 ? colors.bad : colors.good, difference);
        QStringList cells{name, numberText(effect.without, kLossDecimals)};
        if (!of_set) cells << numberText(effect.with, kLossDecimals);
        cells << difference;
        if (of_set)
            cells << (std::isfinite(effect.low) ? QStringLiteral("[%1, %2]").arg(signedNumber(effect.low), signedNumber(effect.high)) : QStringLiteral("–"))
                  << plainText(analysis::grouped(effect.units));
        rows += row(cells, &effect == &effects.front() ? QStringLiteral("font-weight:bold; white-space:pre") : QStringLiteral("white-space:pre"));
    }
    return QStringLiteral("<table width=\"100%\" cellspacing=\"0\" cellpadding=\"1\">") + rows + QStringLiteral("</table>");
}

QString familyWords(const std::vector<analysis::LossEffect>& effects) {
    const auto fewer = std::find_if(effects.begin(), effects.end(), [](const analysis::LossEffect& effect) { return effect.units != effect.samples; });
    return fewer == effects.end() ? QString() : inWords("n: %1, near-copies count once").arg(plainText(analysis::overWords(*fewer)));
}

QString resultLine(const store::KeptResult& result) {
    QStringList parts;
    for (const store::EffectWord& word : result.words)
        parts << inWords("masked word “%1” p %2 → %3").arg(plainText(word.before_word).toHtmlEscaped(), guessWords(word.before_p), guessWords(word.after_p));
    std::int64_t rerouted = 0;
    for (const auto& router : result.routers) rerouted += router.rerouted;
    const QString moved = result.set.empty() ? inWords("%1 tokens re-routed") : inWords("%1 tokens of all held-out samples re-routed");
    parts << moved.arg(plainText(analysis::grouped(rerouted)).replace(QLatin1Char(' '), QChar::Nbsp));  // a number is not broken
    return parts.join(QStringLiteral(" · "));
}

std::shared_ptr<const analysis::TablePanel> effectTable(const std::vector<analysis::LossEffect>& effects, const analysis::ClassEffects& classes) {
    auto table = std::make_shared<analysis::TablePanel>();
    table->columns = {"loss", "before", "after", "difference", "interval", "n"};
    table->right_aligned = {0, 1, 1, 1, 1, 1};
    const auto add = [&](const std::string& name, const analysis::LossEffect& e) {
        const bool interval = std::isfinite(e.low) && std::isfinite(e.high);
        const QString range = interval ? QStringLiteral("[%1, %2]").arg(signedNumber(e.low), signedNumber(e.high)) : QStringLiteral("–");
        table->rows.push_back({name, analysis::fixed(e.without, 3), analysis::fixed(e.with, 3), signedNumber(e.difference).toStdString(), range.toStdString(),
                               analysis::grouped(e.units)});
    };
    for (const auto& effect : effects) add(effect.loss + (effect.unit.empty() ? "" : ", " + effect.unit), effect);
    for (std::size_t i = 0; i < std::min(kClassRows, classes.classes.size()); ++i) add("class " + classes.classes[i].category, classes.classes[i]);
    return table;
}

QString routerWordsOf(const store::KeptResult& result) {
    QStringList parts;
    for (const auto& router : result.routers)
        if (router.rerouted > 0)
            parts << inWords("%1 of %2 in %3")
                         .arg(plainText(analysis::grouped(router.rerouted)), plainText(analysis::grouped(router.tokens)),
                              plainText(analysis::routerWords(router.router)));
    if (parts.isEmpty()) return inWords("No token was re-routed");
    const QString words = result.set.empty() ? inWords("Re-routed: %1") : inWords("Re-routed, of all held-out samples: %1");
    return words.arg(parts.join(QStringLiteral(" · ")));
}

}  // namespace es::views
