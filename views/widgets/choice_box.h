// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QComboBox>
#include <QStringList>

namespace es::views {

/// A drop-down of labels with values behind them. Compact ones fit a panel's header.
class ChoiceBox : public QComboBox {
    Q_OBJECT
public:
    ChoiceBox(const QString& name, bool compact, QWidget* parent = nullptr);
    /// Keeps the current value when it is still there, else takes the first. No signal.
    void setChoices(const QStringList& labels, const QStringList& values);
    [[nodiscard]] QString value() const { return currentData().toString(); }
    void setValue(const QString& value);  ///< no signal
    [[nodiscard]] QSize sizeHint() const override;
    [[nodiscard]] QSize minimumSizeHint() const override { return sizeHint(); }

Q_SIGNALS:
    void chosen(const QString& value);  ///< by the user

protected:
    void wheelEvent(QWheelEvent* event) override;
};

}  // namespace es::views
