// SPDX-License-Identifier: GPL-3.0-or-later
// What a panel shows, as plain data: views draw it, the exporter writes the same to PDF, SVG, PNG and CSV. No colour is fixed here,
// only what a colour stands for.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/store/records.h"

namespace es::analysis {

inline constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();  ///< never drawn as a value

/// What a mark's colour means; the theme turns it into a colour. Experts and runs have series of their own.
struct ColorRole {
    enum class Kind : std::uint8_t { kSeries, kExpert, kRun, kModality, kText, kMuted, kGood, kWarn, kBad, kAccent };
    Kind kind = Kind::kSeries;
    std::int32_t index = 0;  ///< series number, expert number, run group number, modality (0 vision, 1 text)
    bool operator==(const ColorRole&) const = default;
};

enum class Scale : std::uint8_t { kLinear, kLog };
enum class LineStyle : std::uint8_t { kSolid, kDashed, kDotted };

struct Axis {
    std::string title;  ///< with the unit: "loss (nats)"
    Scale scale = Scale::kLinear;
    std::optional<double> min, max;            ///< else from the data
    std::vector<std::string> categories = {};  ///< labels at 0, 1, 2 ...; empty for a numeric axis
};

struct Curve {
    std::string label;
    ColorRole color;
    LineStyle style = LineStyle::kSolid;
    std::vector<double> x, y;          ///< NaN in y breaks the line
    std::vector<double> low, high;     ///< band; empty: none
    std::vector<double> raw_x, raw_y;  ///< the faint line below a smoothed one; empty: none
    bool points = false;               ///< markers instead of a line
    std::string series;                ///< where it comes from, for the data file: "run/train/loss"
};

/// Something at an x: a spike, a checkpoint, a resume.
struct XMarker {
    double x = 0;
    std::string label;
    ColorRole color{ColorRole::Kind::kBad, 0};
};
struct YLine {
    double y = 0;
    std::string label;
};

struct LinePanel {
    Axis x, y;
    std::vector<Curve> curves;
    std::vector<XMarker> markers;
    std::vector<YLine> lines;
};

enum class ColorMap : std::uint8_t { kCividis, kDiverging };

struct HeatmapPanel {
    Axis x, y;  ///< categories, or numeric with x_values
    std::int32_t columns = 0, rows = 0;
    std::vector<double> values;    ///< row-major, NaN missing
    std::vector<double> x_values;  ///< left edge of each column on a numeric axis; empty with categories
    std::string value_title;       ///< "share ÷ even share"
    double value_min = 0, value_max = 1;
    ColorMap map = ColorMap::kCividis;
    std::vector<std::uint8_t> row_group_start = {};  ///< 1 where a gap goes above the row
    bool row_is_expert = false, column_is_expert = false;
    std::vector<std::int32_t> row_expert = {}, column_expert = {};  ///< experts where they do not stand in their own order; empty: row e is expert e
    [[nodiscard]] std::int32_t expertOfRow(std::int32_t row) const {
        return static_cast<std::size_t>(row) < row_expert.size() ? row_expert[static_cast<std::size_t>(row)] : row;
    }
    [[nodiscard]] std::int32_t expertOfColumn(std::int32_t column) const {
        return static_cast<std::size_t>(column) < column_expert.size() ? column_expert[static_cast<std::size_t>(column)] : column;
    }
};

struct BarPanel {
    Axis x, y;
    struct Bar {
        std::string label;
        double value = 0, low = kMissing, high = kMissing;
        ColorRole color;
        bool emphasised = false;
    };
    std::vector<Bar> bars;
};

/// Effects with intervals, one a row, around zero.
struct ForestPanel {
    Axis x;
    struct Row {
        std::string label;
        double mean = 0, low = 0, high = 0;
        std::int64_t n = 0;
        ColorRole color;
    };
    std::vector<Row> rows;
    double reference = 0;
};

/// Experts on one picture and its caption.
struct OverlayPanel {
    store::Picture picture;
    std::int32_t grid_width = 0, grid_height = 0;
    std::int32_t experts = 0;
    struct Choice {
        std::int32_t expert = -1;
        float mass = 0;
    };
    struct Cell {
        std::int32_t expert = -1;  ///< -1: none (dropped, or no token)
        float mass = 0;
        bool masked = false, dropped = false;
        bool changed = false;                                   ///< outlined: other experts than in what it is compared with
        std::int32_t before = -1;                               ///< first expert there; -1: none, or nothing is compared
        bool unseen = false;                                    ///< the router saw the token and no expert took it (expert choice): hatched
        float value = std::numeric_limits<float>::quiet_NaN();  ///< when a value is shown instead of the expert
        /// All experts of a token with k > 1, best first, to draw the cell split by mass; empty: `expert` alone.
        std::vector<Choice> choices = {};
    };
    std::vector<Cell> patches;  ///< grid_width * grid_height, row-major; empty without a picture
    struct Chip {
        std::string text;
        Cell cell;
        std::int32_t position = 0;
    };
    std::vector<Chip> words;
    bool show_values = false;  ///< colour by value (value_title, value_min, value_max) instead of by expert
    std::string value_title;
    double value_min = 0, value_max = 1;
    ColorMap map = ColorMap::kCividis;
    bool show_mass = false;         ///< a cell says its expert's share too: soft routing, where every expert has one
    std::vector<double> share_E;    ///< with show_mass: the mean share of each expert over the patches, or the words where there are none
    std::string change_title = {};  ///< what the outlined cells are: "changed since step 100"; empty: none are outlined
};

struct TablePanel {
    std::vector<std::string> columns;
    std::vector<std::vector<std::string>> rows;
    std::vector<std::uint8_t> right_aligned;  ///< one a column
};

/// Amounts that pass from one column of nodes to the next (Sankey): experts of one router after another.
struct SankeyPanel {
    struct Node {
        std::string label;
        double amount = 0;  ///< height; at least what enters and what leaves
        ColorRole color;
    };
    struct Column {
        std::string title;
        std::vector<Node> nodes;  ///< top down
    };
    struct Band {
        std::int32_t column = 0;        ///< it leaves this column and enters the next
        std::int32_t from = 0, to = 0;  ///< nodes
        double amount = 0;
    };
    std::vector<Column> columns;
    std::vector<Band> bands;
    std::string amount_title;  ///< "tokens"
};

using PanelContent = std::variant<LinePanel, HeatmapPanel, BarPanel, ForestPanel, OverlayPanel, TablePanel, SankeyPanel>;

/// One panel: its content and the words around it.
struct Panel {
    std::string title;               ///< header, or "(a) title" on a page
    std::string context;             ///< muted, right: "smoothing 0.9 · x: samples"
    std::vector<std::string> notes;  ///< what is reduced, missing or partial: always shown
    PanelContent content;
};

}  // namespace es::analysis
