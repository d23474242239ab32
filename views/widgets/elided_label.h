// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QLabel>

namespace es::views {

/// One line that ends in "…" where it does not fit; the whole text is then its tooltip.
class ElidedLabel : public QLabel {
    Q_OBJECT
public:
    explicit ElidedLabel(const QString& text = {}, QWidget* parent = nullptr);
    void setText(const QString& text);
    [[nodiscard]] QString fullText() const { return full_; }
    void setElideMode(Qt::TextElideMode mode);
    [[nodiscard]] QSize minimumSizeHint() const override;
    [[nodiscard]] QSize sizeHint() const override;

protected:
    void resizeEvent(QResizeEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    void elide();
    QString full_;
    Qt::TextElideMode mode_ = Qt::ElideRight;
};

}  // namespace es::views
