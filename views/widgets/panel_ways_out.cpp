// SPDX-License-Identifier: GPL-3.0-or-later
// How a panel's content leaves it: to the clipboard in every form that it has, and to a window of its own.
#include <QAbstractItemView>
#include <QApplication>
#include <QClipboard>
#include <QJsonDocument>
#include <QLabel>
#include <QMenu>
#include <QShortcut>
#include <QVBoxLayout>

#include "views/export/panel_copy.h"
#include "views/models/panel_json.h"
#include "views/widgets/panel_frame.h"

namespace es::views {
namespace {

constexpr QSize kLeastWindow(480, 360);

QString cellText(const QVariant& value) {
    QString text = value.toString();
    return text.replace(QLatin1Char('\t'), QLatin1Char(' ')).replace(QLatin1Char('\n'), QLatin1Char(' '));
}

/// The rows of a list or table as they are shown, with a header line where it has one.
QString rowsOf(const QAbstractItemView& view) {
    const QAbstractItemModel* model = view.model();
    const QModelIndex root = view.rootIndex();
    const int columns = model->columnCount(root);
    QStringList lines;
    QStringList heads;
    for (int column = 0; column < columns; ++column) heads << cellText(model->headerData(column, Qt::Horizontal));
    if (columns > 1) lines << heads.join(QLatin1Char('\t'));
    for (int row = 0; row < model->rowCount(root); ++row) {
        QStringList cells;
        for (int column = 0; column < columns; ++column) cells << cellText(model->index(row, column, root).data());
        lines << cells.join(QLatin1Char('\t'));
    }
    return lines.join(QLatin1Char('\n'));
}

}  // namespace

void PanelFrame::addCopies() {
    auto* copy = new QShortcut(QKeySequence::Copy, body_);
    copy->setContext(Qt::WidgetWithChildrenShortcut);
    connect(copy, &QShortcut::activated, this, [this] { QApplication::clipboard()->setMimeData(copied().release()); });
}

std::shared_ptr<const analysis::Panel> PanelFrame::panel() const {
    auto shown = source_ ? source_() : nullptr;
    const QString credit = shown && credit_ ? credit_() : QString();
    if (credit.isEmpty()) return shown;
    auto credited = std::make_shared<analysis::Panel>(*shown);
    credited->notes.push_back(credit.toStdString());
    return credited;
}

QString PanelFrame::creditedText() const {
    const QString text = tableText(), credit = credit_ ? credit_() : QString();
    return text.isEmpty() || credit.isEmpty() ? text : text + QStringLiteral("\n\n") + credit;
}

QString PanelFrame::tableText() const {
    if (data_text_) return data_text_();
    if (const auto shown = panel()) return toTabSeparated(*shown);
    const QAbstractItemView* view = content_ ? content_->findChild<QAbstractItemView*>() : nullptr;
    if (!view) view = qobject_cast<QAbstractItemView*>(content_);
    return view && view->model() && view->model()->rowCount(view->rootIndex()) > 0 ? rowsOf(*view) : QString();
}

std::unique_ptr<QMimeData> PanelFrame::copied() {
    auto mime = std::make_unique<QMimeData>();
    mime->setImageData(body_->grab().toImage());
    if (state_ != State::kReady && state_ != State::kPartial) return mime;
    if (const QString text = creditedText(); !text.isEmpty()) mime->setText(text);
    if (const auto shown = panel()) {
        mime->setData(QStringLiteral("application/json"), QJsonDocument(toJson(*shown)).toJson());
        page::addDrawing(*mime, *shown, content_ ? content_->size() : size());
    }
    return mime;
}

void PanelFrame::fillCopyMenu(QMenu* menu) {
    const QColor ink = theme_->colors().muted;
    const auto add = [&](const char* icon, const QString& text, const QString& why_not, std::function<void()> run) {
        QAction* action = menu->addAction(QIcon(theme_->icon(QString::fromLatin1(icon), ink)), text);
        action->setEnabled(why_not.isEmpty());
        action->setToolTip(why_not);
        connect(action, &QAction::triggered, this, [run = std::move(run)] { run(); });
    };
    const bool shown = state_ == State::kReady || state_ == State::kPartial;
    const QString nothing = shown ? QString() : tr("There is nothing in this panel to copy yet");
    const QString no_data = !shown ? nothing : tableText().isEmpty() ? tr("This panel has no data to copy") : QString();
    const QString no_panel = !shown ? nothing : panel() ? QString() : tr("This panel is not a figure: copy its image");
    add("image", tr("Copy image"), {}, [this] { QApplication::clipboard()->setPixmap(body_->grab()); });
    add("copy", tr("Copy data"), no_data, [this] { QApplication::clipboard()->setText(creditedText()); });
    add("figure", tr("Copy as SVG and PDF"), no_panel, [this] {
        const auto now = panel();
        if (!now) return;
        auto mime = std::make_unique<QMimeData>();
        page::addDrawing(*mime, *now, content_ ? content_->size() : size());
        QApplication::clipboard()->setMimeData(mime.release());
    });
    add("text", tr("Copy as JSON"), no_panel, [this] {
        const auto now = panel();
        if (!now) return;
        auto mime = std::make_unique<QMimeData>();
        const QByteArray json = QJsonDocument(toJson(*now)).toJson();
        mime->setText(QString::fromUtf8(json));
        mime->setData(QStringLiteral("application/json"), json);
        QApplication::clipboard()->setMimeData(mime.release());
    });
}

QString PanelFrame::key() const { return objectName().isEmpty() ? first_title_ : objectName(); }

void PanelFrame::detach() {
    if (window_) return;
    const QSize size = this->size().expandedTo(kLeastWindow);
    // Nobody's child, so that it stays on its screen whatever is in front; the program does not wait for it to be closed.
    auto* opened = new QWidget(nullptr, Qt::Window);
    opened->setAttribute(Qt::WA_QuitOnClose, false);
    opened->setObjectName(QStringLiteral("detached.") + key());
    opened->setWindowTitle(tr("%1 — ExpertScope").arg(title()));
    opened->installEventFilter(this);
    window_ = opened;
    auto* inside = new QVBoxLayout(opened);
    const int gutter = theme_->metrics().gutter;
    inside->setContentsMargins(gutter, gutter, gutter, gutter);
    layout()->removeWidget(body_);
    inside->addWidget(body_);
    place_ = new QWidget(this);
    auto* words = new QVBoxLayout(place_);
    auto* gone = new EmptyState(theme_, place_);
    gone->show(QStringLiteral("external"), title(), tr("This panel is in a window of its own and goes on following the selection."), tr("Bring back"),
               [this] { attach(); });
    words->addWidget(gone);
    layout()->addWidget(place_);
    auto* back = new QShortcut(QKeySequence::Close, opened);
    connect(back, &QShortcut::activated, this, &PanelFrame::attach);
    opened->resize(size);
    opened->show();
    Q_EMIT detachedChanged();
}

void PanelFrame::attach() {
    if (!window_) return;
    QWidget* closed = window_;
    window_ = nullptr;
    closed->removeEventFilter(this);
    layout()->removeWidget(place_);
    place_->deleteLater();
    place_ = nullptr;
    closed->layout()->removeWidget(body_);
    layout()->addWidget(body_);
    body_->show();
    closed->hide();
    closed->deleteLater();
    Q_EMIT detachedChanged();
}

}  // namespace es::views
