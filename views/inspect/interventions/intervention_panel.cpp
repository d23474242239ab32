// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/interventions/intervention_panel.h"

#include <QHBoxLayout>
#include <QHeaderView>
#include <QKeyEvent>
#include <QSignalBlocker>
#include <QVBoxLayout>
#include <algorithm>

#include "analysis/figures/wording.h"
#include "views/inspect/interventions/intervention_words.h"
#include "views/inspect/token_words.h"
#include "views/plots/plot_panel.h"
#include "views/widgets/flow_layout.h"

namespace es::views {
namespace {

using session::InterventionKind;
using InterventionScope = InterventionChoice::Scope;
constexpr InterventionKind kKinds[] = {InterventionKind::kBan,  InterventionKind::kForce,        InterventionKind::kSilence,
                                       InterventionKind::kSwap, InterventionKind::kRandomRouter, InterventionKind::kOtherK};
constexpr int kPollMs = 100;
constexpr int kListRows = 4, kSamplesNamed = 5, kTableRows = 9;

QString interventionKey(InterventionKind kind) { return QString::fromLatin1(toString(kind).data(), static_cast<qsizetype>(toString(kind).size())); }

QLabel* wrappedLabel(const char* role, QWidget* parent) {
    auto* made = new QLabel(parent);
    made->setProperty("role", QString::fromLatin1(role));
    made->setWordWrap(true);
    return made;
}

}  // namespace

InterventionPanel::InterventionPanel(InspectModel* model, QWidget* parent) : InspectPart(parent), model_(new InterventionModel(model, this)) {
    setObjectName(QStringLiteral("interventionPanel"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 8, 0, 0);
    column->setSpacing(6);
    auto* title = new QLabel(tr("Intervene"), this);
    title->setProperty("role", QStringLiteral("strong"));
    auto* heading = new QHBoxLayout;
    heading->setSpacing(model->context().theme->metrics().space2);
    heading->addWidget(title);
    heading->addStretch(1);
    column->addLayout(heading);
    makeControls();
    heading->addWidget(scope_);
    heading->addWidget(set_);
    makeHeadline();
    makeResult();
    poll_.setInterval(kPollMs);
    connect(&poll_, &QTimer::timeout, this, &InterventionPanel::refreshResult);
    connect(model_, &InterventionModel::changed, this, &InterventionPanel::refresh);
    connect(model_, &InterventionModel::resultsChanged, this, &InterventionPanel::refreshList);
    connect(model->context().theme, &Theme::changed, this, [this] {
        drawn_ = 0;
        refreshResult();
    });
    refreshList();
    refresh();
}

void InterventionPanel::makeControls() {
    Theme* theme = model_->inspect()->context().theme;
    auto* column = static_cast<QVBoxLayout*>(layout());
    controls_ = new QWidget(this);
    auto* flow = new FlowLayout(controls_, theme->metrics().space2, theme->metrics().space1 + 2);
    kinds_ = new SegmentedControl(theme, controls_);
    kinds_->setObjectName(QStringLiteral("interventionKind"));
    kinds_->setAccessibleName(tr("Intervention"));
    kinds_->setCompact(true);
    QStringList titles, keys;
    for (const InterventionKind kind : kKinds) {
        titles << kindTitle(kind);
        keys << interventionKey(kind);
    }
    kinds_->setChoices(titles, keys);
    scope_ = new ChoiceBox(tr("What is run"), true, controls_);
    scope_->setObjectName(QStringLiteral("interventionScope"));
    scope_->setChoices({tr("this sample"), tr("selected tokens"), tr("held-out samples")},
                       {QStringLiteral("sample"), QStringLiteral("tokens"), QStringLiteral("held_out")});
    set_ = new ChoiceBox(tr("Which held-out samples"), true, controls_);
    set_->setObjectName(QStringLiteral("interventionSet"));
    set_->setToolTip(tr("All held-out samples, or those of a set that is saved with the run (search for samples, then save the query)"));
    number_name_ = new QLabel(controls_);
    number_name_->setProperty("role", QStringLiteral("muted"));
    number_ = new QSpinBox(controls_);
    number_->setObjectName(QStringLiteral("interventionNumber"));
    flow->addWidget(kinds_);
    flow->addWidget(number_name_);
    flow->addWidget(number_);
    column->addWidget(controls_);

    auto* row = new QHBoxLayout;
    chips_ = new QWidget(this);
    chips_made_ =
        std::make_unique<ReusedWidgets<Chip>>(new FlowLayout(chips_, theme->metrics().space1 + 2, theme->metrics().space1 + 2), [this](std::size_t place) {
            auto* chip = new Chip(model_->inspect()->context().theme, {}, analysis::ColorRole{analysis::ColorRole::Kind::kExpert, 0}, chips_);
            const auto stays = [this, place] { return std::find(pinned_of_.begin(), pinned_of_.end(), chips_of_[place]) != pinned_of_.end(); };
            connect(chip, &Chip::removeRequested, this, [this, place] { model_->unpin(chips_of_[place].first, chips_of_[place].second); });
            connect(chip, &QAbstractButton::clicked, this, [this, place, stays] {
                const auto [router, expert] = chips_of_[place];
                if (stays()) model_->unpin(router, expert);
                else model_->pin(router, expert);
            });
            return chip;
        });
    row->addWidget(chips_, 1);
    row->setSpacing(theme->metrics().space2);
    run_ = makeButton(theme, tr("Run again"), ButtonKind::kPrimary, QStringLiteral("play"), this);
    run_->setObjectName(QStringLiteral("interventionRun"));
    run_->setToolTip(tr("Run with the interventions (Ctrl+Return in this panel)"));
    cancel_ = makeButton(theme, tr("Cancel"), ButtonKind::kPlain, {}, this);
    cancel_->setObjectName(QStringLiteral("interventionCancel"));
    progress_ = new QLabel(this);
    progress_->setProperty("role", QStringLiteral("muted"));
    row->addWidget(run_, 0, Qt::AlignTop);
    row->addWidget(cancel_, 0, Qt::AlignTop);
    column->addLayout(row);
    hint_ = wrappedLabel("muted", this);
    column->addWidget(hint_);
    column->addWidget(progress_);

    connect(kinds_, &SegmentedControl::chosen, this, [this](const QString& key) {
        InterventionChoice next = model_->choice();
        for (const InterventionKind kind : kKinds)
            if (interventionKey(kind) == key) next.kind = kind;
        if (next.kind == InterventionKind::kOtherK) next.number = std::max(1, next.number);
        model_->choose(next, tr("Choose “%1”").arg(kindTitle(next.kind)));
    });
    connect(scope_, &ChoiceBox::chosen, this, [this](const QString& key) {
        InterventionChoice next = model_->choice();
        next.scope = key == QLatin1String("tokens")     ? InterventionScope::kTokens
                     : key == QLatin1String("held_out") ? InterventionScope::kHeldOut
                                                        : InterventionScope::kSample;
        model_->choose(next, tr("Intervene on %1").arg(scope_->currentText()));
    });
    connect(set_, &ChoiceBox::chosen, this, [this](const QString& name) {
        InterventionChoice next = model_->choice();
        next.set = name;
        model_->choose(next, name.isEmpty() ? tr("Intervene on all held-out samples") : tr("Intervene on the set “%1”").arg(name));
    });
    connect(number_, &QSpinBox::valueChanged, this, [this](int value) {
        InterventionChoice next = model_->choice();
        next.number = value;
        model_->choose(next, tr("Intervene with %1").arg(value));
    });
    connect(run_, &QPushButton::clicked, model_, &InterventionModel::run);
    connect(cancel_, &QPushButton::clicked, model_, &InterventionModel::cancel);
}

void InterventionPanel::makeHeadline() {
    Theme* theme = model_->inspect()->context().theme;
    headline_ = new QWidget(this);
    headline_->setObjectName(QStringLiteral("interventionHeadline"));
    auto* column = new QVBoxLayout(headline_);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(theme->metrics().space1);
    auto* line = new QFrame(headline_);
    line->setProperty("divider", true);
    column->addWidget(line);
    auto* row = new QHBoxLayout;
    row->setSpacing(theme->metrics().space1);
    title_ = new ElidedLabel({}, headline_);
    title_->setObjectName(QStringLiteral("interventionTitle"));
    title_->setProperty("role", QStringLiteral("strong"));
    sides_ = new SegmentedControl(theme, headline_);
    sides_->setObjectName(QStringLiteral("interventionSides"));
    sides_->setAccessibleName(tr("Which routing the overlay shows"));
    sides_->setCompact(true);
    sides_->setChoices({tr("Before"), tr("After")}, {QStringLiteral("before"), QStringLiteral("after")});
    plain_ = new IconButton(theme, QStringLiteral("undo"), tr("Back to the routing as it is"), headline_);
    plain_->setObjectName(QStringLiteral("interventionPlain"));
    row->addWidget(title_, 1);
    row->addWidget(sides_);
    row->addWidget(plain_);
    column->addLayout(row);
    result_ = new QLabel(headline_);
    result_->setObjectName(QStringLiteral("interventionResult"));
    result_->setWordWrap(true);
    result_->setTextFormat(Qt::RichText);
    result_->setFont(theme->font(Theme::FontRole::kSecondary));
    result_->setTextInteractionFlags(Qt::TextSelectableByMouse);
    column->addWidget(result_);
    headline_->hide();
    connect(sides_, &SegmentedControl::chosen, this, [this](const QString& side) { model_->setShowsBefore(side == QLatin1String("before")); });
    connect(plain_, &QToolButton::clicked, this, [this] { model_->show(0); });
}

void InterventionPanel::makeResult() {
    Theme* theme = model_->inspect()->context().theme;
    auto* column = static_cast<QVBoxLayout*>(layout());
    error_ = wrappedLabel("bad", this);
    error_->setObjectName(QStringLiteral("interventionError"));
    error_->setTextInteractionFlags(Qt::TextSelectableByMouse);
    routers_ = wrappedLabel("muted", this);
    table_ = new TableView(theme, this);
    table_->setObjectName(QStringLiteral("interventionTable"));
    table_->setAccessibleName(tr("Losses before and after"));
    samples_ = wrappedLabel("muted", this);
    samples_->setObjectName(QStringLiteral("interventionSamples"));
    samples_->setTextFormat(Qt::RichText);
    samples_->setTextInteractionFlags(Qt::LinksAccessibleByMouse | Qt::LinksAccessibleByKeyboard);
    connect(samples_, &QLabel::linkActivated, this, [this](const QString& link) { model_->inspect()->chooseSample(link.toULongLong(nullptr, 16)); });
    auto* heading = new QHBoxLayout;
    kept_title_ = new QLabel(this);
    kept_title_->setProperty("role", QStringLiteral("muted"));
    forget_ = new IconButton(theme, QStringLiteral("trash"), tr("Remove the result (Delete)"), this);
    forget_->setObjectName(QStringLiteral("interventionForget"));
    heading->addWidget(kept_title_, 1);
    heading->addWidget(forget_);
    list_ = new QListWidget(this);
    list_->setObjectName(QStringLiteral("interventionList"));
    list_->setAccessibleName(tr("Kept results"));
    list_->setFrameShape(QFrame::NoFrame);
    list_->setUniformItemSizes(true);
    list_->setTextElideMode(Qt::ElideRight);
    list_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    for (QWidget* part : {static_cast<QWidget*>(error_), static_cast<QWidget*>(routers_), static_cast<QWidget*>(table_), static_cast<QWidget*>(samples_)})
        column->addWidget(part);
    column->addLayout(heading);
    column->addWidget(list_);
    const auto open = [this](QListWidgetItem* item) {
        if (item) model_->show(item->data(Qt::UserRole).toLongLong());
    };
    connect(list_, &QListWidget::itemClicked, this, open);
    connect(list_, &QListWidget::itemActivated, this, open);
    connect(forget_, &QToolButton::clicked, this, [this] {
        if (const auto* item = list_->currentItem()) model_->remove(item->data(Qt::UserRole).toLongLong());
    });
}

void InterventionPanel::keyPressEvent(QKeyEvent* event) {
    const bool enter = event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter;
    if (enter && event->modifiers().testFlag(Qt::ControlModifier)) return model_->run();
    if (event->key() == Qt::Key_Escape && model_->running()) return model_->cancel();
    if (event->key() == Qt::Key_Delete && list_->hasFocus() && list_->currentItem())
        return model_->remove(list_->currentItem()->data(Qt::UserRole).toLongLong());
    InspectPart::keyPressEvent(event);
}

void InterventionPanel::refreshChips() {
    const auto experts = model_->experts();
    const auto& pinned = model_->choice().experts;
    if (experts == chips_of_ && pinned == pinned_of_) return;
    chips_of_ = experts;
    pinned_of_ = pinned;
    chips_made_->resize(experts.size());
    for (std::size_t i = 0; i < experts.size(); ++i) {
        const auto& [id, expert] = experts[i];
        const auto* router = model_->inspect()->contents().router(id);
        const QString name = tr("%1 · %2").arg(expert).arg(QString::fromStdString(analysis::routerLabel(*router)));
        const bool stays = std::find(pinned.begin(), pinned.end(), experts[i]) != pinned.end();
        Chip* chip = (*chips_made_)[i];
        chip->setText(name);
        chip->setDot(analysis::ColorRole{analysis::ColorRole::Kind::kExpert, expert});
        chip->setRemovable(stays);
        chip->setAccessibleName(stays ? tr("Take expert %1 out").arg(name) : tr("Keep expert %1 for the intervention").arg(name));
        chip->setToolTip(stays ? tr("Click to take it out") : tr("The selected expert. Click to keep it while you choose another one"));
    }
}

void InterventionPanel::refresh() {
    const InterventionChoice& choice = model_->choice();
    const InspectModel& inspect = *model_->inspect();
    setVisible(inspect.runPart() == InspectModel::Part::kReady && !inspect.contents().routers.empty());
    kinds_->setValue(interventionKey(choice.kind));
    kinds_->setToolTip(kindHelp(choice.kind));
    scope_->setValue(choice.scope == InterventionScope::kTokens    ? QStringLiteral("tokens")
                     : choice.scope == InterventionScope::kHeldOut ? QStringLiteral("held_out")
                                                                   : QStringLiteral("sample"));
    set_->setVisible(choice.scope == InterventionScope::kHeldOut);
    QStringList sets = model_->sets();
    if (!choice.set.isEmpty() && !sets.contains(choice.set)) sets << choice.set;  // it is gone, and unavailable() says so
    set_->setChoices(QStringList{tr("all of them")} + sets, QStringList{QString()} + sets);
    set_->setValue(choice.set);
    setDisabledReason(set_, sets.isEmpty() ? tr("No set is saved with this run: search for samples, then save the query") : QString());
    const bool numbered = !model_->takesExperts();
    number_name_->setVisible(numbered);
    number_->setVisible(numbered);
    if (numbered) {
        const bool other_k = choice.kind == InterventionKind::kOtherK;
        const auto* router = inspect.currentRouter();
        const QSignalBlocker quiet(number_);
        number_name_->setText(other_k ? tr("k of %1").arg(router ? QString::fromStdString(analysis::routerLabel(*router)) : QString())
                                      : tr("draw, %1").arg(router ? QString::fromStdString(analysis::routerLabel(*router)) : QString()));
        number_->setRange(other_k ? 1 : 0, other_k && router ? std::max(1, router->experts) : 999);
        number_->setAccessibleName(other_k ? tr("Experts to choose") : tr("Number of the draw"));
        number_->setValue(choice.number);
    }
    chips_->setVisible(!numbered);
    if (!numbered) refreshChips();
    const QString why = model_->unavailable();
    setDisabledReason(run_, model_->running() ? tr("It is running") : why);
    hint_->setText(why);  // what a kind does is its tooltip
    hint_->setVisible(!why.isEmpty());
    cancel_->setVisible(model_->running());
    if (model_->running() && !poll_.isActive()) poll_.start();
    if (!model_->running()) poll_.stop();
    refreshResult();
}

void InterventionPanel::refreshResult() {
    const Progress progress = model_->progress();
    progress_->setVisible(model_->running());
    progress_->setText(progress.total > 0 ? tr("%1 · %2 of %3").arg(QString::fromStdString(progress.label)).arg(progress.done).arg(progress.total)
                                          : QString::fromStdString(progress.label));
    error_->setVisible(model_->error().has_value());
    if (model_->error()) error_->setText(QString::fromStdString(model_->error()->message()));
    const store::KeptResult* kept = model_->shown();
    const bool of_sample = kept && kept->sample;
    sides_->setVisible(of_sample && model_->drawable(*kept) && !model_->running());
    sides_->setValue(model_->showsBefore() ? QStringLiteral("before") : QStringLiteral("after"));
    plain_->setVisible(kept != nullptr && !model_->running());
    headline_->setVisible(kept != nullptr && !isHidden());
    routers_->setVisible(kept != nullptr);
    const bool set = kept && !kept->sample;
    table_->setVisible(set && model_->effects());
    samples_->setVisible(set && model_->effects());
    for (int i = 0; i < list_->count(); ++i)
        if (kept && list_->item(i)->data(Qt::UserRole).toLongLong() == kept->id && list_->currentRow() != i) list_->setCurrentRow(i);
    setDisabledReason(forget_, list_->currentItem() ? QString() : tr("Choose a result first"));
    if (!kept) {
        drawn_ = 0;
        return;
    }
    QString routers = routerWordsOf(*kept);
    if (of_sample && !model_->drawable(*kept))
        routers += tr(" — step %1 is not on screen: choose the result again to go there").arg(stepText(kept->checkpoint));
    routers_->setText(routers);
    const ResultEffects* effects = model_->effects();
    if (drawn_ == kept->id && (effects != nullptr) == has_effects_) return;
    drawn_ = kept->id;
    has_effects_ = effects != nullptr;
    // Its caption stands above the overlay; beside the recipe it would leave no room for it.
    title_->setText(recipeWords(*kept) + QStringLiteral(" · ") + (of_sample ? tr("this sample") : scopeWords(*kept)));
    if (!effects) {
        result_->setText(tr("comparing losses…"));
        return;
    }
    const ThemeColors& colors = model_->inspect()->context().theme->colors();
    QStringList lines{resultLine(*kept)};
    if (const QString families = familyWords(effects->losses); !families.isEmpty()) lines.prepend(families);
    const ResultColors inks{Theme::legible(colors.bad, colors.panel).name(), Theme::legible(colors.good, colors.panel).name(), colors.muted.name()};
    result_->setText(lossLines(*kept, effects->losses, inks) +
                     QStringLiteral("<span style=\"color:%1\">%2</span>").arg(inks.muted, lines.join(QStringLiteral(" · "))));
    if (!set) return;
    const analysis::ClassEffects& classes = effects->classes;
    table_->setPanel(effectTable(effects->losses, classes));
    const int rows = std::min(kTableRows, static_cast<int>(table_->panel()->rows.size()));
    table_->setFixedHeight(table_->horizontalHeader()->sizeHint().height() + rows * model_->inspect()->context().theme->metrics().row + 2);
    QStringList links;
    const auto& by_sample = effects->samples;
    for (std::size_t i = 0; i < std::min<std::size_t>(kSamplesNamed, by_sample.size()); ++i) {
        const auto& one = by_sample[i];
        QString name = one.caption.empty() ? tr("without caption") : QString::fromStdString(one.caption);
        if (name.size() > 32) name = name.left(31) + QChar(0x2026);
        const QString change = tr("%1 → %2").arg(numberText(one.without), numberText(one.with));
        links << (model_->inspect()->contents().find(one.sample)
                      ? QStringLiteral("<a style=\"color:%4\" href=\"%1\">%2</a> %3")
                            .arg(QString::number(one.sample, 16), name.toHtmlEscaped(), change, Theme::legible(colors.accent, colors.panel).name())
                      : QStringLiteral("%1 %2").arg(name.toHtmlEscaped(), change));
    }
    QString more;
    if (classes.small > 0) more = tr(" %n classes with fewer than 5 samples are not shown.", nullptr, static_cast<int>(classes.small));
    samples_->setText(tr("95 % intervals over paired samples, near-copies counted once; those of classes hold together.%1 Changed most: %2")
                          .arg(more, links.join(QStringLiteral(", "))));
}

void InterventionPanel::refreshList() {
    Theme* theme = model_->inspect()->context().theme;
    const QSignalBlocker quiet(list_);
    list_->clear();
    const auto& results = model_->results();
    for (auto result = results.rbegin(); result != results.rend(); ++result) {
        QString words = recipeWords(*result) + QStringLiteral(" — ") + scopeWords(*result);
        if (result->id < 0) words += tr(" (not kept)");
        auto* item = new QListWidgetItem(words, list_);
        item->setData(Qt::UserRole, static_cast<qlonglong>(result->id));
        item->setSizeHint({0, theme->metrics().row});
        item->setToolTip(words + (result->program_version.empty() ? QString() : tr("\nprogram %1").arg(QString::fromStdString(result->program_version))));
    }
    kept_title_->setText(results.empty() ? tr("Results are kept with the run and listed here") : tr("Kept with the run"));
    list_->setVisible(!results.empty());
    forget_->setVisible(!results.empty());
    list_->setFixedHeight(std::min(kListRows, std::max(1, list_->count())) * theme->metrics().row + 4);
    drawn_ = 0;
    refreshResult();
}

QJsonArray InterventionPanel::dump() const {
    QJsonArray kept;
    for (const auto& result : model_->results())
        kept.append(QJsonObject{{QStringLiteral("id"), static_cast<qint64>(result.id)}, {QStringLiteral("recipe"), recipeWords(result)}});
    QJsonObject data{{QStringLiteral("kind"), interventionKey(model_->choice().kind)},
                     {QStringLiteral("scope"), scope_->value()},
                     {QStringLiteral("set"), model_->choice().set},
                     {QStringLiteral("kept"), kept}};
    if (const store::KeptResult* shown = model_->shown()) {
        QJsonArray losses;
        if (const ResultEffects* effects = model_->effects())
            for (const auto& effect : effects->losses)
                losses.append(QJsonObject{{QStringLiteral("loss"), QString::fromStdString(effect.loss)},
                                          {QStringLiteral("without"), effect.without},
                                          {QStringLiteral("with"), effect.with},
                                          {QStringLiteral("low"), std::isfinite(effect.low) ? QJsonValue(effect.low) : QJsonValue()},
                                          {QStringLiteral("high"), std::isfinite(effect.high) ? QJsonValue(effect.high) : QJsonValue()},
                                          {QStringLiteral("n"), static_cast<qint64>(effect.units)},
                                          {QStringLiteral("samples"), static_cast<qint64>(effect.samples)}});
        data[QStringLiteral("shown")] = QJsonObject{{QStringLiteral("recipe"), recipeWords(*shown)},
                                                    {QStringLiteral("rerouted"), static_cast<qint64>(analysis::reroutedTokens(*shown))},
                                                    {QStringLiteral("losses"), losses}};
    }
    const QString state = model_->running() ? QStringLiteral("loading") : model_->error() ? QStringLiteral("failed") : QStringLiteral("ready");
    return {QJsonObject{{QStringLiteral("name"), QStringLiteral("interventions")}, {QStringLiteral("state"), state}, {QStringLiteral("data"), data}}};
}

std::vector<PaletteEntry> InterventionPanel::paletteEntries() {
    std::vector<PaletteEntry> entries;
    if (model_->unavailable().isEmpty()) entries.push_back({tr("Run with the chosen intervention"), tr("Inspect"), [this] { model_->run(); }});
    if (model_->shown()) entries.push_back({tr("Show the routing without the intervention"), tr("Inspect"), [this] { model_->show(0); }});
    for (const auto& result : model_->results())
        entries.push_back({recipeWords(result), tr("Kept result · %1").arg(scopeWords(result)), [this, id = result.id] { model_->show(id); }});
    return entries;
}

}  // namespace es::views
