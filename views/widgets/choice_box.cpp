// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/widgets/choice_box.h"

#include <QSignalBlocker>
#include <QWheelEvent>

namespace es::views {

ChoiceBox::ChoiceBox(const QString& name, bool compact, QWidget* parent) : QComboBox(parent) {
    setAccessibleName(name);
    setToolTip(name);
    setProperty("compact", compact);
    setSizeAdjustPolicy(QComboBox::AdjustToContents);
    connect(this, &QComboBox::currentIndexChanged, this, [this] { updateGeometry(); });
    connect(this, &QComboBox::activated, this, [this](int) { Q_EMIT chosen(value()); });
}

void ChoiceBox::setChoices(const QStringList& labels, const QStringList& values) {
    bool same = labels.size() == count();
    for (int i = 0; same && i < count(); ++i) same = itemText(i) == labels[i] && itemData(i).toString() == values[i];
    if (same) return;
    const QSignalBlocker quiet(this);
    const QString before = value();
    clear();
    for (int i = 0; i < labels.size(); ++i) addItem(labels[i], values[i]);
    const int found = findData(before);
    setCurrentIndex(found >= 0 ? found : 0);
    updateGeometry();
}

void ChoiceBox::setValue(const QString& value) {
    const QSignalBlocker quiet(this);
    if (const int at = findData(value); at >= 0) setCurrentIndex(at);
    updateGeometry();
}

// Compact ones are as wide as what they say now, so that a header has room for several.
QSize ChoiceBox::sizeHint() const {
    const QSize whole = QComboBox::sizeHint();
    if (!property("compact").toBool()) return whole;
    return {fontMetrics().horizontalAdvance(currentText()) + 32, 22};
}

// A wheel over a form scrolls the form: it never changes a choice that happens to lie under it.
void ChoiceBox::wheelEvent(QWheelEvent* event) { event->ignore(); }

}  // namespace es::views
