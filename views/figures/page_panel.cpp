// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/figures/page_panel.h"

#include <QDir>
#include <QFileDialog>
#include <QFileInfo>
#include <QFormLayout>
#include <QJsonArray>
#include <QScrollArea>
#include <algorithm>

#include "views/export/page_fonts.h"
#include "views/export/recipe_renderer.h"
#include "views/widgets/flow_layout.h"
#include "views/widgets/status_dot.h"

namespace es::views {

namespace {

constexpr int kMergeWidth = 11, kMergeHeight = 12, kMergeFont = 13, kMergeColumns = 14;

QString quoted(const QString& word) {
    static const QString plain = QStringLiteral("/._-+:=@%,");
    const bool safe = !word.isEmpty() && std::all_of(word.begin(), word.end(), [](QChar c) { return c.isLetterOrNumber() || plain.contains(c); });
    QString escaped = word;
    return safe ? word : QLatin1Char('\'') + escaped.replace(QLatin1Char('\''), QStringLiteral("'\\''")) + QLatin1Char('\'');
}

/// Shorter from here where it lies below, else whole.
QString fromHere(const QString& path) {
    const QString relative = QDir::current().relativeFilePath(path);
    return relative.startsWith(QStringLiteral("..")) ? path : relative.isEmpty() ? QStringLiteral(".") : relative;
}

QDoubleSpinBox* number(double low, double high, double step, const QString& suffix, const QString& name) {
    auto* box = new QDoubleSpinBox;
    box->setRange(low, high);
    box->setDecimals(1);
    box->setSingleStep(step);
    box->setSuffix(suffix);
    box->setAccessibleName(name);
    box->setKeyboardTracking(false);
    box->setMinimumWidth(84);
    return box;
}

}  // namespace

PagePanel::PagePanel(const WorkspaceContext& context, QWidget* parent) : PanelFrame(context.theme, tr("Page and export"), parent), context_(&context) {
    setObjectName(QStringLiteral("pagePanel"));
    auto* body = new QWidget;
    auto* layout = new QVBoxLayout(body);
    layout->setContentsMargins(12, 8, 12, 10);
    layout->setSpacing(5);
    const auto heading = [&](const QString& text) {
        auto* label = new QLabel(text);
        label->setProperty("role", QStringLiteral("strong"));
        layout->addSpacing(6);
        layout->addWidget(label);
    };
    auto* form = new QFormLayout;
    form->setSpacing(5);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    const auto row = [&](const QString& name, QWidget* field) {
        auto* label = new QLabel(name);
        label->setProperty("role", QStringLiteral("muted"));
        form->addRow(label, field);
    };
    const auto pair = [&](QWidget* a, QWidget* b, int first = 1, int second = 1) {
        auto* both = new QWidget;
        auto* line = new QHBoxLayout(both);
        line->setContentsMargins(0, 0, 0, 0);
        line->setSpacing(5);
        line->addWidget(a, first);
        line->addWidget(b, second);
        return both;
    };
    preset_ = new QComboBox;
    preset_->setObjectName(QStringLiteral("pagePreset"));
    preset_->setAccessibleName(tr("Venue"));
    for (const auto& preset : analysis::pagePresets()) preset_->addItem(QString::fromStdString(preset.title), QString::fromStdString(preset.name));
    row(tr("preset"), preset_);
    width_ = number(10, 2000, 1, tr(" mm"), tr("Width of the page"));
    height_ = number(10, 2000, 1, tr(" mm"), tr("Height of the page"));
    height_->setObjectName(QStringLiteral("pageHeight"));
    row(tr("size"), pair(width_, height_));
    font_ = new QComboBox;
    font_->setAccessibleName(tr("Font"));
    font_->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    font_->setMinimumContentsLength(8);
    for (const QString& family : page::pageFontFamilies()) font_->addItem(family, family);
    font_pt_ = number(4, 40, 0.5, tr(" pt"), tr("Size of the font"));
    row(tr("font"), pair(font_, font_pt_, 2, 1));
    columns_ = new QSpinBox;
    columns_->setRange(1, 6);
    columns_->setAccessibleName(tr("Panels beside each other"));
    letters_ = new QCheckBox(tr("(a) (b) …"));
    letters_->setAccessibleName(tr("Panel letters"));
    row(tr("columns"), pair(columns_, letters_));
    layout->addLayout(form);

    heading(tr("Check"));
    auto* checks = new QWidget;
    checks_ = new QVBoxLayout(checks);
    checks_->setContentsMargins(0, 0, 0, 0);
    checks_->setSpacing(3);
    layout->addWidget(checks);

    heading(tr("Write"));
    for (const auto& [format, on] : {std::pair{"pdf", true}, {"svg", true}, {"png", false}, {"csv", true}}) {
        auto* box = new QCheckBox;
        box->setObjectName(QStringLiteral("write-") + QLatin1String(format));
        box->setChecked(on);
        layout->addWidget(box);
        formats_.emplace_back(format, box);
        connect(box, &QCheckBox::toggled, this, [this] { showCommand(); });
    }
    auto* place = new QHBoxLayout;
    folder_ = new QLineEdit;
    folder_->setAccessibleName(tr("Folder that the files are written to"));
    folder_->setObjectName(QStringLiteral("outFolder"));
    auto* browse = new IconButton(context_->theme, QStringLiteral("folder"), tr("Choose the folder"));
    place->addWidget(folder_, 1);
    place->addWidget(browse);
    layout->addLayout(place);

    auto* button_row = new QWidget;
    auto* buttons = new FlowLayout(button_row);
    export_ = makeButton(context_->theme, tr("Export"), ButtonKind::kPrimary);
    export_->setObjectName(QStringLiteral("exportFigure"));
    copy_image_ = makeButton(context_->theme, tr("Copy image"));
    copy_command_ = makeButton(context_->theme, tr("Copy command"));
    for (QPushButton* button : {export_, copy_image_, copy_command_}) buttons->addWidget(button);
    layout->addSpacing(4);
    layout->addWidget(button_row);
    command_ = new QLabel;
    command_->setMargin(8);
    command_->setProperty("role", QStringLiteral("mono"));
    command_->setTextInteractionFlags(Qt::TextSelectableByMouse);
    command_->setWordWrap(true);
    layout->addWidget(command_);
    layout->addStretch();

    auto* scroll = new QScrollArea;
    scroll->setWidgetResizable(true);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll->setWidget(body);
    setContent(scroll);

    connect(preset_, &QComboBox::activated, this, [this] {
        const std::string name = preset_->currentData().toString().toStdString();
        for (const auto& preset : analysis::pagePresets()) {
            if (preset.name != name) continue;
            page_.preset = preset.name;
            if (preset.width_mm > 0) page_.width_mm = preset.width_mm;
            if (preset.max_height_mm > 0) page_.height_mm = std::min(page_.height_mm, preset.max_height_mm);
            if (!preset.font.empty()) page_.font = preset.font;
            if (preset.font_pt > 0) page_.font_pt = preset.font_pt;
            // Two panels beside each other in a single column would have no room for their axes.
            if (page_.width_mm < 100 && page_.columns > 1) {
                page_.columns = 1;
                page_.height_mm = std::max(page_.height_mm, 120.0);
            }
        }
        Q_EMIT pageEdited(page_, tr("Choose the venue"), -1);
    });
    connect(width_, &QDoubleSpinBox::valueChanged, this, [this] { edit(tr("Change the page's width"), kMergeWidth); });
    connect(height_, &QDoubleSpinBox::valueChanged, this, [this] { edit(tr("Change the page's height"), kMergeHeight); });
    connect(font_pt_, &QDoubleSpinBox::valueChanged, this, [this] { edit(tr("Change the font's size"), kMergeFont); });
    connect(columns_, &QSpinBox::valueChanged, this, [this] { edit(tr("Change the columns"), kMergeColumns); });
    connect(font_, &QComboBox::activated, this, [this] { edit(tr("Change the font"), -1); });
    connect(letters_, &QCheckBox::toggled, this, [this] { edit(tr("Change the panel letters"), -1); });
    connect(folder_, &QLineEdit::textEdited, this, [this](const QString& text) {
        chosen_folder_ = text.trimmed();
        showCommand();
    });
    connect(browse, &QToolButton::clicked, this, [this] {
        const QString folder = QFileDialog::getExistingDirectory(this, tr("Write the figure to"), outFolder());
        if (folder.isEmpty()) return;
        chosen_folder_ = folder;
        showCommand();
    });
    connect(export_, &QPushButton::clicked, this, &PagePanel::exportRequested);
    connect(copy_image_, &QPushButton::clicked, this, &PagePanel::copyImageRequested);
    connect(copy_command_, &QPushButton::clicked, this, &PagePanel::copyCommandRequested);
    const auto tint = [this] {
        const ThemeColors& c = context_->theme->colors();
        command_->setStyleSheet(QStringLiteral("QLabel { background: %1; border-radius: %2px; }").arg(c.ground.name()).arg(context_->theme->metrics().radius));
    };
    connect(context_->theme, &Theme::changed, this, tint);
    tint();
    setFigure(nullptr, {});
}

void PagePanel::edit(const QString& what, int merge_id) {
    if (filling_) return;
    page_.width_mm = width_->value();
    page_.height_mm = height_->value();
    page_.font = font_->currentData().toString().toStdString();
    page_.font_pt = font_pt_->value();
    page_.columns = columns_->value();
    page_.panel_letters = letters_->isChecked();
    Q_EMIT pageEdited(page_, what, merge_id);
}

void PagePanel::setFigure(const analysis::FigureRecipe* recipe, const QString& recipe_file) {
    if (!recipe) {
        recipe_file_.clear();
        showEmpty(tr("No figure is chosen"), tr("Page size, font, checks and export appear here."), {}, QStringLiteral("export"));
        return;
    }
    page_ = recipe->page;
    recipe_file_ = recipe_file;
    stem_ = QString::fromStdString(page::fileNameOf(recipe->name));
    filling_ = true;
    int preset = preset_->findData(QString::fromStdString(page_.preset));
    preset_->setCurrentIndex(preset);
    width_->setValue(page_.width_mm);
    height_->setValue(page_.height_mm);
    font_->setCurrentIndex(std::max(0, font_->findData(QString::fromStdString(page_.font))));
    font_pt_->setValue(page_.font_pt);
    columns_->setValue(page_.columns);
    letters_->setChecked(page_.panel_letters);
    filling_ = false;
    for (const auto& [format, box] : formats_)
        box->setText(format == "csv"   ? tr("data: one CSV per panel")
                     : format == "png" ? tr("%1.png at 600 dpi").arg(stem_)
                                       : QStringLiteral("%1.%2").arg(stem_, QString::fromStdString(format)));
    showCommand();
    showReady();
}

QString PagePanel::outFolder() const {
    return chosen_folder_.isEmpty() ? QFileInfo(recipe_file_).absolutePath() : QDir::current().absoluteFilePath(chosen_folder_);
}

std::vector<std::string> PagePanel::formats() const {
    std::vector<std::string> chosen;
    for (const auto& [format, box] : formats_)
        if (box->isChecked()) chosen.push_back(format);
    return chosen;
}

QString PagePanel::command() const {
    QStringList chosen;
    for (const std::string& format : formats()) chosen.append(QString::fromStdString(format));
    return QStringLiteral("expertscope figure render %1 --out %2 --format %3")
        .arg(quoted(fromHere(recipe_file_)), quoted(fromHere(outFolder())), chosen.join(QLatin1Char(',')));
}

void PagePanel::showCommand() {
    if (recipe_file_.isEmpty()) return;
    if (!folder_->hasFocus() || chosen_folder_ != folder_->text().trimmed()) folder_->setText(fromHere(outFolder()));
    command_->setText(command());
    const QString none = formats().empty() ? tr("Choose a format to write") : QString();
    setDisabledReason(copy_command_, none);
    if (!none.isEmpty() || export_->isEnabled() || export_->toolTip() == tr("Choose a format to write")) setDisabledReason(export_, none);
}

void PagePanel::setExportDisabled(const QString& why) {
    setDisabledReason(export_, !why.isEmpty() ? why : formats().empty() ? tr("Choose a format to write") : QString());
    setDisabledReason(copy_image_, why);
}

void PagePanel::setChecks(const std::vector<page::FigureCheck>& checks) {
    while (QLayoutItem* item = checks_->takeAt(0)) {
        delete item->widget();
        delete item;
    }
    using Kind = analysis::ColorRole::Kind;
    for (const auto& check : checks) {
        const Kind kind = check.state == page::CheckState::kGood ? Kind::kGood : check.state == page::CheckState::kWarn ? Kind::kWarn : Kind::kBad;
        auto* row = new QWidget;
        auto* line = new QHBoxLayout(row);
        line->setContentsMargins(0, 0, 0, 0);
        line->setSpacing(5);
        auto* dot = new StatusDot(context_->theme, {kind, 0}, {});
        auto* words = new QLabel(
            check.state == page::CheckState::kGood ? check.words
            : check.detail.isEmpty()
                ? check.words
                : check.words +
                      QStringLiteral("<br><span style='color:%1'>%2</span>").arg(context_->theme->colors().muted.name(), check.detail.toHtmlEscaped()));
        words->setWordWrap(true);
        words->setProperty("role", QStringLiteral("body"));
        words->setToolTip(check.detail);
        line->addWidget(dot, 0, Qt::AlignTop);
        line->addWidget(words, 1);
        row->setAccessibleName((check.state == page::CheckState::kGood ? tr("Passed: ") : tr("Look at: ")) + check.words);
        checks_->addWidget(row);
    }
}

QJsonObject PagePanel::saveState() const {
    QJsonArray chosen;
    for (const std::string& format : formats()) chosen.append(QString::fromStdString(format));
    return {{QStringLiteral("formats"), chosen}, {QStringLiteral("folder"), chosen_folder_}};
}

void PagePanel::restoreState(const QJsonObject& state) {
    chosen_folder_ = state.value(QStringLiteral("folder")).toString();
    if (state.contains(QStringLiteral("formats")))
        for (const auto& [format, box] : formats_) box->setChecked(state.value(QStringLiteral("formats")).toArray().contains(QString::fromStdString(format)));
    showCommand();
}

}  // namespace es::views
