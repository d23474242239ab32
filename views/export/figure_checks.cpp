// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/export/figure_checks.h"

#include <algorithm>
#include <cmath>

#include "views/export/axis_ticks.h"
#include "views/export/page_writers.h"
#include "views/theme/color_math.h"

namespace es::views::page {

namespace {

double linear(double v) { return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4); }
float gamma(double v) {
    v = std::clamp(v, 0.0, 1.0);
    return static_cast<float>(v <= 0.0031308 ? 12.92 * v : 1.055 * std::pow(v, 1 / 2.4) - 0.055);
}

/// Distance in OKLab, where 0.02 is just noticeable side by side; thin lines need several times that.
double distance(const QColor& a, const QColor& b) {
    const Oklch p = toOklch(a), q = toOklch(b);
    const double degree = std::acos(-1.0) / 180;
    const double dl = p.lightness - q.lightness;
    const double da = p.chroma * std::cos(p.hue_deg * degree) - q.chroma * std::cos(q.hue_deg * degree);
    const double db = p.chroma * std::sin(p.hue_deg * degree) - q.chroma * std::sin(q.hue_deg * degree);
    return std::sqrt(dl * dl + da * da + db * db);
}

bool toldOtherwise(const ColorKey& a, const ColorKey& b) { return a.panel != b.panel || a.line != b.line || a.points != b.points || a.label == b.label; }

/// The pair of marks that `different` finds too close, in words; empty when there is none.
template <class Different>
QString closePair(const std::vector<ColorKey>& keys, Different different) {
    for (std::size_t i = 0; i < keys.size(); ++i)
        for (std::size_t j = i + 1; j < keys.size(); ++j)
            if (!toldOtherwise(keys[i], keys[j]) && !different(keys[i].color, keys[j].color))
                return QStringLiteral("panel (%1): %2 and %3").arg(panelLetter(static_cast<std::size_t>(keys[i].panel)), keys[i].label, keys[j].label);
    return {};
}

void checkSize(const Page& page, std::vector<FigureCheck>& checks) {
    for (const auto& preset : analysis::pagePresets()) {
        if (preset.name != page.settings.preset) continue;
        const QString venue = QString::fromStdString(preset.title);
        const bool width = preset.width_mm <= 0 || std::abs(page.settings.width_mm - preset.width_mm) < 0.11;
        const bool height = preset.max_height_mm <= 0 || page.settings.height_mm <= preset.max_height_mm + 0.05;
        if (width && height) checks.push_back({CheckState::kGood, QStringLiteral("size fits %1").arg(venue), {}});
        else if (!width)
            checks.push_back(
                {CheckState::kWarn, QStringLiteral("width is not that of %1").arg(venue), QStringLiteral("%1 mm asked for").arg(preset.width_mm, 0, 'f', 1)});
        else
            checks.push_back(
                {CheckState::kBad, QStringLiteral("too high for %1").arg(venue), QStringLiteral("at most %1 mm").arg(preset.max_height_mm, 0, 'f', 0)});
    }
}

void checkText(const Page& page, const PageReport& report, std::vector<FigureCheck>& checks) {
    double least = 5, smallest = 1e9;
    for (const auto& preset : analysis::pagePresets())
        if (preset.name == page.settings.preset) least = preset.min_font_pt;
    for (const PlacedText& text : report.texts) smallest = std::min(smallest, text.pt);
    const QString words = QStringLiteral("text ≥ %1 pt at final size").arg(numberText(least));
    if (report.texts.empty() || smallest >= least - 1e-6) checks.push_back({CheckState::kGood, words, {}});
    else
        checks.push_back({CheckState::kBad, QStringLiteral("text down to %1 pt, %2 pt asked for").arg(numberText(smallest), numberText(least)),
                          QStringLiteral("Choose a larger font")});

    const QRectF sheet(QPointF(-0.5, -0.5), pageSize(page.settings) + QSizeF(1, 1));
    for (const PlacedText& text : report.texts)
        if (!sheet.contains(text.box)) {
            checks.push_back({CheckState::kBad, QStringLiteral("text reaches over the edge"),
                              QStringLiteral("'%1' in panel (%2): make the page larger").arg(text.text, panelLetter(static_cast<std::size_t>(text.panel)))});
            break;
        }
    if (!report.notes_cut.empty())
        checks.push_back({CheckState::kWarn, QStringLiteral("panel (%1): notes are cut").arg(panelLetter(static_cast<std::size_t>(report.notes_cut.front()))),
                          QStringLiteral("Say it in the caption, or make the page higher")});
}

void checkColors(const PageReport& report, std::vector<FigureCheck>& checks) {
    const auto dichromats = [](const QColor& a, const QColor& b) {
        for (const Vision vision : {Vision::kDeuteranopia, Vision::kProtanopia})
            if (distance(seenWith(vision, a), seenWith(vision, b)) < 0.08) return false;
        return true;
    };
    const QString blind = closePair(report.color_keys, dichromats);
    if (blind.isEmpty()) checks.push_back({CheckState::kGood, QStringLiteral("readable with deuteranopia, protanopia"), {}});
    else checks.push_back({CheckState::kWarn, QStringLiteral("hard to tell with deuteranopia or protanopia"), blind});
    const QString grey =
        closePair(report.color_keys, [](const QColor& a, const QColor& b) { return std::abs(toOklch(a).lightness - toOklch(b).lightness) >= 0.08; });
    if (grey.isEmpty()) checks.push_back({CheckState::kGood, QStringLiteral("readable in grey (names and numbers shown)"), {}});
    else checks.push_back({CheckState::kWarn, QStringLiteral("hard to tell in grey"), grey});
}

void checkIntervals(const Page& page, const analysis::FigureRecipe& recipe, std::vector<FigureCheck>& checks) {
    for (std::size_t i = 0; i < page.panels.size(); ++i) {
        if (page.panels[i].error) continue;
        const QString panel = QStringLiteral("panel (%1): ").arg(panelLetter(i));
        const auto& content = page.panels[i].panel.content;
        if (const auto* forest = std::get_if<analysis::ForestPanel>(&content)) {
            const auto across = std::count_if(forest->rows.begin(), forest->rows.end(),
                                              [&](const auto& row) { return row.low <= forest->reference && row.high >= forest->reference; });
            const auto bare =
                std::count_if(forest->rows.begin(), forest->rows.end(), [](const auto& row) { return !std::isfinite(row.low) || !std::isfinite(row.high); });
            if (bare > 0)
                checks.push_back({CheckState::kWarn, panel + QStringLiteral("%1 without an interval").arg(bare),
                                  QStringLiteral("Add seeds, or record evaluations per sample")});
            else if (across > 0)
                checks.push_back({CheckState::kWarn, panel + QStringLiteral("%1 of %2 intervals reach over the reference").arg(across).arg(forest->rows.size()),
                                  QStringLiteral("No difference is shown there")});
        }
        if (i >= recipe.panels.size() || recipe.panels[i].kind.rfind("compare_", 0) != 0) continue;
        const auto& query = recipe.panels[i];
        const auto found = query.parameters.find("baseline");
        const int baseline = found == query.parameters.end() ? static_cast<int>(query.runs.size()) / 2 : std::atoi(found->second.c_str());
        const int seeds = std::min(baseline, static_cast<int>(query.runs.size()) - baseline);
        if (seeds < 3)
            checks.push_back({CheckState::kWarn,
                              panel + QStringLiteral("%1 %2 a side").arg(seeds).arg(seeds == 1 ? QStringLiteral("seed") : QStringLiteral("seeds")),
                              QStringLiteral("An interval over samples says nothing about other seeds; eight short seeds are better than one long")});
    }
}

}  // namespace

QColor seenWith(Vision vision, const QColor& color) {
    static constexpr double kDeutan[9] = {0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881};
    static constexpr double kProtan[9] = {0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998};
    const double* m = vision == Vision::kDeuteranopia ? kDeutan : kProtan;
    const double r = linear(color.redF()), g = linear(color.greenF()), b = linear(color.blueF());
    return QColor::fromRgbF(gamma(m[0] * r + m[1] * g + m[2] * b), gamma(m[3] * r + m[4] * g + m[5] * b), gamma(m[6] * r + m[7] * g + m[8] * b));
}

std::vector<FigureCheck> checkFigure(const Page& page, const analysis::FigureRecipe& recipe, const PageReport& report, const QByteArray& pdf) {
    std::vector<FigureCheck> checks;
    for (std::size_t i = 0; i < page.panels.size(); ++i)
        if (page.panels[i].error)
            checks.push_back(
                {CheckState::kBad, QStringLiteral("panel (%1) cannot be drawn").arg(panelLetter(i)), QString::fromStdString(page.panels[i].error->message())});
    checkText(page, report, checks);
    if (!pdf.isEmpty()) {
        const auto fonts = fontsOfPdf(pdf);
        if (fonts && fonts->embedded == fonts->fonts && fonts->type3 == 0)
            checks.push_back({CheckState::kGood, QStringLiteral("fonts embedded, no Type 3"), {}});
        else
            checks.push_back(
                {CheckState::kBad, QStringLiteral("fonts are not all embedded"), fonts ? QString() : QString::fromStdString(fonts.error().message())});
    }
    checkSize(page, checks);
    checkColors(report, checks);
    checkIntervals(page, recipe, checks);
    return checks;
}

}  // namespace es::views::page
