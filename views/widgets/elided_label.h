// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QLabel>

namespace es::views {

/// One line, or a few, that end in "…" where the text does not fit; the whole text is then its tooltip.
class ElidedLabel : public QLabel {
    Q_OBJECT
public:
    explicit ElidedLabel(const QString& text = {}, QWidget* parent = nullptr);
    void setText(const QString& text);
    [[nodiscard]] QString fullText() const { return full_; }
    void setElideMode(Qt::TextElideMode mode);
    /// Breaks between words into at most so many lines, and is as high as those that the text takes.
    void setMostLines(int lines);
    [[nodiscard]] bool hasHeightForWidth() const override { return most_lines_ > 1; }
    [[nodiscard]] int heightForWidth(int width) const override;
    [[nodiscard]] QSize minimumSizeHint() const override;
    [[nodiscard]] QSize sizeHint() const override;

protected:
    void resizeEvent(QResizeEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    void elide();
    [[nodiscard]] QStringList linesFor(int width) const;
    QString full_;
    int most_lines_ = 1;
    Qt::TextElideMode mode_ = Qt::ElideRight;
};

}  // namespace es::views
