// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/expert/gallery_grid.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QScreen>
#include <QTextDocument>
#include <algorithm>
#include <cmath>

#include "analysis/experts/probe_facts.h"
#include "views/inspect/token_words.h"
#include "views/overlay/picture_image.h"

namespace es::views {
namespace {

constexpr int kCellGap = 3, kWordHeight = 26, kWordWidth = 92;
constexpr int kContextPicture = 176, kContextWidth = 240, kContextPadding = 8;
constexpr int kMostWords = 40;  // of a caption around the word

/// The caption with the word in bold, cut to what is near it. Rich text.
QString captionText(const store::SampleRecord& record, const analysis::GalleryItem& item) {
    if (item.modality != Modality::kText || record.token_texts.empty()) return QString::fromStdString(record.caption).toHtmlEscaped();
    const int all = static_cast<int>(record.token_texts.size());
    const int first = std::max(0, item.token.value - kMostWords / 2), last = std::min(all, first + kMostWords);
    QStringList words;
    for (int i = first; i < last; ++i) {
        const QString word = QString::fromStdString(analysis::wordText(record, i)).toHtmlEscaped();
        words << (i == item.token.value ? QStringLiteral("<b>%1</b>").arg(word) : word);
    }
    return (first > 0 ? QStringLiteral("… ") : QString()) + words.join(QLatin1Char(' ')) + (last < all ? QStringLiteral(" …") : QString());
}

QString creditText(const store::SampleRecord& record) {
    QStringList parts;
    if (!record.dataset.empty()) parts << QString::fromStdString(record.dataset);
    parts << (record.license.empty() ? GalleryGrid::tr("licence not stated") : QString::fromStdString(record.license));
    if (!record.source.empty()) parts << QString::fromStdString(record.source);
    return parts.join(QStringLiteral(" · "));
}

QString weightText(const analysis::GalleryItem& item) {
    QString text = GalleryGrid::tr("weight %1").arg(numberText(item.weight, 3));
    if (std::isfinite(item.probability)) text += GalleryGrid::tr(" · probability %1").arg(numberText(item.probability, 3));
    if (item.rank > 0) text += GalleryGrid::tr(" · choice %1").arg(item.rank + 1);
    if (item.dropped) text += GalleryGrid::tr(" · dropped: no slot was left");
    return text;
}

}  // namespace

GalleryContext::GalleryContext(Theme* theme, QWidget* parent) : QWidget(parent, Qt::ToolTip), theme_(theme) {
    setObjectName(QStringLiteral("galleryContext"));
    setAttribute(Qt::WA_ShowWithoutActivating);
    setAttribute(Qt::WA_TransparentForMouseEvents);
}

QStringList GalleryContext::lines() const {
    QStringList all{QStringLiteral("<b>%1</b>").arg(tokenName(known_ ? &record_ : nullptr, item_.modality, item_.token.value).toHtmlEscaped()),
                    weightText(item_).toHtmlEscaped()};
    if (known_ && !record_.caption.empty()) all << captionText(record_, item_);
    if (known_ && !record_.category.empty()) all << tr("category %1").arg(QString::fromStdString(record_.category)).toHtmlEscaped();
    if (known_) all << creditText(record_).toHtmlEscaped();
    else all << tr("the run does not hold this sample");
    return all;
}

QString GalleryContext::words() const {
    QTextDocument text;
    text.setHtml(lines().join(QStringLiteral("<br>")));
    return text.toPlainText();
}

void GalleryContext::showItem(const analysis::GalleryItem& item, const store::SampleRecord* record, const QImage& picture, const QPoint& at) {
    item_ = item;
    known_ = record != nullptr;
    record_ = record ? *record : store::SampleRecord{};
    picture_ = picture;
    QTextDocument text;
    text.setDocumentMargin(0);
    text.setDefaultFont(theme_->font(Theme::FontRole::kSecondary));
    text.setTextWidth(kContextWidth - 2 * kContextPadding);
    text.setHtml(lines().join(QStringLiteral("<br>")));
    const bool pictured = !picture_.isNull();
    const int height = 2 * kContextPadding + (pictured ? kContextPicture + kContextPadding : 0) + static_cast<int>(std::ceil(text.size().height()));
    resize(kContextWidth, height);
    QPoint where = at + QPoint(14, 14);
    if (const QScreen* screen = QGuiApplication::screenAt(at)) {
        const QRect room = screen->availableGeometry();
        if (where.x() + width() > room.right()) where.setX(at.x() - width() - 14);
        if (where.y() + height > room.bottom()) where.setY(std::max(room.top(), room.bottom() - height));
    }
    move(where);
    show();
    update();
}

void GalleryContext::paintEvent(QPaintEvent*) {
    const ThemeColors& colors = theme_->colors();
    QPainter painter(this);
    painter.fillRect(rect(), colors.panel);
    painter.setPen(QPen(colors.line, 1));
    painter.drawRect(rect().adjusted(0, 0, -1, -1));
    int top = kContextPadding;
    if (!picture_.isNull()) {
        const QSizeF fitted = QSizeF(picture_.size()).scaled(kContextPicture, kContextPicture, Qt::KeepAspectRatio);
        const QRectF target((width() - fitted.width()) / 2, top + (kContextPicture - fitted.height()) / 2, fitted.width(), fitted.height());
        painter.fillRect(target, Qt::white);  // as models see it
        painter.setRenderHint(QPainter::SmoothPixmapTransform);
        painter.drawImage(target, picture_);
        store::Picture size;
        size.width = picture_.width();
        size.height = picture_.height();
        size.rgba.resize(1);
        const QRect pixels = item_.modality == Modality::kVision ? patchPixels(size, record_.grid_width, record_.grid_height, item_.token.value) : QRect();
        if (!pixels.isEmpty()) {
            const double scale = target.width() / picture_.width();
            const QRectF patch(target.left() + pixels.left() * scale, target.top() + pixels.top() * scale, pixels.width() * scale, pixels.height() * scale);
            painter.setPen(QPen(Qt::black, 4));
            painter.drawRect(patch);
            painter.setPen(QPen(Qt::white, 2));
            painter.drawRect(patch);
        }
        top += kContextPicture + kContextPadding;
    }
    QTextDocument text;
    text.setDocumentMargin(0);
    text.setDefaultFont(theme_->font(Theme::FontRole::kSecondary));
    text.setTextWidth(width() - 2 * kContextPadding);
    text.setHtml(QStringLiteral("<span style='color:%1'>%2</span>").arg(colors.text.name(), lines().join(QStringLiteral("<br>"))));
    painter.translate(kContextPadding, top);
    text.drawContents(&painter);
}

GalleryGrid::GalleryGrid(Theme* theme, SamplePictures* pictures, int cell, QWidget* parent)
    : QWidget(parent), theme_(theme), pictures_(pictures), cell_(cell), context_(new GalleryContext(theme, this)) {
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    QSizePolicy policy(QSizePolicy::Preferred, QSizePolicy::Minimum);
    policy.setHeightForWidth(true);
    setSizePolicy(policy);
    connect(pictures_, &SamplePictures::ready, this, qOverload<>(&QWidget::update));
    connect(theme_, &Theme::changed, this, qOverload<>(&QWidget::update));
}

void GalleryGrid::setItems(std::vector<analysis::GalleryItem> items) {
    const std::size_t count = items_.size();
    const bool words = words_;
    items_ = std::move(items);
    words_ = std::any_of(items_.begin(), items_.end(), [](const analysis::GalleryItem& item) { return item.modality != Modality::kVision; });
    hovered_ = -1;
    current_ = 0;
    context_->hide();
    describe();
    if (items_.size() != count || words_ != words) updateGeometry();
    update();
}

void GalleryGrid::setSelected(std::optional<std::uint64_t> sample, Modality modality, TokenIndex token) {
    if (sample == selected_sample_ && modality == selected_modality_ && token == selected_token_) return;
    selected_sample_ = sample;
    selected_modality_ = modality;
    selected_token_ = token;
    update();
}

QSize GalleryGrid::cellSize() const { return words_ ? QSize(std::max(cell_, kWordWidth), kWordHeight) : QSize(cell_, cell_); }

int GalleryGrid::columns(int width) const { return std::max(1, (width + kCellGap) / (cellSize().width() + kCellGap)); }

QRectF GalleryGrid::cellAt(int index, int width) const {
    const int across = columns(width);
    const QSize size = cellSize();
    // What is left over widens the cells, so that both edges are straight.
    const double wide = words_ ? (width - (across - 1) * static_cast<double>(kCellGap)) / across : size.width();
    return {index % across * (wide + kCellGap), static_cast<double>(index / across * (size.height() + kCellGap)), wide, static_cast<double>(size.height())};
}

QRectF GalleryGrid::itemRect(int index) const { return cellAt(index, width()); }

int GalleryGrid::heightForWidth(int width) const {
    const int rows = (static_cast<int>(items_.size()) + columns(width) - 1) / columns(width);
    return std::max(1, rows * (cellSize().height() + kCellGap) - kCellGap);
}

QSize GalleryGrid::minimumSizeHint() const { return {cellSize().width(), std::min(cellSize().height(), heightForWidth(width()))}; }

int GalleryGrid::indexAt(const QPointF& point) const {
    for (std::size_t i = 0; i < items_.size(); ++i)
        if (itemRect(static_cast<int>(i)).contains(point)) return static_cast<int>(i);
    return -1;
}

void GalleryGrid::paintItem(QPainter& painter, int index, const QRectF& cell) const {
    const ThemeColors& colors = theme_->colors();
    const analysis::GalleryItem& item = items_[static_cast<std::size_t>(index)];
    const store::SampleRecord* record = records_ ? records_(item.sample) : nullptr;
    if (item.modality == Modality::kVision) {
        const QImage picture = pictures_->get(item.sample);
        store::Picture size;
        size.width = picture.width();
        size.height = picture.height();
        size.rgba.resize(picture.isNull() ? 0 : 1);
        const QRect pixels = record ? patchPixels(size, record->grid_width, record->grid_height, item.token.value) : QRect();
        if (pixels.isEmpty()) {
            painter.fillRect(cell, colors.panelHeader);
        } else {
            painter.fillRect(cell, Qt::white);
            painter.setRenderHint(QPainter::SmoothPixmapTransform, pixels.width() > 12);
            painter.drawImage(cell, picture, QRectF(pixels));
        }
        painter.setPen(QPen(colors.line, 1));
        painter.setBrush(Qt::NoBrush);
        painter.drawRect(cell.adjusted(0.5, 0.5, -0.5, -0.5));
        return;
    }
    painter.setPen(QPen(colors.line, 1));
    painter.setBrush(colors.panelHeader);
    painter.drawRoundedRect(cell.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4);
    const QString word = record ? QString::fromStdString(analysis::wordText(*record, item.token.value)) : QStringLiteral("#%1").arg(item.token_id);
    const QFont font = theme_->font(Theme::FontRole::kSecondary);
    painter.setFont(font);
    painter.setPen(colors.text);
    painter.drawText(cell.adjusted(6, 0, -6, 0), Qt::AlignCenter, QFontMetrics(font).elidedText(word, Qt::ElideRight, static_cast<int>(cell.width()) - 12));
}

void GalleryGrid::paintItems(QPainter& painter, int width) const {
    for (std::size_t i = 0; i < items_.size(); ++i) paintItem(painter, static_cast<int>(i), cellAt(static_cast<int>(i), width));
}

void GalleryGrid::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    const ThemeColors& colors = theme_->colors();
    paintItems(painter, width());
    painter.setRenderHint(QPainter::Antialiasing, false);
    const auto ring = [&](int index, const QColor& color, double thick) {
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(color, thick, Qt::SolidLine, Qt::SquareCap, Qt::MiterJoin));
        painter.drawRect(itemRect(index).adjusted(thick / 2, thick / 2, -thick / 2, -thick / 2));
    };
    for (std::size_t i = 0; i < items_.size(); ++i)
        if (const auto& item = items_[i]; item.sample == selected_sample_ && item.modality == selected_modality_ && item.token == selected_token_)
            ring(static_cast<int>(i), colors.accent, 3);
    if (hovered_ >= 0 && hovered_ < static_cast<int>(items_.size())) ring(hovered_, colors.text, 1);
    if (hasFocus() && current_ < static_cast<int>(items_.size())) ring(current_, colors.accent, 2);
}

QString GalleryGrid::itemText(int index) const {
    if (index < 0 || index >= static_cast<int>(items_.size())) return {};
    const analysis::GalleryItem& item = items_[static_cast<std::size_t>(index)];
    const store::SampleRecord* record = records_ ? records_(item.sample) : nullptr;
    QStringList parts{tokenName(record, item.modality, item.token.value), weightText(item)};
    if (record && !record->caption.empty()) parts << QString::fromStdString(record->caption);
    if (record) parts << creditText(*record);
    return parts.join(QStringLiteral(" · "));
}

void GalleryGrid::describe() {
    setAccessibleDescription(items_.empty() ? tr("nothing") : tr("%1 of %2: %3").arg(current_ + 1).arg(items_.size()).arg(itemText(current_)));
}

void GalleryGrid::showContext(int index) {
    if (index < 0 || index >= static_cast<int>(items_.size())) return context_->hide();
    const analysis::GalleryItem& item = items_[static_cast<std::size_t>(index)];
    const QRect cell = itemRect(index).toAlignedRect();
    context_->showItem(item, records_ ? records_(item.sample) : nullptr, pictures_->get(item.sample), mapToGlobal(cell.bottomRight()));
}

void GalleryGrid::hover(int index) {
    if (index == hovered_) return;
    hovered_ = index;
    setCursor(index >= 0 ? Qt::PointingHandCursor : Qt::ArrowCursor);
    showContext(index);
    update();
}

void GalleryGrid::mouseMoveEvent(QMouseEvent* event) { hover(indexAt(event->position())); }

void GalleryGrid::mousePressEvent(QMouseEvent* event) {
    const int index = event->button() == Qt::LeftButton ? indexAt(event->position()) : -1;
    if (index < 0) return QWidget::mousePressEvent(event);
    current_ = index;
    describe();
    Q_EMIT itemClicked(index);
}

void GalleryGrid::leaveEvent(QEvent*) { hover(-1); }

void GalleryGrid::keyPressEvent(QKeyEvent* event) {
    const int last = static_cast<int>(items_.size()) - 1, across = columns(width());
    int next = current_;
    switch (event->key()) {
        case Qt::Key_Left: next = current_ - 1; break;
        case Qt::Key_Right: next = current_ + 1; break;
        case Qt::Key_Up: next = current_ - across; break;
        case Qt::Key_Down: next = current_ + across; break;
        case Qt::Key_Home: next = 0; break;
        case Qt::Key_End: next = last; break;
        case Qt::Key_Escape: context_->hide(); return;
        case Qt::Key_Return:
        case Qt::Key_Enter:
        case Qt::Key_Space:
            if (current_ <= last) Q_EMIT itemClicked(current_);
            return;
        default: return QWidget::keyPressEvent(event);
    }
    if (next < 0 || next > last) return;
    current_ = next;
    describe();
    showContext(current_);
    update();
}

void GalleryGrid::focusInEvent(QFocusEvent* event) {
    QWidget::focusInEvent(event);
    update();
}

void GalleryGrid::focusOutEvent(QFocusEvent* event) {
    QWidget::focusOutEvent(event);
    context_->hide();
    update();
}

void GalleryGrid::hideEvent(QHideEvent* event) {
    QWidget::hideEvent(event);
    context_->hide();
}

void GalleryGrid::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    updateGeometry();
}

}  // namespace es::views
