// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/models/panel_json.h"

#include <QJsonArray>
#include <QStringList>
#include <cmath>

namespace es::views {
namespace {

using namespace analysis;

QString text(const std::string& s) { return QString::fromStdString(s); }
QJsonValue number(double v) { return std::isfinite(v) ? QJsonValue(v) : QJsonValue(QJsonValue::Null); }
QString cell(double v) { return std::isfinite(v) ? QString::number(v, 'g', 10) : QString(); }

template <class Range>
QJsonArray numbers(const Range& values) {
    QJsonArray array;
    for (const auto v : values) array.append(number(static_cast<double>(v)));
    return array;
}

QJsonArray texts(const std::vector<std::string>& values) {
    QJsonArray array;
    for (const std::string& v : values) array.append(text(v));
    return array;
}

QJsonObject axis(const Axis& a) {
    QJsonObject o{{QStringLiteral("title"), text(a.title)},
                  {QStringLiteral("scale"), a.scale == Scale::kLog ? QStringLiteral("log") : QStringLiteral("linear")}};
    if (!a.categories.empty()) o.insert(QStringLiteral("categories"), texts(a.categories));
    return o;
}

void fill(QJsonObject& o, const LinePanel& p) {
    o.insert(QStringLiteral("kind"), QStringLiteral("line"));
    o.insert(QStringLiteral("x"), axis(p.x));
    o.insert(QStringLiteral("y"), axis(p.y));
    QJsonArray curves;
    for (const Curve& c : p.curves) {
        QJsonObject one{{QStringLiteral("label"), text(c.label)},
                        {QStringLiteral("series"), text(c.series)},
                        {QStringLiteral("x"), numbers(c.x)},
                        {QStringLiteral("y"), numbers(c.y)}};
        if (!c.low.empty()) one.insert(QStringLiteral("low"), numbers(c.low)), one.insert(QStringLiteral("high"), numbers(c.high));
        if (!c.raw_x.empty()) one.insert(QStringLiteral("raw_x"), numbers(c.raw_x)), one.insert(QStringLiteral("raw_y"), numbers(c.raw_y));
        if (c.points) one.insert(QStringLiteral("points"), true);
        curves.append(one);
    }
    o.insert(QStringLiteral("curves"), curves);
    QJsonArray markers, lines;
    for (const XMarker& m : p.markers) markers.append(QJsonObject{{QStringLiteral("x"), number(m.x)}, {QStringLiteral("label"), text(m.label)}});
    for (const YLine& l : p.lines) lines.append(QJsonObject{{QStringLiteral("y"), number(l.y)}, {QStringLiteral("label"), text(l.label)}});
    o.insert(QStringLiteral("markers"), markers);
    o.insert(QStringLiteral("lines"), lines);
}

void fill(QJsonObject& o, const HeatmapPanel& p) {
    o.insert(QStringLiteral("kind"), QStringLiteral("heatmap"));
    o.insert(QStringLiteral("x"), axis(p.x));
    o.insert(QStringLiteral("y"), axis(p.y));
    o.insert(QStringLiteral("columns"), p.columns);
    o.insert(QStringLiteral("rows"), p.rows);
    o.insert(QStringLiteral("values"), numbers(p.values));
    o.insert(QStringLiteral("x_values"), numbers(p.x_values));
    o.insert(QStringLiteral("value_title"), text(p.value_title));
    o.insert(QStringLiteral("value_min"), number(p.value_min));
    o.insert(QStringLiteral("value_max"), number(p.value_max));
}

void fill(QJsonObject& o, const BarPanel& p) {
    o.insert(QStringLiteral("kind"), QStringLiteral("bar"));
    o.insert(QStringLiteral("x"), axis(p.x));
    o.insert(QStringLiteral("y"), axis(p.y));
    QJsonArray bars;
    for (const BarPanel::Bar& b : p.bars)
        bars.append(QJsonObject{{QStringLiteral("label"), text(b.label)},
                                {QStringLiteral("value"), number(b.value)},
                                {QStringLiteral("low"), number(b.low)},
                                {QStringLiteral("high"), number(b.high)},
                                {QStringLiteral("emphasised"), b.emphasised}});
    o.insert(QStringLiteral("bars"), bars);
}

void fill(QJsonObject& o, const ForestPanel& p) {
    o.insert(QStringLiteral("kind"), QStringLiteral("forest"));
    o.insert(QStringLiteral("x"), axis(p.x));
    o.insert(QStringLiteral("reference"), number(p.reference));
    QJsonArray rows;
    for (const ForestPanel::Row& r : p.rows)
        rows.append(QJsonObject{{QStringLiteral("label"), text(r.label)},
                                {QStringLiteral("mean"), number(r.mean)},
                                {QStringLiteral("low"), number(r.low)},
                                {QStringLiteral("high"), number(r.high)},
                                {QStringLiteral("n"), static_cast<double>(r.n)}});
    o.insert(QStringLiteral("rows"), rows);
}

QJsonObject overlayCell(const OverlayPanel::Cell& c) {
    QJsonObject o{{QStringLiteral("expert"), c.expert},
                  {QStringLiteral("mass"), number(static_cast<double>(c.mass))},
                  {QStringLiteral("masked"), c.masked},
                  {QStringLiteral("dropped"), c.dropped}};
    if (std::isfinite(c.value)) o.insert(QStringLiteral("value"), static_cast<double>(c.value));
    if (c.unseen) o.insert(QStringLiteral("unseen"), true);
    if (c.changed) o.insert(QStringLiteral("changed"), true);
    if (c.before >= 0) o.insert(QStringLiteral("before"), c.before);
    if (!c.choices.empty()) {
        QJsonArray choices;
        for (const auto& choice : c.choices)
            choices.append(QJsonObject{{QStringLiteral("expert"), choice.expert}, {QStringLiteral("mass"), number(static_cast<double>(choice.mass))}});
        o.insert(QStringLiteral("choices"), choices);
    }
    return o;
}

void fill(QJsonObject& o, const OverlayPanel& p) {
    o.insert(QStringLiteral("kind"), QStringLiteral("overlay"));
    o.insert(QStringLiteral("grid_width"), p.grid_width);
    o.insert(QStringLiteral("grid_height"), p.grid_height);
    o.insert(QStringLiteral("experts"), p.experts);
    QJsonArray patches, words;
    for (const OverlayPanel::Cell& c : p.patches) patches.append(overlayCell(c));
    for (const OverlayPanel::Chip& w : p.words) {
        QJsonObject one = overlayCell(w.cell);
        one.insert(QStringLiteral("text"), text(w.text));
        one.insert(QStringLiteral("position"), w.position);
        words.append(one);
    }
    o.insert(QStringLiteral("patches"), patches);
    o.insert(QStringLiteral("words"), words);
    if (p.show_values) o.insert(QStringLiteral("value_title"), text(p.value_title));
    if (!p.change_title.empty()) o.insert(QStringLiteral("change_title"), text(p.change_title));
}

void fill(QJsonObject& o, const TablePanel& p) {
    o.insert(QStringLiteral("kind"), QStringLiteral("table"));
    o.insert(QStringLiteral("columns"), texts(p.columns));
    QJsonArray rows;
    for (const auto& row : p.rows) rows.append(texts(row));
    o.insert(QStringLiteral("rows"), rows);
}

void fill(QJsonObject& o, const SankeyPanel& p) {
    o.insert(QStringLiteral("kind"), QStringLiteral("sankey"));
    o.insert(QStringLiteral("amount_title"), text(p.amount_title));
    QJsonArray columns, bands;
    for (const SankeyPanel::Column& c : p.columns) {
        QJsonArray nodes;
        for (const SankeyPanel::Node& n : c.nodes)
            nodes.append(QJsonObject{{QStringLiteral("label"), text(n.label)}, {QStringLiteral("amount"), number(n.amount)}});
        columns.append(QJsonObject{{QStringLiteral("title"), text(c.title)}, {QStringLiteral("nodes"), nodes}});
    }
    for (const SankeyPanel::Band& b : p.bands)
        bands.append(QJsonObject{{QStringLiteral("column"), b.column},
                                 {QStringLiteral("from"), b.from},
                                 {QStringLiteral("to"), b.to},
                                 {QStringLiteral("amount"), number(b.amount)}});
    o.insert(QStringLiteral("columns"), columns);
    o.insert(QStringLiteral("bands"), bands);
}

QStringList table(const LinePanel& p) {
    QStringList lines;
    for (const Curve& c : p.curves) {
        if (!lines.isEmpty()) lines << QString();
        const bool band = !c.low.empty();
        lines << QStringList{text(p.x.title), text(c.label)}.join(QLatin1Char('\t')) + (band ? QStringLiteral("\tlow\thigh") : QString());
        for (std::size_t i = 0; i < c.x.size(); ++i)
            lines << cell(c.x[i]) + QLatin1Char('\t') + cell(c.y[i]) +
                         (band ? QLatin1Char('\t') + cell(c.low[i]) + QLatin1Char('\t') + cell(c.high[i]) : QString());
    }
    return lines;
}

QStringList table(const HeatmapPanel& p) {
    QStringList head{text(p.y.title)};
    for (std::int32_t x = 0; x < p.columns; ++x) {
        const auto at = static_cast<std::size_t>(x);
        head << (at < p.x.categories.size() ? text(p.x.categories[at]) : at < p.x_values.size() ? cell(p.x_values[at]) : QString::number(x));
    }
    QStringList lines{head.join(QLatin1Char('\t'))};
    for (std::int32_t y = 0; y < p.rows; ++y) {
        const auto row = static_cast<std::size_t>(y);
        QStringList line{row < p.y.categories.size() ? text(p.y.categories[row]) : QString::number(y)};
        for (std::int32_t x = 0; x < p.columns; ++x) line << cell(p.values[row * static_cast<std::size_t>(p.columns) + static_cast<std::size_t>(x)]);
        lines << line.join(QLatin1Char('\t'));
    }
    return lines;
}

QStringList table(const BarPanel& p) {
    QStringList lines{QStringList{text(p.x.title), text(p.y.title), QStringLiteral("low"), QStringLiteral("high")}.join(QLatin1Char('\t'))};
    for (const auto& b : p.bars) lines << QStringList{text(b.label), cell(b.value), cell(b.low), cell(b.high)}.join(QLatin1Char('\t'));
    return lines;
}

QStringList table(const ForestPanel& p) {
    QStringList lines{QStringList{QString(), text(p.x.title), QStringLiteral("low"), QStringLiteral("high"), QStringLiteral("n")}.join(QLatin1Char('\t'))};
    for (const auto& r : p.rows) lines << QStringList{text(r.label), cell(r.mean), cell(r.low), cell(r.high), QString::number(r.n)}.join(QLatin1Char('\t'));
    return lines;
}

QStringList table(const OverlayPanel& p) {
    const bool compared = !p.change_title.empty();
    const auto more = [&](const OverlayPanel::Cell& c) {
        QString out;
        if (p.show_values) out += QLatin1Char('\t') + cell(static_cast<double>(c.value));
        if (compared) out += QStringLiteral("\t%1\t%2").arg(c.before).arg(c.changed ? 1 : 0);
        return out;
    };
    QStringList lines{QStringLiteral("token\tposition\texpert\tmass") + (p.show_values ? QLatin1Char('\t') + text(p.value_title) : QString()) +
                      (compared ? QStringLiteral("\texpert before\tchanged") : QString())};
    for (std::size_t i = 0; i < p.patches.size(); ++i)
        lines << QStringLiteral("patch\t%1\t%2\t%3").arg(i).arg(p.patches[i].expert).arg(cell(static_cast<double>(p.patches[i].mass))) + more(p.patches[i]);
    for (const auto& w : p.words)
        lines << QStringLiteral("%1\t%2\t%3\t%4").arg(text(w.text)).arg(w.position).arg(w.cell.expert).arg(cell(static_cast<double>(w.cell.mass))) +
                     more(w.cell);
    return lines;
}

QStringList table(const SankeyPanel& p) {
    QStringList lines{QStringLiteral("from\texpert\tto\texpert\t") + text(p.amount_title)};
    for (const SankeyPanel::Band& b : p.bands) {
        const auto at = static_cast<std::size_t>(b.column);
        const SankeyPanel::Column &from = p.columns[at], &to = p.columns[at + 1];
        lines << QStringList{text(from.title), text(from.nodes[static_cast<std::size_t>(b.from)].label), text(to.title),
                             text(to.nodes[static_cast<std::size_t>(b.to)].label), cell(b.amount)}
                     .join(QLatin1Char('\t'));
    }
    return lines;
}

QStringList table(const TablePanel& p) {
    const auto joined = [](const std::vector<std::string>& row) {
        QStringList cells;
        for (const std::string& c : row) cells << text(c);
        return cells.join(QLatin1Char('\t'));
    };
    QStringList lines{joined(p.columns)};
    for (const auto& row : p.rows) lines << joined(row);
    return lines;
}

}  // namespace

QJsonObject toJson(const Panel& panel) {
    QJsonObject o{
        {QStringLiteral("title"), text(panel.title)}, {QStringLiteral("context"), text(panel.context)}, {QStringLiteral("notes"), texts(panel.notes)}};
    std::visit([&o](const auto& content) { fill(o, content); }, panel.content);
    return o;
}

QString toTabSeparated(const Panel& panel) {
    return std::visit([](const auto& content) { return table(content); }, panel.content).join(QLatin1Char('\n')) + QLatin1Char('\n');
}

}  // namespace es::views
