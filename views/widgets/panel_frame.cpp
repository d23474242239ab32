// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/widgets/panel_frame.h"

#include <QContextMenuEvent>
#include <QMenu>
#include <QPainter>
#include <QPainterPath>
#include <QVBoxLayout>
#include <cmath>

namespace es::views {

PanelFrame::PanelFrame(Theme* theme, const QString& title, QWidget* parent) : QFrame(parent), theme_(theme), first_title_(title) {
    const ThemeMetrics& m = theme_->metrics();
    setFrameShape(QFrame::NoFrame);
    auto* outer = new QVBoxLayout(this);
    outer->setContentsMargins(0, 0, 0, 0);
    body_ = new QWidget(this);
    body_->installEventFilter(this);
    outer->addWidget(body_);
    auto* column = new QVBoxLayout(body_);
    column->setContentsMargins(1, 1, 1, 1);
    column->setSpacing(0);

    header_ = new QWidget(body_);
    header_->setFixedHeight(m.header + 2);
    header_row_ = new QHBoxLayout(header_);
    header_row_->setContentsMargins(10, 0, 4, 0);
    header_row_->setSpacing(6);
    title_ = new ElidedLabel(title, header_);
    title_->setFont(theme_->font(Theme::FontRole::kTitle));
    title_->setProperty("role", QStringLiteral("title"));
    title_->setSizePolicy(QSizePolicy::Maximum, QSizePolicy::Preferred);
    context_ = new ElidedLabel({}, header_);
    context_->setProperty("role", QStringLiteral("muted"));
    context_->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
    context_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    menu_button_ = new IconButton(theme_, QStringLiteral("more"), tr("More for this panel"), header_);
    header_row_->addWidget(title_);
    header_row_->addWidget(context_, 1);
    header_row_->addWidget(menu_button_);
    column->addWidget(header_);

    stack_ = new QStackedWidget(body_);
    empty_ = new EmptyState(theme_, stack_);
    holder_ = new QWidget(stack_);
    auto* inside = new QVBoxLayout(holder_);
    inside->setContentsMargins(0, 0, 0, 0);
    stack_->addWidget(empty_);
    stack_->addWidget(holder_);
    column->addWidget(stack_, 1);

    foot_ = new QWidget(body_);
    auto* foot_row = new QHBoxLayout(foot_);
    foot_row->setContentsMargins(10, 0, 10, 4);
    foot_row->setSpacing(4);
    notes_icon_ = new QLabel(foot_);
    notes_label_ = new ElidedLabel({}, foot_);
    notes_label_->setProperty("role", QStringLiteral("muted"));
    notes_label_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed);
    notes_label_->setMostLines(2);
    foot_row->addWidget(notes_icon_, 0, Qt::AlignTop);
    foot_row->addWidget(notes_label_, 1);
    foot_->hide();
    column->addWidget(foot_);

    setAccessibleName(title);
    connect(menu_button_, &QToolButton::clicked, this, [this] { panelMenu()->popup(menu_button_->mapToGlobal(QPoint(0, menu_button_->height() + 2))); });
    connect(theme_, &Theme::changed, this, [this] {
        tintNotes();
        body_->update();
    });
    addCopies();
    empty_->show(QStringLiteral("clock"), tr("Nothing here yet"), {});
}

PanelFrame::~PanelFrame() {
    // The body lies in the window then, and would outlive what its parts refer to.
    if (window_) {
        window_->removeEventFilter(this);
        delete window_;
    }
}

void PanelFrame::setTitle(const QString& title) {
    title_->setText(title);
    setAccessibleName(title);
}

void PanelFrame::hideContext() {
    QSizePolicy policy = context_->sizePolicy();
    policy.setRetainSizeWhenHidden(true);
    context_->setSizePolicy(policy);
    context_->hide();
}

void PanelFrame::setContext(const QString& context) { context_->setText(context); }

void PanelFrame::setContent(QWidget* content, const QMargins& margins) {
    delete content_;
    content_ = content;
    holder_->layout()->setContentsMargins(margins);
    holder_->layout()->addWidget(content);
}

void PanelFrame::addHeaderWidget(QWidget* widget) { header_row_->insertWidget(header_row_->count() - 1, widget, 0, Qt::AlignVCenter); }

IconButton* PanelFrame::addTool(const QString& icon, const QString& tip, std::function<void()> run) {
    auto* button = new IconButton(theme_, icon, tip, header_);
    addHeaderWidget(button);
    connect(button, &QToolButton::clicked, this, [run = std::move(run)] { run(); });
    return button;
}

void PanelFrame::enter(State state) {
    const bool content = state == State::kReady || state == State::kPartial || (state == State::kLoading && has_shown_);
    if (state != State::kPartial) partial_note_.clear();
    if (state == State::kReady || state == State::kPartial) has_shown_ = true;
    if (state == State::kEmpty || state == State::kFailed) has_shown_ = false;
    stack_->setCurrentWidget(content ? holder_ : empty_);
    showNotes();
    if (state == state_) return;
    state_ = state;
    Q_EMIT stateChanged();
}

void PanelFrame::showReady() { enter(State::kReady); }

void PanelFrame::showPartial(const QString& note) {
    partial_note_ = note;
    enter(State::kPartial);
}

void PanelFrame::showLoading(const QString& words, bool keep_content) {
    if (!keep_content) has_shown_ = false;
    if (!has_shown_) empty_->show(QStringLiteral("clock"), words.isEmpty() ? tr("Loading…") : words, {});
    enter(State::kLoading);
}

void PanelFrame::showEmpty(const QString& headline, const QString& words, const Action& action, const QString& icon) {
    empty_->show(icon, headline, words, action.text, action.run);
    enter(State::kEmpty);
}

void PanelFrame::showFailed(const Error& error, const Action& retry) {
    QStringList words;
    for (const std::string& part : {error.why, error.remedy, error.path})
        if (!part.empty()) words << QString::fromStdString(part);
    empty_->show(QStringLiteral("error"), QString::fromStdString(error.what.empty() ? std::string("This panel failed") : error.what),
                 words.join(QLatin1Char('\n')), retry.text, retry.run, {analysis::ColorRole::Kind::kBad, 0});
    enter(State::kFailed);
}

QString PanelFrame::stateName() const {
    switch (state_) {
        case State::kEmpty: return QStringLiteral("empty");
        case State::kLoading: return QStringLiteral("loading");
        case State::kPartial: return QStringLiteral("partial");
        case State::kReady: return QStringLiteral("ready");
        case State::kFailed: return QStringLiteral("failed");
    }
    return {};
}

void PanelFrame::setNotes(const QStringList& notes) {
    if (notes == notes_) return;
    notes_ = notes;
    showNotes();
}

void PanelFrame::showNotes() {
    QStringList all = notes_;
    const bool partial = !partial_note_.isEmpty();
    if (partial) all.prepend(partial_note_);
    const bool shown = !all.isEmpty() && stack_->currentWidget() == holder_;
    foot_->setVisible(shown);
    if (!shown) return;
    tintNotes();
    notes_label_->setText(all.join(QStringLiteral(" · ")));
    notes_label_->setToolTip(all.join(QLatin1Char('\n')));
}

void PanelFrame::tintNotes() {
    const bool partial = !partial_note_.isEmpty();
    const QPixmap icon =
        theme_->icon(partial ? QStringLiteral("warning") : QStringLiteral("info"), partial ? theme_->colors().warn : theme_->colors().faint, 13);
    if (notes_icon_->pixmap().cacheKey() != icon.cacheKey()) notes_icon_->setPixmap(icon);  // the panel is laid out anew for each
}

void PanelFrame::setPanelQuery(std::optional<analysis::PanelQuery> query, const QString& why_not) {
    query_ = std::move(query);
    why_no_query_ = why_not;
}

QMenu* PanelFrame::panelMenu() {
    if (!menu_) {
        menu_ = new QMenu(this);
        menu_->setToolTipsVisible(true);
    }
    menu_->clear();
    if (extras_) {
        extras_(menu_);
        if (!menu_->isEmpty()) menu_->addSeparator();
    }
    const QColor ink = theme_->colors().muted;
    QAction* send = menu_->addAction(QIcon(theme_->icon(QStringLiteral("send-to-figures"), ink)), tr("Send to Figures"));
    send->setEnabled(query_.has_value() && (state_ == State::kReady || state_ == State::kPartial));
    if (!send->isEnabled()) send->setToolTip(why_no_query_.isEmpty() ? tr("There is nothing in this panel to send yet") : why_no_query_);
    connect(send, &QAction::triggered, this, [this] {
        if (query_) Q_EMIT sendToFiguresRequested(*query_);
    });
    fillCopyMenu(menu_);
    menu_->addSeparator();
    QAction* own = menu_->addAction(QIcon(theme_->icon(QStringLiteral("external"), ink)), detached() ? tr("Bring back") : tr("Open in a window of its own"));
    connect(own, &QAction::triggered, this, [this] { detached() ? attach() : detach(); });
    return menu_;
}

bool PanelFrame::eventFilter(QObject* watched, QEvent* event) {
    if (watched == window_ && event->type() == QEvent::Close) {
        attach();
        return true;
    }
    if (watched != body_) return QFrame::eventFilter(watched, event);
    switch (event->type()) {
        case QEvent::Paint: paintBody(static_cast<QPaintEvent*>(event)->region()); break;
        case QEvent::Resize: body_->update(); break;
        case QEvent::ContextMenu:
            panelMenu()->popup(static_cast<QContextMenuEvent*>(event)->globalPos());
            event->accept();
            return true;
        default: break;
    }
    return QFrame::eventFilter(watched, event);
}

void PanelFrame::paintBody(const QRegion& dirty) {
    const ThemeColors& c = theme_->colors();
    const QRect all = body_->rect();
    const int strip = header_->geometry().bottom() + 1;
    QPainter painter(body_);
    // Most of what is painted anew lies inside: plain areas, where the rounded outline need not be followed.
    const int corner = static_cast<int>(std::ceil(theme_->metrics().radius)) + 1;
    const bool whole_pixels = body_->devicePixelRatioF() == std::floor(body_->devicePixelRatioF());
    const QRegion inside = whole_pixels ? QRegion(all.adjusted(1, corner, -1, -corner)) | QRegion(all.adjusted(corner, 1, -corner, -1)) : QRegion();
    const QRegion edge = dirty - inside;
    painter.setClipRegion(inside);
    painter.fillRect(QRect(0, strip, all.width(), all.height() - strip), c.panel);
    painter.fillRect(QRect(0, 0, all.width(), strip - 1), c.panelHeader);
    painter.fillRect(QRect(0, strip - 1, all.width(), 1), c.line);
    if (edge.isEmpty()) return;
    painter.setClipRegion(edge);
    paintEdge(painter, strip);
}

void PanelFrame::paintEdge(QPainter& painter, int strip) {
    const ThemeColors& c = theme_->colors();
    const qreal radius = theme_->metrics().radius;
    painter.setRenderHint(QPainter::Antialiasing);
    QPainterPath outline;
    outline.addRoundedRect(QRectF(body_->rect()).adjusted(0.5, 0.5, -0.5, -0.5), radius, radius);
    painter.fillPath(outline, c.panel);
    painter.save();
    painter.setClipPath(outline, Qt::IntersectClip);
    painter.fillRect(QRect(0, 0, body_->width(), strip), c.panelHeader);
    painter.setPen(QPen(c.line, 1));
    painter.drawLine(QPointF(0, strip - 0.5), QPointF(body_->width(), strip - 0.5));
    painter.restore();
    painter.setPen(QPen(c.line, 1));
    painter.drawPath(outline);
}

}  // namespace es::views
