// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/query_field.h"

#include <QAbstractItemView>
#include <QHBoxLayout>
#include <QInputDialog>
#include <QMenu>
#include <QScrollArea>
#include <QStyle>
#include <QVBoxLayout>

namespace es::views {
namespace {

constexpr int kHelpWidth = 520, kHelpHeight = 460;
constexpr int kShownQuery = 48;

QString escaped(const std::string& text) { return QString::fromStdString(text).toHtmlEscaped(); }

}  // namespace

QueryField::QueryField(Theme* theme, SampleSearch* search, InspectModel* model, QWidget* parent)
    : QWidget(parent), theme_(theme), search_(search), model_(model) {
    line_ = new SearchField(theme, tr("caption words or a query…"), this);
    line_->setObjectName(QStringLiteral("sampleSearch"));
    more_ = new IconButton(theme, QStringLiteral("filter"), tr("Saved sets, and how to ask"), this);
    more_->setObjectName(QStringLiteral("sampleSets"));
    answer_ = new QLabel(this);
    answer_->setObjectName(QStringLiteral("sampleAnswer"));
    answer_->setWordWrap(true);
    answer_->setTextFormat(Qt::PlainText);
    answer_->hide();
    auto* row = new QHBoxLayout;
    row->setSpacing(4);
    row->addWidget(line_, 1);
    row->addWidget(more_);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(4);
    column->addLayout(row);
    column->addWidget(answer_);
    setFocusProxy(line_);

    candidates_ = new QStandardItemModel(this);
    completer_ = new QCompleter(candidates_, this);
    completer_->setCompletionMode(QCompleter::UnfilteredPopupCompletion);
    completer_->setCompletionRole(Qt::UserRole);
    completer_->setWidget(line_);
    connect(completer_, qOverload<const QModelIndex&>(&QCompleter::activated), this,
            [this](const QModelIndex& index) { line_->setText(index.data(Qt::UserRole).toString()); });
    connect(line_, &QLineEdit::textEdited, this, &QueryField::complete);
    connect(line_, &SearchField::searched, this, [this](const QString& text) { search_->ask(text.trimmed()); });
    connect(more_, &QToolButton::clicked, this, [this] { menu()->popup(more_->mapToGlobal(QPoint(0, more_->height() + 2))); });
    connect(search_, &SampleSearch::answered, this, &QueryField::showAnswer);
    connect(model_, &InspectModel::chosenSetChanged, this, &QueryField::showAnswer);
    showAnswer();
}

void QueryField::setText(const QString& text) {
    line_->setText(text);
    search_->ask(text.trimmed());
}

void QueryField::complete(const QString& text) {
    candidates_->clear();
    // Words of a caption are not a query: nothing gets in the way of typing them.
    if (text.trimmed().size() > 1 && (analysis::looksLikeQuery(text.toStdString()) || !text.contains(QLatin1Char(' ')))) {
        const std::string bytes = text.toStdString();
        const auto found = analysis::completeQuery(bytes, search_->vocabulary());
        const QString before = QString::fromStdString(bytes.substr(0, found.begin));
        for (const std::string& candidate : found.candidates) {
            const QString name = QString::fromStdString(candidate);
            if (before + name == text) continue;
            auto* item = new QStandardItem(name);
            item->setData(before + name + QLatin1Char(' '), Qt::UserRole);
            for (const auto& field : analysis::queryFields())
                if (field.name == candidate) item->setText(tr("%1 — %2").arg(QString::fromStdString(field.example), QString::fromStdString(field.help)));
            candidates_->appendRow(item);
        }
    }
    if (candidates_->rowCount() == 0) return completer_->popup()->hide();
    completer_->setCompletionPrefix(text);
    completer_->complete();
}

void QueryField::showAnswer() {
    QString words = search_->line();
    const bool bad = search_->kind() == SampleSearch::Kind::kProblem;
    if (!model_->chosenSet().everything) {
        const QString note = tr("Pages: %1").arg(QString::fromStdString(model_->chosenSet().note()));
        words = words.isEmpty() ? note : words + QLatin1Char('\n') + note;
    }
    answer_->setText(words);
    answer_->setVisible(!words.isEmpty());
    const QString role = bad ? QStringLiteral("bad") : QStringLiteral("muted");
    if (answer_->property("role").toString() == role) return;
    answer_->setProperty("role", role);
    answer_->style()->unpolish(answer_);
    answer_->style()->polish(answer_);
}

QMenu* QueryField::menu() {
    if (!menu_) {
        menu_ = new QMenu(this);
        menu_->setToolTipsVisible(true);
    }
    menu_->clear();
    const auto& sets = search_->sets();
    menu_->addSection(sets.empty() ? tr("No sets are saved yet") : tr("Saved sets"));
    for (const auto& set : sets) {
        const QString query = QString::fromStdString(set.query);
        const QString shown = query.size() > kShownQuery ? query.left(kShownQuery) + QStringLiteral("…") : query;
        QAction* action = menu_->addAction(tr("%1   %2").arg(QString::fromStdString(set.name), shown));
        action->setToolTip(query);
        connect(action, &QAction::triggered, this, [this, query] { setText(query); });
    }
    menu_->addSeparator();
    const bool found = search_->kind() == SampleSearch::Kind::kFound && search_->found();
    QAction* save = menu_->addAction(tr("Save this query as a set…"));
    save->setEnabled(found);
    if (!found) save->setToolTip(tr("Write a query first, as “expert 5, masked”"));
    connect(save, &QAction::triggered, this, &QueryField::saveSet);
    QMenu* remove = menu_->addMenu(tr("Remove a set"));
    remove->setEnabled(!sets.empty());
    for (const auto& set : sets)
        connect(remove->addAction(QString::fromStdString(set.name)), &QAction::triggered, this,
                [this, name = QString::fromStdString(set.name)] { search_->remove(name); });
    menu_->addSeparator();
    QAction* use = menu_->addAction(tr("Analyse only what this query finds"));
    use->setObjectName(QStringLiteral("useSet"));
    use->setEnabled(found && search_->found() && !search_->found()->tokens.empty());
    if (!use->isEnabled()) use->setToolTip(tr("A query that finds something is needed first"));
    connect(use, &QAction::triggered, this, [this] {
        if (!search_->found()) return;
        analysis::ChosenSet set{false, {}, search_->found()->query, search_->found()->tokens};
        for (const auto& saved : search_->sets())
            if (saved.query == set.query) set.name = saved.name;
        model_->chooseSet(std::move(set));
    });
    QAction* everything = menu_->addAction(tr("Analyse everything again"));
    everything->setObjectName(QStringLiteral("useEverything"));
    everything->setEnabled(!model_->chosenSet().everything);
    if (!everything->isEnabled()) everything->setToolTip(tr("Pages look at everything already"));
    connect(everything, &QAction::triggered, this, [this] { model_->chooseSet({}); });
    menu_->addSeparator();
    connect(menu_->addAction(tr("How to ask…")), &QAction::triggered, this, &QueryField::showHelp);
    return menu_;
}

void QueryField::saveSet() {
    bool taken = false;
    const QString name = QInputDialog::getText(this, tr("Save the set"), tr("Name of the set “%1”").arg(search_->text()), QLineEdit::Normal, {}, &taken);
    if (taken) search_->saveAs(name);
}

void QueryField::showHelp() {
    auto* popup = new QFrame(window(), Qt::Popup);
    popup->setAttribute(Qt::WA_DeleteOnClose);
    popup->setObjectName(QStringLiteral("queryHelp"));
    popup->setFrameShape(QFrame::StyledPanel);
    QString html =
        tr("<p>Write words of a caption, or <b>conditions</b> joined by <b>and</b>, <b>or</b> and a comma (which binds last). <b>not</b> stands "
           "before a condition, parentheses group. A token is found when one router satisfies all; <b>expert 5 in 6.v</b> names the router of "
           "one condition.</p><p>Click an example to use it.</p>");
    const auto link = [](const std::string& text) {
        return QStringLiteral("<a href=\"%1\">%2</a>").arg(QString::fromLatin1(QString::fromStdString(text).toUtf8().toPercentEncoding()), escaped(text));
    };
    html += QStringLiteral("<p>");
    for (const std::string& example : analysis::queryExamples()) html += link(example) + QStringLiteral("<br>");
    html += QStringLiteral("</p><table cellspacing=\"4\">");
    for (const auto& field : analysis::queryFields())
        html += QStringLiteral("<tr><td>%1&nbsp;&nbsp;</td><td>%2</td></tr>").arg(link(field.example), escaped(field.help));
    html += QStringLiteral("</table>");
    auto* label = new QLabel(html, popup);
    label->setWordWrap(true);
    label->setTextInteractionFlags(Qt::TextBrowserInteraction);
    label->setContentsMargins(12, 8, 12, 8);
    connect(label, &QLabel::linkActivated, this, [this, popup](const QString& target) {
        setText(QString::fromUtf8(QByteArray::fromPercentEncoding(target.toLatin1())));
        popup->close();
        line_->setFocus();
    });
    auto* scroll = new QScrollArea(popup);
    scroll->setWidget(label);
    scroll->setWidgetResizable(true);
    scroll->setFrameShape(QFrame::NoFrame);
    auto* column = new QVBoxLayout(popup);
    column->setContentsMargins(1, 1, 1, 1);
    column->addWidget(scroll);
    popup->resize(kHelpWidth, kHelpHeight);
    popup->move(line_->mapToGlobal(QPoint(0, line_->height() + 2)));
    popup->show();
}

}  // namespace es::views
