// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/export/panel_csv.h"

#include <QLocale>
#include <algorithm>
#include <cmath>

#include "views/export/point_reduction.h"

namespace es::views::page {

namespace {

QByteArray field(QByteArray text) {
    if (text.contains(',') || text.contains('"') || text.contains('\n') || text.contains('\r')) return '"' + text.replace('"', "\"\"") + '"';
    return text;
}
QByteArray field(const std::string& text) { return field(QByteArray::fromStdString(text)); }
QByteArray field(double value) { return std::isfinite(value) ? QByteArray::number(value, 'g', QLocale::FloatingPointShortest) : QByteArray(); }
QByteArray field(std::int64_t value) { return QByteArray::number(static_cast<qlonglong>(value)); }

void row(QByteArray& out, std::initializer_list<QByteArray> fields) {
    bool first = true;
    for (const QByteArray& text : fields) {
        if (!first) out += ',';
        out += text;
        first = false;
    }
    out += "\r\n";
}

std::string named(const std::string& title, const char* otherwise) { return title.empty() ? otherwise : title; }

double at(const std::vector<double>& values, std::size_t index) { return index < values.size() ? values[index] : analysis::kMissing; }

struct Writer {
    QByteArray out;

    void operator()(const analysis::LinePanel& panel) {
        const std::string y = named(panel.y.title, "y");
        row(out, {"curve", "series", "kind", field(named(panel.x.title, "x")), field(y), field("low: " + y), field("high: " + y), "drawn"});
        for (const auto& curve : panel.curves) {
            const auto drawn = drawnPoints(curve.x, curve.y);
            for (std::size_t i = 0; i < drawn.size(); ++i)
                row(out, {field(curve.label), field(curve.series), curve.points ? "point" : "line", field(curve.x[i]), field(curve.y[i]),
                          field(at(curve.low, i)), field(at(curve.high, i)), drawn[i] ? "1" : "0"});
            const auto raw = drawnPoints(curve.raw_x, curve.raw_y);
            for (std::size_t i = 0; i < raw.size(); ++i)
                row(out, {field(curve.label), field(curve.series), "raw", field(curve.raw_x[i]), field(curve.raw_y[i]), "", "", raw[i] ? "1" : "0"});
        }
        for (const auto& marker : panel.markers) row(out, {field(marker.label), "", "marker", field(marker.x), "", "", "", "1"});
        for (const auto& line : panel.lines) row(out, {field(line.label), "", "level", "", field(line.y), "", "", "1"});
    }

    void operator()(const analysis::HeatmapPanel& panel) {
        row(out, {field(named(panel.y.title, "row")), field(named(panel.x.title, "column")), field(named(panel.value_title, "value")), "drawn"});
        const bool averaged = columnsPerCell(panel.columns) > 1;
        const auto name = [](const analysis::Axis& axis, std::int32_t index) {
            return static_cast<std::size_t>(index) < axis.categories.size() ? field(axis.categories[static_cast<std::size_t>(index)])
                                                                            : field(std::int64_t{index});
        };
        const auto column_name = [&](std::int32_t c) {
            return panel.x.categories.empty() && static_cast<std::size_t>(c) < panel.x_values.size() ? field(panel.x_values[static_cast<std::size_t>(c)])
                                                                                                     : name(panel.x, c);
        };
        const auto value = [&](std::int32_t r, std::int32_t c) {
            return at(panel.values, static_cast<std::size_t>(r) * static_cast<std::size_t>(panel.columns) + static_cast<std::size_t>(c));
        };
        for (std::int32_t r = 0; r < panel.rows; ++r)
            for (std::int32_t c = 0; c < panel.columns; ++c) row(out, {name(panel.y, r), column_name(c), field(value(r, c)), averaged ? "0" : "1"});
        if (!averaged) return;
        const std::int32_t per = columnsPerCell(panel.columns);
        for (std::int32_t r = 0; r < panel.rows; ++r)
            for (std::int32_t c = 0; c < panel.columns; c += per) {
                double sum = 0;
                int n = 0;
                for (std::int32_t i = c; i < std::min(panel.columns, c + per); ++i)
                    if (std::isfinite(value(r, i))) sum += value(r, i), ++n;
                row(out, {name(panel.y, r), column_name(c), field(n > 0 ? sum / n : analysis::kMissing), "1"});
            }
    }

    void operator()(const analysis::BarPanel& panel) {
        const std::string y = named(panel.y.title, "value");
        row(out, {field(named(panel.x.title, "bar")), field(y), field("low: " + y), field("high: " + y), "emphasised", "drawn"});
        for (const auto& bar : panel.bars) row(out, {field(bar.label), field(bar.value), field(bar.low), field(bar.high), bar.emphasised ? "1" : "0", "1"});
    }

    void operator()(const analysis::ForestPanel& panel) {
        const std::string x = named(panel.x.title, "effect");
        row(out, {"row", field(x), field("low: " + x), field("high: " + x), "n", "drawn"});
        for (const auto& line : panel.rows) row(out, {field(line.label), field(line.mean), field(line.low), field(line.high), field(line.n), "1"});
    }

    void operator()(const analysis::OverlayPanel& panel) {
        row(out, {"kind", "position", "patch row", "patch column", "word", "expert", "gate", "all experts", "masked", "dropped",
                  field(named(panel.value_title, "value")), "drawn"});
        const auto cell = [&](const analysis::OverlayPanel::Cell& c, const char* kind, std::int64_t position, QByteArray r, QByteArray col,
                              const std::string& word) {
            QByteArray all;
            for (const auto& choice : c.choices)
                all += (all.isEmpty() ? "" : " ") + field(std::int64_t{choice.expert}) + ':' + field(static_cast<double>(choice.mass));
            row(out, {kind, field(position), r, col, field(word), c.expert < 0 ? QByteArray() : field(std::int64_t{c.expert}),
                      c.expert < 0 ? QByteArray() : field(static_cast<double>(c.mass)), all, c.masked ? "1" : "0", c.dropped ? "1" : "0",
                      field(static_cast<double>(c.value)), "1"});
        };
        for (std::size_t i = 0; i < panel.patches.size(); ++i) {
            const auto width = static_cast<std::size_t>(std::max(1, panel.grid_width));
            cell(panel.patches[i], "patch", static_cast<std::int64_t>(i), field(static_cast<std::int64_t>(i / width)),
                 field(static_cast<std::int64_t>(i % width)), "");
        }
        for (const auto& chip : panel.words) cell(chip.cell, "word", chip.position, "", "", chip.text);
    }

    void operator()(const analysis::SankeyPanel& panel) {
        row(out, {"from", "from expert", "to", "to expert", field(named(panel.amount_title, "amount")), "drawn"});
        for (const auto& band : panel.bands) {
            const auto at = static_cast<std::size_t>(band.column);
            const auto &from = panel.columns[at], &to = panel.columns[at + 1];
            row(out, {field(from.title), field(from.nodes[static_cast<std::size_t>(band.from)].label), field(to.title),
                      field(to.nodes[static_cast<std::size_t>(band.to)].label), field(band.amount), "1"});
        }
    }

    void operator()(const analysis::TablePanel& panel) {
        const auto line = [&](const std::vector<std::string>& cells) {
            for (std::size_t i = 0; i < panel.columns.size(); ++i) {
                if (i > 0) out += ',';
                if (i < cells.size()) out += field(cells[i]);
            }
            out += "\r\n";
        };
        line(panel.columns);
        for (const auto& cells : panel.rows) line(cells);
    }
};

}  // namespace

QByteArray panelAsCsv(const analysis::Panel& panel) {
    Writer writer;
    std::visit(writer, panel.content);
    return writer.out;
}

}  // namespace es::views::page
