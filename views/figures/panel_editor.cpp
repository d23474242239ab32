// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/figures/panel_editor.h"

#include <QFileInfo>
#include <QScrollArea>
#include <QVBoxLayout>
#include <algorithm>

#include "analysis/figures/train_panels.h"
#include "views/export/page_renderer.h"

namespace es::views {

namespace {

constexpr int kMergeTitle = 1;

/// "eval_step" -> "Eval step": parameters are few and their names are words.
QString wordsOf(const std::string& name) {
    QString text = QString::fromStdString(name);
    text.replace(QLatin1Char('_'), QLatin1Char(' '));
    return text.isEmpty() ? text : text.at(0).toUpper() + text.mid(1);
}

bool sameRun(const QString& folder, const std::string& run) { return QFileInfo(folder) == QFileInfo(QString::fromStdString(run)); }

}  // namespace

PanelEditor::PanelEditor(const WorkspaceContext& context, QWidget* parent) : PanelFrame(context.theme, tr("Panel"), parent), context_(&context) {
    setObjectName(QStringLiteral("panelEditor"));
    auto* body = new QWidget;
    auto* layout = new QVBoxLayout(body);
    layout->setContentsMargins(12, 8, 12, 10);
    layout->setSpacing(6);
    const auto caption = [&](const QString& text) {
        auto* label = new QLabel(text);
        label->setProperty("role", QStringLiteral("muted"));
        layout->addWidget(label);
        return label;
    };
    kind_ = new QComboBox;
    kind_->setObjectName(QStringLiteral("panelKind"));
    kind_->setAccessibleName(tr("What the panel shows"));
    kind_->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    kind_->setMinimumContentsLength(8);
    for (const auto& one : analysis::panelKinds()) {
        kind_->addItem(QString::fromStdString(one.title), QString::fromStdString(one.name));
        kind_->setItemData(kind_->count() - 1, QString::fromStdString(one.help), Qt::ToolTipRole);
    }
    layout->addWidget(kind_);
    help_ = caption({});
    help_->setWordWrap(true);
    title_ = new QLineEdit;
    title_->setObjectName(QStringLiteral("panelTitle"));
    title_->setAccessibleName(tr("Title of the panel"));
    title_->setPlaceholderText(tr("Title: the query's own"));
    layout->addWidget(title_);
    caption(tr("Runs"));
    runs_ = new QListWidget;
    runs_->setObjectName(QStringLiteral("panelRuns"));
    runs_->setAccessibleName(tr("Runs of the panel"));
    runs_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    runs_->setTextElideMode(Qt::ElideMiddle);
    runs_->setMinimumHeight(84);
    layout->addWidget(runs_, 1);
    parameter_box_ = new QWidget;
    parameters_ = new QFormLayout(parameter_box_);
    parameters_->setContentsMargins(0, 0, 0, 0);
    parameters_->setSpacing(6);
    parameters_->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    layout->addWidget(parameter_box_);
    earlier_ = addTool(QStringLiteral("chevron-left"), tr("Earlier on the page"), [this] { Q_EMIT moveRequested(-1); });
    later_ = addTool(QStringLiteral("chevron-right"), tr("Later on the page"), [this] { Q_EMIT moveRequested(1); });
    remove_ = addTool(QStringLiteral("trash"), tr("Remove from the page"), [this] { Q_EMIT removeRequested(); });
    remove_->setObjectName(QStringLiteral("removePanel"));

    auto* scroll = new QScrollArea;
    scroll->setWidgetResizable(true);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll->setWidget(body);
    setContent(scroll);

    connect(kind_, &QComboBox::activated, this, [this] {
        query_.kind = kind_->currentData().toString().toStdString();
        // Parameters that the new kind does not know would make the recipe invalid.
        const auto* now = kind();
        for (auto it = query_.parameters.begin(); it != query_.parameters.end();)
            it = now && std::find(now->parameters.begin(), now->parameters.end(), it->first) == now->parameters.end() ? query_.parameters.erase(it)
                                                                                                                      : std::next(it);
        Q_EMIT edited(query_, tr("Change what the panel shows"), -1);
    });
    connect(title_, &QLineEdit::textEdited, this, [this](const QString& text) {
        query_.title = text.toStdString();
        Q_EMIT edited(query_, tr("Change the panel's title"), kMergeTitle);
    });
    connect(runs_, &QListWidget::itemChanged, this, [this](QListWidgetItem* item) {
        if (filling_) return;
        const QString folder = item->data(Qt::UserRole).toString();
        auto& runs = query_.runs;
        runs.erase(std::remove_if(runs.begin(), runs.end(), [&](const std::string& run) { return sameRun(folder, run); }), runs.end());
        if (item->checkState() == Qt::Checked) runs.push_back(folder.toStdString());
        Q_EMIT edited(query_, tr("Change the panel's runs"), -1);
    });
    setQuery(-1, 0, {});
}

const analysis::PanelKind* PanelEditor::kind() const {
    for (const auto& one : analysis::panelKinds())
        if (one.name == query_.kind) return &one;
    return nullptr;
}

void PanelEditor::setQuery(int index, int panels, const analysis::PanelQuery& query) {
    const bool same = index == index_ && query == query_ && panels == panels_;
    index_ = index;
    panels_ = panels;
    query_ = query;
    if (same && index >= 0) return;
    fill();
}

void PanelEditor::refreshRuns() {
    // The hub lists anew every two seconds: the list is touched only when there is another run to tick.
    if (index_ >= 0 && known_ != knownRuns()) fillRuns();
}

QStringList PanelEditor::knownRuns() const {
    QStringList folders;
    for (const auto& run : context_->feeds->runs()) folders.append(QString::fromStdString(run.folder.string()));
    return folders;
}

void PanelEditor::fill() {
    if (index_ < 0) {
        setTitle(tr("Panel"));
        for (IconButton* tool : {earlier_, later_, remove_}) setDisabledReason(tool, tr("Choose a panel on the page first"));
        showEmpty(tr("No panel is chosen"), tr("Click one on the page to see and change what it asks of which runs."), {}, QStringLiteral("crosshair"));
        return;
    }
    setTitle(tr("Panel (%1)").arg(page::panelLetter(static_cast<std::size_t>(index_))));
    filling_ = true;
    kind_->setCurrentIndex(kind_->findData(QString::fromStdString(query_.kind)));
    help_->setText(kind() ? QString::fromStdString(kind()->help) : QString());
    if (title_->text().toStdString() != query_.title) title_->setText(QString::fromStdString(query_.title));
    filling_ = false;
    fillRuns();
    fillParameters();
    setDisabledReason(earlier_, index_ > 0 ? QString() : tr("It is the first panel"));
    setDisabledReason(later_, index_ + 1 < panels_ ? QString() : tr("It is the last panel"));
    setDisabledReason(remove_, {});
    showReady();
}

void PanelEditor::fillRuns() {
    filling_ = true;
    known_ = knownRuns();
    runs_->clear();
    const auto add = [&](const QString& name, const QString& folder, bool checked) {
        auto* item = new QListWidgetItem(name, runs_);
        item->setData(Qt::UserRole, folder);
        item->setToolTip(folder);
        item->setFlags(Qt::ItemIsEnabled | Qt::ItemIsSelectable | Qt::ItemIsUserCheckable);
        item->setCheckState(checked ? Qt::Checked : Qt::Unchecked);
    };
    // The panel's own first, in their order, which is the order of a comparison's sides; then what else there is.
    for (const std::string& run : query_.runs) {
        QString name = QFileInfo(QString::fromStdString(run)).fileName();
        if (!QFileInfo::exists(QString::fromStdString(run))) name += tr(" (not there)");
        add(name, QString::fromStdString(run), true);
    }
    for (const auto& run : context_->feeds->runs()) {
        const QString folder = QString::fromStdString(run.folder.string());
        if (std::any_of(query_.runs.begin(), query_.runs.end(), [&](const std::string& own) { return sameRun(folder, own); })) continue;
        add(tr("%1 · seed %2").arg(QString::fromStdString(run.name)).arg(run.seed), folder, false);
    }
    filling_ = false;
}

QStringList PanelEditor::choicesOf(const std::string& parameter) const {
    if (parameter == "x" || parameter == "axis") {
        QStringList axes;
        for (const auto axis : {analysis::XAxis::kStep, analysis::XAxis::kSamples, analysis::XAxis::kTokens, analysis::XAxis::kTime,
                                analysis::XAxis::kActiveFlops, analysis::XAxis::kTotalFlops})
            axes.append(QString::fromUtf8(toString(axis).data(), static_cast<qsizetype>(toString(axis).size())));
        return axes;
    }
    if (parameter == "modality") return {QStringLiteral("vision"), QStringLiteral("text")};
    if (parameter == "mode")
        return {QStringLiteral("expert"), QStringLiteral("weight"), QStringLiteral("entropy"), QStringLiteral("margin"), QStringLiteral("dropped")};
    if (parameter == "router" || parameter == "from" || parameter == "to" || parameter == "layer") {
        QStringList found;
        for (const std::string& run : query_.runs) {
            const auto reader = context_->feeds->feed(QString::fromStdString(run))->reader();
            if (!reader) continue;
            for (const auto& router : reader->routers()) {
                const QString name = parameter == "layer" ? QString::number(router.layer.value) : QString::fromStdString(analysis::routerName(router));
                if (!found.contains(name)) found.append(name);
            }
        }
        return found;
    }
    return {};
}

void PanelEditor::fillParameters() {
    while (parameters_->rowCount() > 0) parameters_->removeRow(0);
    const auto* now = kind();
    if (!now) return;
    for (const std::string& name : now->parameters) {
        const auto found = query_.parameters.find(name);
        const QString value = found == query_.parameters.end() ? QString() : QString::fromStdString(found->second);
        const QStringList choices = choicesOf(name);
        auto* label = new QLabel(wordsOf(name));
        label->setProperty("role", QStringLiteral("muted"));
        if (choices.isEmpty()) {
            auto* field = new QLineEdit(value);
            field->setPlaceholderText(name == "step" ? tr("newest") : tr("as usual"));
            field->setAccessibleName(wordsOf(name));
            connect(field, &QLineEdit::editingFinished, this, [this, name, field] { editParameter(name, field->text().trimmed()); });
            parameters_->addRow(label, field);
        } else {
            auto* field = new QComboBox;
            field->setAccessibleName(wordsOf(name));
            field->addItem(tr("as usual"), QString());
            for (const QString& choice : choices) field->addItem(choice, choice);
            if (!value.isEmpty() && !choices.contains(value)) field->addItem(value, value);
            field->setCurrentIndex(std::max(0, field->findData(value)));
            connect(field, &QComboBox::activated, this, [this, name, field] { editParameter(name, field->currentData().toString()); });
            parameters_->addRow(label, field);
        }
    }
}

void PanelEditor::editParameter(const std::string& name, const QString& value) {
    const auto found = query_.parameters.find(name);
    if ((found == query_.parameters.end() ? std::string() : found->second) == value.toStdString()) return;
    if (value.isEmpty()) query_.parameters.erase(name);
    else query_.parameters[name] = value.toStdString();
    Q_EMIT edited(query_, tr("Change the panel's %1").arg(wordsOf(name).toLower()), -1);
}

}  // namespace es::views
