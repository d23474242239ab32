// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/train/new_run_dialog.h"

#include <QDir>
#include <QFile>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSet>
#include <QStyle>
#include <QVBoxLayout>

#include "engine/base/files.h"
#include "views/widgets/choice_box.h"
#include "views/widgets/controls.h"
#include "views/widgets/search_field.h"
#include "views/widgets/segmented_control.h"

namespace es::views {
namespace {

const QString kFile = QStringLiteral("file");
const QString kExamples = QStringLiteral(":/experiments/");

QLabel* muted(const QString& text, QWidget* parent) {
    auto* label = new QLabel(text, parent);
    label->setProperty("role", QStringLiteral("muted"));
    return label;
}

}  // namespace

NewRunDialog::NewRunDialog(const WorkspaceContext& context, QWidget* parent) : QDialog(parent), context_(&context) {
    setWindowTitle(tr("New run"));
    setModal(true);
    resize(660, 640);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(16, 16, 16, 16);
    column->setSpacing(10);

    auto* top = new QHBoxLayout;
    top->setSpacing(8);
    top->addWidget(muted(tr("Configuration"), this));
    source_ = new ChoiceBox(tr("Configuration to start from"), false, this);
    QStringList labels, values;
    for (const QString& name : QDir(kExamples).entryList({QStringLiteral("*.toml")}, QDir::Files, QDir::Name)) {
        labels << name.chopped(5);
        values << kExamples + name;
    }
    source_->setChoices(labels << tr("From a file…"), values << kFile);
    if (values.contains(kExamples + QStringLiteral("demo-sparse.toml"))) source_->setValue(kExamples + QStringLiteral("demo-sparse.toml"));
    top->addWidget(source_);
    file_ = muted({}, this);
    top->addWidget(file_, 1);
    auto* search = new SearchField(context.theme, tr("Search options"), this);
    search->setFixedWidth(180);
    top->addWidget(search);
    column->addLayout(top);

    form_ = new OptionForm(context.theme, this);
    sections_ = new SegmentedControl(context.theme, this);
    sections_->setAccessibleName(tr("Section of the configuration"));
    sections_->setChoices(form_->sections());
    column->addWidget(sections_);
    column->addWidget(form_, 1);

    auto* line = new QFrame(this);
    line->setProperty("divider", true);
    column->addWidget(line);
    auto* out = new QHBoxLayout;
    out->setSpacing(8);
    out->addWidget(muted(tr("Run folder"), this));
    folder_ = new QLineEdit(this);
    folder_->setAccessibleName(tr("Run folder"));
    folder_->setFont(context.theme->font(Theme::FontRole::kMono));
    out->addWidget(folder_, 1);
    column->addLayout(out);

    auto* bottom = new QHBoxLayout;
    bottom->setSpacing(8);
    words_ = new QLabel(this);
    words_->setWordWrap(true);
    bottom->addWidget(words_, 1);
    auto* cancel = makeButton(context.theme, tr("Cancel"), ButtonKind::kPlain, {}, this);
    start_ = makeButton(context.theme, tr("Start training"), ButtonKind::kPrimary, QStringLiteral("play"), this);
    start_->setDefault(true);
    bottom->addWidget(cancel);
    bottom->addWidget(start_);
    column->addLayout(bottom);

    connect(source_, &ChoiceBox::chosen, this, [this](const QString& value) { value == kFile ? openFile() : loadExample(value); });
    connect(search, &SearchField::searched, form_, &OptionForm::search);
    connect(sections_, &SegmentedControl::chosen, this, [this, search](const QString& section) {
        search->clear();
        form_->showSection(section);
    });
    connect(form_, &OptionForm::changed, this, [this] {
        suggestFolder();
        refresh();
    });
    connect(folder_, &QLineEdit::textEdited, this, &NewRunDialog::refresh);
    connect(cancel, &QPushButton::clicked, this, &QDialog::reject);
    connect(start_, &QPushButton::clicked, this, [this] {
        if (problem().isEmpty()) accept();
    });
    if (source_->value() == kFile) refresh();
    else loadExample(source_->value());
}

void NewRunDialog::loadExample(const QString& resource) {
    QFile file(resource);
    if (!file.open(QIODevice::ReadOnly)) return;
    file_->clear();
    take(file.readAll().toStdString(), resource.section(QLatin1Char('/'), -1).toStdString());
}

void NewRunDialog::openFile() {
    const QString path = QFileDialog::getOpenFileName(this, tr("Choose a configuration"), {}, tr("Configurations (*.toml)"));
    if (path.isEmpty()) return;
    file_->setText(QFileInfo(path).fileName());
    constexpr std::uintmax_t kLargest = 1 << 20;
    auto text = readFile(path.toStdString(), kLargest);
    if (text) return take(*text, path.toStdString());
    load_problem_ = QString::fromStdString(text.error().message());
    refresh();
}

void NewRunDialog::take(const std::string& toml, const std::string& path) {
    auto config = config::parseToml(toml, path);
    load_problem_ = config ? QString() : QString::fromStdString(config.error().message());
    if (config) form_->setConfig(*config);
    refresh();
}

void NewRunDialog::suggestFolder() {
    if (folder_->text() != suggested_) return;  // the user's own choice stays
    const QString parent = context_->feeds && !context_->feeds->folders().isEmpty() ? context_->feeds->folders().front() : QStringLiteral("runs");
    const QString name = QString::fromStdString(form_->config().run.name);
    QSet<QString> taken;
    if (context_->feeds)
        for (const store::RunSummary& run : context_->feeds->runs()) taken << QString::fromStdString(run.folder.string());
    suggested_ = parent + QLatin1Char('/') + name;
    for (int i = 2; taken.contains(suggested_); ++i) suggested_ = QStringLiteral("%1/%2-%3").arg(parent, name).arg(i);
    folder_->setText(suggested_);
}

QString NewRunDialog::problem() const {
    if (!load_problem_.isEmpty()) return load_problem_;
    if (!form_->valid()) return form_->firstProblem();
    if (const Status status = config::validate(form_->config()); !status) return QString::fromStdString(status.error().message());
    if (folder_->text().trimmed().isEmpty()) return tr("Say where the run shall be written");
    const QString folder = QDir::cleanPath(QDir::current().absoluteFilePath(folder_->text().trimmed()));
    if (context_->feeds)
        for (const store::RunSummary& run : context_->feeds->runs())
            if (QString::fromStdString(run.folder.string()) == folder) return tr("There is a run in this folder already. Choose another, or resume that one");
    return {};
}

void NewRunDialog::refresh() {
    const QString why = problem();
    const auto changed = form_->changedKeys().size();
    words_->setText(!why.isEmpty() ? why
                    : changed == 0 ? tr("As in the configuration")
                    : changed == 1 ? tr("1 option changed")
                                   : tr("%1 options changed").arg(changed));
    words_->setProperty("role", why.isEmpty() ? QStringLiteral("muted") : QStringLiteral("bad"));
    words_->style()->unpolish(words_);
    words_->style()->polish(words_);
    setDisabledReason(start_, why);
}

session::TrainRequest NewRunDialog::request() const {
    session::TrainRequest request;
    request.config = form_->config();
    request.out = QDir::cleanPath(QDir::current().absoluteFilePath(folder_->text().trimmed())).toStdString();
    return request;
}

}  // namespace es::views
