// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/train/option_form.h"

#include <QCheckBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QScrollArea>
#include <QScrollBar>
#include <QStyle>
#include <QVBoxLayout>

#include "views/widgets/choice_box.h"
#include "views/widgets/controls.h"

namespace es::views {
namespace {

QString words(const std::string& s) { return QString::fromStdString(s); }

/// As a person types it: a text without its quotes.
QString plain(const QString& toml) {
    if (toml.size() >= 2 && toml.startsWith(QLatin1Char('"')) && toml.endsWith(QLatin1Char('"'))) {
        QString inside = toml.mid(1, toml.size() - 2);
        return inside.replace(QStringLiteral("\\\""), QStringLiteral("\"")).replace(QStringLiteral("\\\\"), QStringLiteral("\\"));
    }
    return toml;
}

/// Texts are quoted, so that a run may be named "true" or "12".
QString asToml(const QString& typed, const QString& type) {
    if (type != QLatin1String("a text")) return typed.trimmed();
    QString inside = typed;
    inside.replace(QStringLiteral("\\"), QStringLiteral("\\\\")).replace(QStringLiteral("\""), QStringLiteral("\\\""));
    return QLatin1Char('"') + inside + QLatin1Char('"');
}

}  // namespace

OptionForm::OptionForm(Theme* theme, QWidget* parent) : QWidget(parent), theme_(theme) {
    auto* outer = new QVBoxLayout(this);
    outer->setContentsMargins(0, 0, 0, 0);
    scroll_ = new QScrollArea(this);
    scroll_->setWidgetResizable(true);
    scroll_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    auto* inside = new QWidget(scroll_);
    column_ = new QVBoxLayout(inside);
    column_->setContentsMargins(0, 0, 8, 0);
    column_->setSpacing(0);
    for (const config::OptionDescription& option : config::describeOptions()) addRow(option);
    column_->addStretch(1);
    scroll_->setWidget(inside);
    outer->addWidget(scroll_);
    if (!rows_.empty()) section_ = rows_.front().section;
    setConfig({});
    filter();
}

void OptionForm::addRow(const config::OptionDescription& option) {
    Row row;
    row.section = words(option.section);
    row.key = row.section + QLatin1Char('.') + words(option.name);
    row.type = words(option.type);
    if (!option.choices.empty() && !row.type.contains(QLatin1String("list"))) row.type = QStringLiteral("a choice");
    row.words = row.key + QLatin1Char(' ') + words(option.help) + QLatin1Char(' ') + words(option.unit);
    row.widget = new QWidget;
    auto* grid = new QGridLayout(row.widget);
    grid->setContentsMargins(0, 6, 0, 6);
    grid->setHorizontalSpacing(12);
    grid->setVerticalSpacing(2);
    row.name = new QLabel(words(option.name), row.widget);
    row.name->setProperty("role", QStringLiteral("mono"));
    row.name->setToolTip(row.key);
    row.name->setFixedWidth(170);
    const int at = static_cast<int>(rows_.size());
    if (option.type == "true or false") {
        auto* box = new QCheckBox(row.widget);
        connect(box, &QCheckBox::toggled, this,
                [this, at](bool on) { take(rows_[static_cast<std::size_t>(at)], on ? QStringLiteral("true") : QStringLiteral("false")); });
        row.editor = box;
    } else if (row.type == QLatin1String("a choice")) {
        auto* box = new ChoiceBox(row.key, false, row.widget);
        QStringList choices;
        for (const std::string& choice : option.choices) choices << words(choice);
        box->setChoices(choices, choices);
        connect(box, &ChoiceBox::chosen, this, [this, at](const QString& value) { take(rows_[static_cast<std::size_t>(at)], value); });
        row.editor = box;
    } else {
        auto* line = new QLineEdit(row.widget);
        connect(line, &QLineEdit::textEdited, this, [this, at](const QString& typed) { take(rows_[static_cast<std::size_t>(at)], typed); });
        row.editor = line;
    }
    row.editor->setAccessibleName(row.key);
    row.editor->setAccessibleDescription(words(option.help));
    row.editor->setMinimumWidth(180);
    row.editor->setMaximumWidth(260);
    auto* unit = new QLabel(words(option.unit), row.widget);
    unit->setProperty("role", QStringLiteral("muted"));
    auto* reset = new IconButton(theme_, QStringLiteral("undo"), tr("Put %1 back").arg(row.key), row.widget);
    connect(reset, &QToolButton::clicked, this, [this, key = row.key] { setValue(key, plain(words(config::valueOf(start_, key.toStdString())))); });
    row.reset = reset;
    QString help = words(option.help);
    if (!option.range.empty()) help += QStringLiteral(" (") + words(option.range) + QLatin1Char(')');
    auto* words = new QLabel(help, row.widget);
    words->setProperty("role", QStringLiteral("muted"));
    words->setWordWrap(true);
    row.problem = new QLabel(row.widget);
    row.problem->setProperty("role", QStringLiteral("bad"));
    row.problem->setWordWrap(true);
    row.problem->hide();
    grid->addWidget(row.name, 0, 0);
    grid->addWidget(row.editor, 0, 1);
    grid->addWidget(unit, 0, 2);
    grid->addWidget(reset, 0, 4);
    grid->setColumnStretch(3, 1);
    grid->setRowMinimumHeight(0, 28);
    grid->addWidget(words, 1, 0, 1, 5);
    grid->addWidget(row.problem, 2, 0, 1, 5);
    column_->addWidget(row.widget);
    rows_.push_back(row);
}

void OptionForm::setConfig(const config::RunConfig& config) {
    start_ = config_ = config;
    problems_.clear();
    for (Row& row : rows_) showValue(row);
    Q_EMIT changed();
}

void OptionForm::showValue(Row& row) {
    const QString value = plain(words(config::valueOf(config_, row.key.toStdString())));
    filling_ = true;
    if (auto* box = qobject_cast<QCheckBox*>(row.editor)) box->setChecked(value == QLatin1String("true"));
    else if (auto* choice = qobject_cast<ChoiceBox*>(row.editor)) choice->setValue(value);
    else if (auto* line = qobject_cast<QLineEdit*>(row.editor); line && line->text() != value) line->setText(value);
    filling_ = false;
    problems_.remove(row.key);
    mark(row);
}

void OptionForm::mark(Row& row) {
    const std::string key = row.key.toStdString();
    const bool changed = config::valueOf(config_, key) != config::valueOf(start_, key);
    const QString problem = problems_.value(row.key);
    QFont font = theme_->font(Theme::FontRole::kMono);
    font.setBold(changed);
    row.name->setFont(font);
    row.name->setText(row.key.section(QLatin1Char('.'), 1) + (changed ? QStringLiteral(" •") : QString()));
    row.reset->setVisible(changed || !problem.isEmpty());
    row.problem->setText(problem);
    row.problem->setVisible(!problem.isEmpty());
    const bool bad = !problem.isEmpty();
    if (row.editor->property("problem").toBool() != bad) {
        row.editor->setProperty("problem", bad);
        row.editor->style()->unpolish(row.editor);
        row.editor->style()->polish(row.editor);
    }
}

void OptionForm::take(Row& row, const QString& typed) {
    if (filling_) return;
    config::RunConfig next = config_;
    const Status status = config::applyOverride(next, (row.key + QLatin1Char('=') + asToml(typed, row.type)).toStdString());
    if (!status) {
        problems_.insert(row.key, words(status.error().why.empty() ? status.error().what : status.error().why));
        mark(row);
        Q_EMIT changed();
        return;
    }
    config_ = next;
    problems_.remove(row.key);
    mark(row);
    // A preset sets other options with it.
    for (Row& other : rows_)
        if (&other != &row && !problems_.contains(other.key)) showValue(other);
    Q_EMIT changed();
}

bool OptionForm::setValue(const QString& key, const QString& value) {
    for (Row& row : rows_) {
        if (row.key != key) continue;
        take(row, value);
        if (problems_.contains(key)) return false;
        showValue(row);
        return true;
    }
    return false;
}

QStringList OptionForm::sections() const {
    QStringList names;
    for (const Row& row : rows_)
        if (!names.contains(row.section)) names << row.section;
    return names;
}

void OptionForm::showSection(const QString& section) {
    section_ = section;
    needle_.clear();
    filter();
}

void OptionForm::search(const QString& needle) {
    needle_ = needle.trimmed();
    filter();
}

void OptionForm::filter() {
    for (Row& row : rows_) row.widget->setVisible(needle_.isEmpty() ? row.section == section_ : row.words.contains(needle_, Qt::CaseInsensitive));
    scroll_->verticalScrollBar()->setValue(0);
}

QStringList OptionForm::changedKeys() const {
    QStringList keys;
    for (const Row& row : rows_)
        if (const std::string key = row.key.toStdString(); config::valueOf(config_, key) != config::valueOf(start_, key)) keys << row.key;
    return keys;
}

QString OptionForm::firstProblem() const {
    for (const Row& row : rows_)
        if (const auto found = problems_.constFind(row.key); found != problems_.constEnd()) return row.key + QStringLiteral(": ") + *found;
    return {};
}

QWidget* OptionForm::editor(const QString& key) const {
    for (const Row& row : rows_)
        if (row.key == key) return row.editor;
    return nullptr;
}

}  // namespace es::views
