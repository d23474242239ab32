// SPDX-License-Identifier: GPL-3.0-or-later
// Many overlays in a grid, each drawn once and kept.
#pragma once

#include <QHash>
#include <QPixmap>
#include <QWidget>
#include <memory>

#include "analysis/figures/contact_sheet.h"
#include "views/theme/theme.h"

namespace es::views {

/// As high as its cells need at its width. Arrow keys walk, Return and click open. GUI thread only.
class SheetGrid : public QWidget {
    Q_OBJECT
public:
    explicit SheetGrid(Theme* theme, QWidget* parent = nullptr);
    /// `words`: the words of each sample are drawn as chips below its picture.
    void setSheet(std::shared_ptr<const analysis::ContactSheet> sheet, bool words);
    [[nodiscard]] const analysis::ContactSheet* sheet() const { return sheet_.get(); }
    void setOpacity(double opacity);
    void setHighlightedExpert(int expert);
    /// Whether the sheet's own expert stands out instead: its pictures were chosen for it. Numbers that would hide the picture stay away then, since
    /// every tinted patch is of the expert that the line below names.
    void setBringsOutItsExpert(bool brings_out);
    void setShownSample(std::uint64_t sample);  ///< outlined
    void setSide(int pixels);                   ///< of a picture
    [[nodiscard]] QRectF cellRect(int index) const;
    [[nodiscard]] int current() const { return current_; }

    [[nodiscard]] bool hasHeightForWidth() const override { return true; }
    [[nodiscard]] int heightForWidth(int width) const override;
    [[nodiscard]] QSize sizeHint() const override { return {600, heightForWidth(600)}; }
    [[nodiscard]] QSize minimumSizeHint() const override { return {200, 100}; }

Q_SIGNALS:
    void sampleOpened(quint64 sample);

protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    bool event(QEvent* event) override;

private:
    [[nodiscard]] int count() const { return sheet_ ? static_cast<int>(sheet_->items.size()) : 0; }
    [[nodiscard]] int columns(int width) const;
    [[nodiscard]] QSize cellSize() const;
    [[nodiscard]] int cellAt(const QPointF& point) const;
    [[nodiscard]] QString words(int index) const;
    const QPixmap& drawn(int index);
    void forgetDrawn();
    void describe();
    Theme* theme_;
    std::shared_ptr<const analysis::ContactSheet> sheet_;
    bool words_ = false, brings_out_ = false;
    double opacity_ = 0.5;
    int side_ = 150, highlighted_ = -1, current_ = 0, hovered_ = -1;
    std::uint64_t shown_ = 0;
    QHash<int, QPixmap> drawn_;
};

}  // namespace es::views
