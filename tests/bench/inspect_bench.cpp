// SPDX-License-Identifier: GPL-3.0-or-later
// Inspect's speed: from a choice until the window has been drawn anew, on a made-up run in a window of 1680 x 1000.
//   bench_inspect
#include <spdlog/fmt/fmt.h>

#include <QApplication>
#include <QImage>
#include <QPainter>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "tests/views/inspect_fixture.h"
#include "views/inspect/sheet/sheet_page.h"
#include "views/overlay/overlay_painter.h"

namespace {

using namespace es;
using views::OverlayChoices;
using Clock = std::chrono::steady_clock;

constexpr int kTurns = 40;

double msSince(Clock::time_point begin) { return std::chrono::duration<double, std::milli>(Clock::now() - begin).count(); }

void print(const std::string& what, std::vector<double> ms) {
    std::sort(ms.begin(), ms.end());
    const double median = ms[ms.size() / 2], p95 = ms[static_cast<std::size_t>(0.95 * static_cast<double>(ms.size() - 1))];
    fmt::print("{:<58} median {:6.2f} ms · p95 {:6.2f} · worst {:6.2f} (n {})\n", what, median, p95, ms.back(), ms.size());
}

/// Until the overlay has been drawn anew, and until every panel beside it has its answer.
struct Waits {
    std::vector<double> drawn, all;
    void print(const std::string& what) const {
        ::print(what + ": overlay drawn", drawn);
        ::print(what + ": every panel", all);
    }
};
void timed(
    views::test::InspectBench& bench, Waits& waits, const std::function<void()>& change, const std::function<bool()>& there = [] { return true; }) {
    const auto begin = Clock::now();
    change();
    do QCoreApplication::processEvents();
    while (!there());
    QCoreApplication::processEvents();
    waits.drawn.push_back(msSince(begin));
    while (!bench.jobs.idle() || !bench.workspace->settled()) QCoreApplication::processEvents();
    QCoreApplication::processEvents();
    waits.all.push_back(msSince(begin));
}

void measureWorkspace() {
    test::SyntheticRunOptions options;
    options.samples = 64;
    options.steps = 2000;
    options.experts = 16;
    options.k = 2;
    views::test::InspectBench bench(views::test::madeRun("bench", options), QSize(1680, 940));
    views::InspectModel& model = *bench.workspace->model();
    model.chooseToken(Modality::kVision, 14);
    bench.settle();
    Waits first, again, layers, experts, modes, changes, patches, sheet_experts, sheet_layers;
    const auto steps = model.contents().steps;
    for (int round = 0; round < 3; ++round)
        for (const std::int64_t step : steps)
            timed(
                bench, round == 0 ? first : again, [&] { model.chooseStep(step); }, [&] { return model.step() == step; });
    first.print("step, first time");
    again.print("step, in memory");
    const auto setMode = [&](analysis::OverlayMode mode) {
        OverlayChoices choices = model.overlayChoices();
        choices.mode = mode;
        model.setOverlayChoices(choices);
    };
    for (int i = 0; i < kTurns; ++i) {
        timed(bench, layers, [&] { model.chooseLayer(LayerIndex(i % 2 == 0 ? 2 : 1)); });
        timed(bench, experts, [&] { model.chooseRouter(RouterId(0), ExpertIndex(i % 16)); });
        timed(bench, modes, [&] { setMode(static_cast<analysis::OverlayMode>((i + 1) % 4)); });
        timed(bench, changes, [&] { setMode(i % 2 == 0 ? analysis::OverlayMode::kChanged : analysis::OverlayMode::kDifference); });
        timed(bench, patches, [&] { model.chooseToken(Modality::kVision, i % 36); });
    }
    layers.print("layer");
    experts.print("expert");
    modes.print("mode of one checkpoint");
    changes.print("mode of two checkpoints");
    patches.print("patch");
    model.setOverlayChoices({});
    bench.settle();
    bench.workspace->showPage(QStringLiteral("sheet"));
    bench.settle();
    for (int i = 0; i < kTurns; ++i) {
        timed(bench, sheet_experts, [&] { model.chooseRouter(RouterId(0), ExpertIndex(i % 16)); });
        timed(bench, sheet_layers, [&] { model.chooseLayer(LayerIndex(i % 2 == 0 ? 2 : 1)); });
    }
    print("contact sheet of 24: expert", sheet_experts.all);
    print("contact sheet of 24: layer", sheet_layers.all);
}

/// A picture of `side` x `side` patches, painted as the window does.
void measurePainting(int side, int k) {
    analysis::OverlayPanel panel;
    panel.grid_width = panel.grid_height = side;
    panel.experts = 16;
    panel.picture = {side * 8, side * 8, std::vector<std::uint8_t>(static_cast<std::size_t>(side) * 8 * static_cast<std::size_t>(side) * 8 * 4, 200)};
    for (int i = 0; i < side * side; ++i) {
        analysis::OverlayPanel::Cell cell;
        cell.expert = (i * 7) % 16;
        for (int e = 0; e < k && k > 1; ++e) cell.choices.push_back({(i * 7 + e) % 16, 1.0f / static_cast<float>(k)});
        panel.patches.push_back(cell);
    }
    QImage canvas(900, 900, QImage::Format_ARGB32_Premultiplied);
    views::Theme theme;
    views::OverlayStyle style;
    style.colors = theme.colors();
    style.font = theme.font(views::Theme::FontRole::kTabular);
    std::vector<double> ms;
    for (int i = 0; i < kTurns; ++i) {
        const auto begin = Clock::now();
        QPainter painter(&canvas);
        style.highlighted_expert = i % 16;
        views::paintOverlay(painter, QRectF(0, 0, 900, 900), panel, style);
        painter.end();
        ms.push_back(msSince(begin));
    }
    print(fmt::format("painting {} x {} patches at 900 px, k = {}", side, side, k), ms);
}

}  // namespace

int main(int argc, char** argv) {
    qputenv("QT_QPA_PLATFORM", "offscreen");
    QApplication application(argc, argv);
    measureWorkspace();
    measurePainting(8, 1);
    measurePainting(14, 2);
    measurePainting(32, 1);
    measurePainting(32, 8);
    return 0;
}
