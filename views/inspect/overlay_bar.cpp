// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/overlay_bar.h"

#include <QFileInfo>
#include <QLabel>
#include <algorithm>
#include <array>

#include "views/inspect/token_words.h"
#include "views/widgets/controls.h"

namespace es::views {
namespace {

using analysis::OverlayMode;

constexpr std::array kOwnModes{OverlayMode::kExpert, OverlayMode::kWeight,  OverlayMode::kEntropy,
                               OverlayMode::kMargin, OverlayMode::kDropped, OverlayMode::kAttention};
constexpr std::array kCompareModes{OverlayMode::kProbability, OverlayMode::kChanged, OverlayMode::kDifference};
constexpr std::size_t kMostRuns = 40;  // newest first; more make no list to choose from

QString nameOf(OverlayMode mode) { return QString::fromLatin1(toString(mode).data()); }

}  // namespace

QString toText(const OverlayComparison& comparison) {
    switch (comparison.kind) {
        case OverlayComparison::Kind::kBefore: break;
        case OverlayComparison::Kind::kStep: return QStringLiteral("step %1").arg(comparison.step);
        case OverlayComparison::Kind::kRun: return QStringLiteral("run ") + comparison.run;
    }
    return QStringLiteral("before");
}

OverlayComparison comparisonFromText(const QString& text) {
    OverlayComparison read;
    bool number = false;
    const qint64 step = text.mid(5).toLongLong(&number);
    if (text.startsWith(QLatin1String("step ")) && number) read = {OverlayComparison::Kind::kStep, step, {}};
    else if (text.startsWith(QLatin1String("run ")) && text.size() > 4) read = {OverlayComparison::Kind::kRun, -1, text.mid(4)};
    return read;
}

OverlayBar::OverlayBar(InspectModel* model, QWidget* parent) : QWidget(parent), model_(model) {
    Theme* theme = model_->context().theme;
    auto* row = new FlowLayout(this, 8, 6);
    row->setContentsMargins(0, 0, 0, 0);
    modes_ = new SegmentedControl(theme, this);
    modes_->setObjectName(QStringLiteral("overlayModes"));
    modes_->setAccessibleName(tr("What the overlay shows"));
    QStringList values;
    for (const OverlayMode mode : kOwnModes) values << nameOf(mode);
    modes_->setCompact(true);
    modes_->setChoices({tr("Expert"), tr("Weight"), tr("Entropy"), tr("Margin"), tr("Dropped"), tr("Attention")}, values);
    compare_modes_ = new SegmentedControl(theme, this);
    compare_modes_->setObjectName(QStringLiteral("overlayCompareModes"));
    compare_modes_->setAccessibleName(tr("One expert, or what changed"));
    values.clear();
    for (const OverlayMode mode : kCompareModes) values << nameOf(mode);
    compare_modes_->setCompact(true);
    compare_modes_->setChoices({tr("One expert"), tr("Changed"), tr("Difference")}, values);
    compare_modes_->clearChoice();
    side_by_side_ = makeButton(theme, tr("Side by side"), ButtonKind::kPlain, {}, this);
    side_by_side_->setObjectName(QStringLiteral("overlaySideBySide"));
    side_by_side_->setCheckable(true);
    side_by_side_->setToolTip(tr("The overlay twice: another checkpoint or run at the left, this one at the right, differences outlined"));
    compared_name_ = new QLabel(tr("against"), this);
    compared_name_->setProperty("role", QStringLiteral("muted"));
    compared_name_->setMinimumHeight(theme->metrics().control);
    compared_ = new ChoiceBox(tr("What the overlay is compared with"), false, this);
    compared_->setObjectName(QStringLiteral("overlayCompared"));
    compared_->setMaximumWidth(260);
    for (QWidget* widget : {static_cast<QWidget*>(modes_), static_cast<QWidget*>(compare_modes_), static_cast<QWidget*>(side_by_side_),
                            static_cast<QWidget*>(compared_name_), static_cast<QWidget*>(compared_)})
        row->addWidget(widget);
    QSizePolicy policy(QSizePolicy::Preferred, QSizePolicy::Minimum);
    policy.setHeightForWidth(true);
    setSizePolicy(policy);
    connect(modes_, &SegmentedControl::chosen, this, &OverlayBar::choose);
    connect(compare_modes_, &SegmentedControl::chosen, this, &OverlayBar::choose);
    connect(side_by_side_, &QPushButton::toggled, this, [this](bool on) {
        OverlayChoices choices = model_->overlayChoices();
        choices.side_by_side = on;
        model_->setOverlayChoices(choices);
    });
    connect(compared_, &ChoiceBox::chosen, this, [this](const QString& value) {
        OverlayChoices choices = model_->overlayChoices();
        choices.compared = comparisonFromText(value);
        model_->setOverlayChoices(choices);
    });
}

void OverlayBar::choose(const QString& mode) {
    OverlayChoices choices = model_->overlayChoices();
    choices.mode = analysis::overlayModeFromString(mode.toStdString()).value_or(OverlayMode::kExpert);
    model_->setOverlayChoices(choices);
}

void OverlayBar::fillComparisons() {
    QStringList labels{tr("the checkpoint before")}, values{QStringLiteral("before")};
    for (const std::int64_t step : model_->steps()) {
        if (step == model_->step()) continue;
        labels << tr("step %1").arg(stepText(step));
        values << toText({OverlayComparison::Kind::kStep, step, {}});
    }
    const auto& runs = model_->context().feeds->runs();
    const auto addRun = [&](const QString& folder) {
        const QString value = toText({OverlayComparison::Kind::kRun, -1, folder});
        if (folder == model_->shown().run || values.contains(value)) return;
        labels << tr("run %1").arg(QFileInfo(folder).fileName());
        values << value;
    };
    for (std::size_t i = 0; i < std::min(runs.size(), kMostRuns); ++i)
        if (runs[i].problem.empty() && runs[i].ffn == "moe" && !model_->runsAgain()) addRun(QString::fromStdString(runs[i].folder.string()));
    const OverlayComparison& now = model_->overlayChoices().compared;
    if (now.kind == OverlayComparison::Kind::kRun) addRun(now.run);
    if (now.kind == OverlayComparison::Kind::kStep && !values.contains(toText(now))) {
        labels << tr("step %1 (shown)").arg(stepText(now.step));
        values << toText(now);
    }
    compared_->setChoices(labels, values);
    compared_->setValue(toText(now));
}

void OverlayBar::refresh() {
    const OverlayChoices& choices = model_->overlayChoices();
    const bool of_own = std::find(kOwnModes.begin(), kOwnModes.end(), choices.mode) != kOwnModes.end();
    (of_own ? modes_ : compare_modes_)->setValue(nameOf(choices.mode));
    (of_own ? compare_modes_ : modes_)->clearChoice();
    const QString none = model_->routing() ? QString() : tr("There is no routing to show");
    setDisabledReason(modes_, none);
    setDisabledReason(compare_modes_, none);
    for (const OverlayMode mode : kOwnModes) modes_->setChoiceDisabled(nameOf(mode), model_->missing(mode));
    for (const OverlayMode mode : kCompareModes) compare_modes_->setChoiceDisabled(nameOf(mode), model_->missing(mode));
    side_by_side_->blockSignals(true);
    side_by_side_->setChecked(choices.side_by_side);
    side_by_side_->blockSignals(false);
    const bool possible = choices.side_by_side || model_->steps().size() > 1 || choices.compared.kind == OverlayComparison::Kind::kRun ||
                          model_->context().feeds->runs().size() > 1;
    setDisabledReason(side_by_side_, !none.isEmpty() ? none : possible ? QString() : tr("There is one checkpoint and one run only"));
    const bool compares = model_->routing() && model_->comparing();
    compared_name_->setVisible(compares);
    compared_->setVisible(compares);
    if (compares) fillComparisons();
}

}  // namespace es::views
