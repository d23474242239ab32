// SPDX-License-Identifier: GPL-3.0-or-later
// Patches and words as a grid of small cells; the whole picture or caption appears when one is hovered or has the keyboard.
#pragma once

#include <QPixmap>
#include <QWidget>
#include <functional>
#include <vector>

#include "analysis/experts/expert_gallery.h"
#include "views/inspect/expert/sample_pictures.h"
#include "views/theme/theme.h"

namespace es::views {

/// Where an item comes from: its whole picture with the patch outlined, its caption with the word in bold, weight, licence and source. Like a tooltip, and
/// as tall as it needs to be.
class GalleryContext : public QWidget {
    Q_OBJECT
public:
    GalleryContext(Theme* theme, QWidget* parent);
    void showItem(const analysis::GalleryItem& item, const store::SampleRecord* record, const QImage& picture, const QPoint& at);
    [[nodiscard]] QString words() const;  ///< all that is written on it

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    [[nodiscard]] QStringList lines() const;
    Theme* theme_;
    analysis::GalleryItem item_;
    store::SampleRecord record_;
    bool known_ = false;
    QImage picture_;
};

/// Click or Return chooses, arrow keys walk. Its height follows its width. GUI thread only.
class GalleryGrid : public QWidget {
    Q_OBJECT
public:
    /// `cell`: side of a patch in logical pixels.
    GalleryGrid(Theme* theme, SamplePictures* pictures, int cell, QWidget* parent = nullptr);
    void setItems(std::vector<analysis::GalleryItem> items);
    [[nodiscard]] const std::vector<analysis::GalleryItem>& items() const { return items_; }
    /// How a sample's record (without its picture) is found; null for unknown ones.
    void setRecords(std::function<const store::SampleRecord*(std::uint64_t)> records) { records_ = std::move(records); }
    /// The selected token of the window is ringed when it is here.
    void setSelected(std::optional<std::uint64_t> sample, Modality modality, TokenIndex token);
    [[nodiscard]] QRectF itemRect(int index) const;
    [[nodiscard]] QString itemText(int index) const;  ///< what a screen reader says: place, weight, caption, licence
    [[nodiscard]] const GalleryContext* contextView() const { return context_; }
    /// All cells at a width and scale, for copies.
    void paintItems(QPainter& painter, int width) const;

    [[nodiscard]] bool hasHeightForWidth() const override { return true; }
    [[nodiscard]] int heightForWidth(int width) const override;
    [[nodiscard]] QSize sizeHint() const override { return {240, heightForWidth(240)}; }
    [[nodiscard]] QSize minimumSizeHint() const override;

Q_SIGNALS:
    void itemClicked(int index);

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;
    void hideEvent(QHideEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    [[nodiscard]] QSize cellSize() const;
    [[nodiscard]] int columns(int width) const;
    [[nodiscard]] QRectF cellAt(int index, int width) const;
    [[nodiscard]] int indexAt(const QPointF& point) const;
    void paintItem(QPainter& painter, int index, const QRectF& cell) const;
    void hover(int index);
    void showContext(int index);
    void describe();
    Theme* theme_;
    SamplePictures* pictures_;
    int cell_;
    std::vector<analysis::GalleryItem> items_;
    std::function<const store::SampleRecord*(std::uint64_t)> records_;
    GalleryContext* context_;
    int hovered_ = -1, current_ = 0;
    std::optional<std::uint64_t> selected_sample_;
    Modality selected_modality_ = Modality::kUnknown;
    TokenIndex selected_token_;
    bool words_ = false;
};

}  // namespace es::views
