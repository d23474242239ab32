// SPDX-License-Identifier: GPL-3.0-or-later
// Every mode and page of Inspect at the smallest and a usual window, light and dark: drawn without a warning, each different from the others, and
// with nothing cut. ES_PICTURES=FOLDER keeps the pictures; ES_PICTURE_RUN=RUN takes them of that run instead of a made-up one.
#include <gtest/gtest.h>

#include <QDir>
#include <QPushButton>
#include <set>

#include "tests/views/inspect_fixture.h"
#include "views/inspect/overlay_bar.h"

namespace es::views {
namespace {

using analysis::OverlayMode;
using test::InspectBench;
using test::madeRun;

std::filesystem::path pictureRun() {
    if (const QByteArray given = qgetenv("ES_PICTURE_RUN"); !given.isEmpty()) return given.toStdString();
    es::test::SyntheticRunOptions options;
    options.name = "pictures";
    options.samples = 32;
    options.steps = 600;
    options.experts = 16;
    options.k = 2;
    options.spikes = {350};
    return madeRun("pictures", options);
}

/// What `grab` shows of a widget, kept where somebody asked for it.
QImage picture(InspectBench& bench, const QString& name) {
    bench.settle();
    const QImage image = bench.workspace->grab().toImage();
    if (const QByteArray folder = qgetenv("ES_PICTURES"); !folder.isEmpty()) {
        QDir().mkpath(QString::fromLocal8Bit(folder));
        EXPECT_TRUE(image.save(QStringLiteral("%1/%2.png").arg(QString::fromLocal8Bit(folder), name)));
    }
    return image;
}

/// Controls on screen whose words have less room than they need.
QStringList cutControls(const InspectBench& bench) {
    QStringList cut;
    for (const auto* control : bench.workspace->findChildren<SegmentedControl*>()) {
        if (!control->isVisible()) continue;
        const QRect inside(control->mapTo(bench.workspace.get(), QPoint()), control->size());
        if (control->width() < control->sizeHint().width() || !bench.workspace->rect().contains(inside)) cut << control->objectName();
        const auto* parent = control->parentWidget();
        if (parent && !parent->rect().contains(control->geometry())) cut << control->objectName() + QStringLiteral(" in its parent");
    }
    for (const auto* button : bench.workspace->findChildren<QPushButton*>())
        if (button->isVisible() && !button->text().isEmpty() && button->width() + 1 < button->minimumSizeHint().width()) cut << button->text();
    return cut;
}

class Pictures : public testing::TestWithParam<std::pair<QSize, ThemeMode>> {};

TEST_P(Pictures, OfEveryModeAndPage) {
    const auto [size, theme] = GetParam();
    // The window's bar and status strip take some of its height.
    InspectBench bench(pictureRun(), size - QSize(0, 74));
    bench.theme.setMode(theme);
    const QString suffix = QStringLiteral("%1-%2").arg(size.width()).arg(theme == ThemeMode::kDark ? QStringLiteral("dark") : QStringLiteral("light"));
    InspectModel& model = *bench.workspace->model();
    model.chooseToken(Modality::kVision, model.shown().token.value);
    std::set<QString> seen;
    const auto note = [&](const QString& name) {
        const QImage image = picture(bench, name + QLatin1Char('-') + suffix);
        ASSERT_FALSE(image.isNull());
        EXPECT_TRUE(cutControls(bench).isEmpty()) << name.toStdString() << ": " << cutControls(bench).join(QStringLiteral(", ")).toStdString();
        const QByteArray bytes(reinterpret_cast<const char*>(image.constBits()), static_cast<qsizetype>(image.sizeInBytes()));
        EXPECT_TRUE(seen.insert(QString::number(qHash(bytes), 16)).second) << name.toStdString() << " looks like another";
    };
    for (int i = 0; i < analysis::kOverlayModes; ++i) {
        OverlayChoices choices;
        choices.mode = static_cast<OverlayMode>(i);
        if (!model.missing(choices.mode).isEmpty()) continue;
        model.setOverlayChoices(choices);
        note(QStringLiteral("mode-%1-%2").arg(i).arg(QString::fromLatin1(toString(choices.mode).data())));
    }
    OverlayChoices choices;
    choices.rank = -1;
    model.setOverlayChoices(choices);
    note(QStringLiteral("split"));
    choices.rank = 0;
    choices.side_by_side = true;
    model.setOverlayChoices(choices);
    note(QStringLiteral("side-by-side"));
    choices.side_by_side = false;
    model.setOverlayChoices(choices);
    for (const int more : {3, 4}) model.addToken(Modality::kVision, more);
    note(QStringLiteral("several"));
    model.chooseRouter(model.shown().router, ExpertIndex(3));
    note(QStringLiteral("expert"));
    if (model.record() && !model.record()->token_texts.empty()) {
        model.chooseToken(Modality::kText, 0);
        note(QStringLiteral("word"));
    }
    bench.workspace->showPage(QStringLiteral("sheet"));
    note(QStringLiteral("sheet"));
}

INSTANTIATE_TEST_SUITE_P(Windows, Pictures,
                         testing::Values(std::pair(QSize(1280, 800), ThemeMode::kLight), std::pair(QSize(1280, 800), ThemeMode::kDark),
                                         std::pair(QSize(1680, 1000), ThemeMode::kLight), std::pair(QSize(1680, 1000), ThemeMode::kDark)));

}  // namespace
}  // namespace es::views

int main(int argc, char** argv) { return es::views::test::runGuiTests(argc, argv); }
