// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/theme/style_sheet.h"

#include <QHash>

#include "views/theme/color_math.h"

namespace es::views {
namespace {

// @name stands for a token; the table below says which.
constexpr const char* kTemplate = R"(
* { outline: none; }
QWidget { color: @text; }
QMainWindow { background: @ground; }
QDialog { background: @panel; }
QToolTip { background: @text; color: @panel; border: 1px solid @text; padding: 4px 6px; font-size: 12px; }
QLabel { background: transparent; }
QLabel[role="muted"] { color: @muted; font-size: 12px; }
QLabel[role="faint"] { color: @faintText; font-size: 12px; }
QLabel[role="strong"] { font-weight: 600; }
QLabel[role="title"] { font-size: 14px; font-weight: 700; }
QLabel[role="mono"] { font-family: "JetBrains Mono"; font-size: 12px; }
QLabel[role="good"] { color: @goodText; } QLabel[role="warn"] { color: @warnText; } QLabel[role="bad"] { color: @badText; }

QPushButton { background: @button; color: @text; border: 2px solid transparent; border-radius: 6px; padding: 0px 12px; min-height: 24px;
  font-size: 12px; font-weight: 600; }
QPushButton:hover { background: @buttonHover; }
QPushButton:pressed { background: @buttonPressed; }
QPushButton:focus { border-color: @accent; }
QPushButton:checked { background: @accentGround; color: @accentText; }
QPushButton:disabled { color: @disabled; background: @buttonDisabled; }
QPushButton[kind="primary"] { background: @accent; color: @onAccent; }
QPushButton[kind="primary"]:hover { background: @accentHover; }
QPushButton[kind="primary"]:pressed { background: @accentPressed; }
QPushButton[kind="primary"]:focus { border-color: @accentRing; }
QPushButton[kind="primary"]:disabled { background: @buttonDisabled; color: @disabled; }
QPushButton[kind="danger"] { color: @badText; }
QPushButton[kind="quiet"] { background: transparent; font-weight: 500; color: @muted; }
QPushButton[kind="quiet"]:hover { background: @button; color: @text; }
QPushButton[kind="quiet"]:focus { border-color: @accent; }
QPushButton[kind="quiet"]:disabled { color: @disabled; background: transparent; }
QPushButton::menu-indicator { image: none; width: 0px; }

QToolButton { background: transparent; border: 2px solid transparent; border-radius: 5px; padding: 1px; color: @muted; font-size: 12px; }
QToolButton:hover { background: @button; color: @text; }
QToolButton:pressed, QToolButton:checked { background: @accentGround; color: @accentText; }
QToolButton:focus { border-color: @accent; }
QToolButton[toggle="true"] { padding: 0px 6px; }
QToolButton:disabled { color: @disabled; }
QToolButton::menu-indicator { image: none; width: 0px; }

QLineEdit, QPlainTextEdit, QTextEdit, QAbstractSpinBox, QComboBox { background: @field; color: @text; border: 1px solid @line; border-radius: 5px;
  selection-background-color: @accent; selection-color: @onAccent; }
QLineEdit, QAbstractSpinBox, QComboBox { min-height: 24px; padding: 1px 8px; }
QPlainTextEdit, QTextEdit { padding: 4px 6px; }
QLineEdit:hover, QAbstractSpinBox:hover, QComboBox:hover { border-color: @lineStrong; }
QLineEdit:focus, QAbstractSpinBox:focus, QComboBox:focus { border: 2px solid @accent; padding: 0px 7px; }
QPlainTextEdit:focus, QTextEdit:focus { border: 2px solid @accent; padding: 3px 5px; }
QLineEdit:disabled, QAbstractSpinBox:disabled, QComboBox:disabled { color: @disabled; background: @buttonDisabled; }
QLineEdit[problem="true"], QAbstractSpinBox[problem="true"] { border-color: @bad; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { width: 16px; border: none; background: transparent; }
QAbstractSpinBox::up-arrow { image: url(@iconfolder/chevron-up.svg); width: 10px; height: 10px; }
QAbstractSpinBox::down-arrow { image: url(@iconfolder/chevron-down.svg); width: 10px; height: 10px; }
QComboBox[compact="true"] { min-height: 18px; padding: 0px 4px 0px 6px; border: 1px solid transparent; background: transparent; font-size: 12px; color: @muted; }
QComboBox[compact="true"]:hover { background: @button; color: @text; }
QComboBox[compact="true"]:focus { border: 2px solid @accent; padding: 0px 3px 0px 5px; }
QComboBox[compact="true"]:on { background: @button; color: @text; }
QLineEdit[compact="true"] { min-height: 18px; padding: 0px 4px; font-size: 12px; }
QComboBox::drop-down { border: none; width: 20px; }
QComboBox::down-arrow { image: url(@iconfolder/chevron-down.svg); width: 12px; height: 12px; }
QComboBox QAbstractItemView { background: @panel; border: 1px solid @line; border-radius: 5px; padding: 4px; selection-background-color: @accentGround;
  selection-color: @text; outline: none; }
QComboBox QAbstractItemView::item { min-height: 24px; padding: 0px 6px; }

QCheckBox, QRadioButton { spacing: 6px; background: transparent; }
QCheckBox::indicator, QRadioButton::indicator, QAbstractItemView::indicator { width: 14px; height: 14px; border: 1px solid @lineStrong; background: @field; border-radius: 4px; }
QRadioButton::indicator { border-radius: 7px; }
QCheckBox::indicator:hover, QAbstractItemView::indicator:hover { border-color: @accent; }
QCheckBox::indicator:checked, QAbstractItemView::indicator:checked { background: @accent; border-color: @accent; image: url(@iconfolder/check-on-accent.svg); }
QCheckBox::indicator:indeterminate { background: @accent; border-color: @accent; image: url(@iconfolder/half-on-accent.svg); }
QRadioButton::indicator:checked { background: @accent; border: 4px solid @field; }
QCheckBox:focus { color: @accentText; } QCheckBox::indicator:focus { border: 2px solid @accent; }
QCheckBox:disabled { color: @disabled; } QCheckBox::indicator:disabled { background: @buttonDisabled; border-color: @line; }

QAbstractItemView { background: @panel; alternate-background-color: @panel; border: none; selection-background-color: @accentGround;
  selection-color: @text; gridline-color: @gridLine; outline: none; }
QAbstractItemView::item { border: none; padding: 0px 6px; }
QTableView::item, QTreeView::item { border-bottom: 1px solid @gridLine; }
QListView::item { border-radius: 5px; }
QAbstractItemView::item:hover { background: @hover; }
QAbstractItemView::item:selected { background: @accentGround; color: @text; }
QHeaderView { background: @panel; border: none; }
QHeaderView::section { background: @panel; color: @muted; border: none; border-bottom: 1px solid @line; padding: 0px 6px; height: 26px; font-size: 12px; font-weight: 500; }
QHeaderView::section:hover { color: @text; }
QTableView[runs="true"] QHeaderView::section:first { padding-left: 28px; }
QHeaderView::up-arrow { image: url(@iconfolder/chevron-up.svg); width: 10px; height: 10px; }
QHeaderView::down-arrow { image: url(@iconfolder/chevron-down.svg); width: 10px; height: 10px; }
QTableCornerButton::section { background: @panel; border: none; }

QScrollArea, QAbstractScrollArea { background: transparent; border: none; }
QScrollArea > QWidget > QWidget { background: transparent; }
QScrollBar { background: transparent; border: none; margin: 0px; }
QScrollBar:vertical { width: 10px; } QScrollBar:horizontal { height: 10px; }
QScrollBar::handle { background: @scroll; border-radius: 3px; margin: 2px; }
QScrollBar::handle:vertical { min-height: 28px; } QScrollBar::handle:horizontal { min-width: 28px; }
QScrollBar::handle:hover { background: @scrollHover; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0px; height: 0px; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QAbstractScrollArea::corner { background: transparent; border: none; }

QSlider { min-height: 20px; background: transparent; }
QSlider::groove:horizontal { height: 4px; border-radius: 2px; background: @track; }
QSlider::sub-page:horizontal { background: @accent; border-radius: 2px; }
QSlider::handle:horizontal { width: 12px; height: 12px; margin: -5px 0px; border-radius: 7px; background: @panel; border: 1px solid @lineStrong; }
QSlider::handle:horizontal:hover { border-color: @accent; }
QSlider::handle:horizontal:focus { border: 2px solid @accent; width: 10px; height: 10px; }
QSlider::groove:vertical { width: 4px; border-radius: 2px; background: @track; }
QSlider::handle:vertical { width: 12px; height: 12px; margin: 0px -5px; border-radius: 7px; background: @panel; border: 1px solid @lineStrong; }
QSlider:disabled { color: @disabled; } QSlider::sub-page:horizontal:disabled { background: @lineStrong; }

QProgressBar { background: @track; border: none; border-radius: 3px; max-height: 6px; min-height: 6px; text-align: center; color: transparent; }
QProgressBar::chunk { background: @accent; border-radius: 3px; }

QMenu { background: @panel; border: 1px solid @line; border-radius: 6px; padding: 4px; }
QMenu::item { padding: 5px 24px 5px 10px; border-radius: 4px; background: transparent; }
QMenu::item:selected { background: @accentGround; color: @text; }
QMenu::item:disabled { color: @disabled; }
QMenu::separator { height: 1px; background: @line; margin: 4px 6px; }
QMenu::icon { padding-left: 8px; }
QMenuBar { background: @panel; border-bottom: 1px solid @line; }
QMenuBar::item { padding: 4px 8px; background: transparent; border-radius: 4px; } QMenuBar::item:selected { background: @accentGround; }

QTabWidget::pane { border: none; border-top: 1px solid @line; }
QTabBar { background: transparent; }
QTabBar::tab { background: transparent; color: @muted; padding: 5px 12px; border: none; border-bottom: 2px solid transparent; font-size: 12px; font-weight: 600; }
QTabBar::tab:hover { color: @text; }
QTabBar::tab:selected { color: @accentText; border-bottom-color: @accent; }
QTabBar::tab:focus { border-bottom-color: @accentRing; }

QSplitter::handle { background: @ground; }
QSplitter::handle:horizontal { width: 6px; } QSplitter::handle:vertical { height: 6px; }
QSplitter::handle:hover { background: @line; }
QStatusBar { background: @panel; border-top: 1px solid @line; } QStatusBar::item { border: none; }
QGroupBox { border: 1px solid @line; border-radius: 6px; margin-top: 16px; padding: 8px; }
QGroupBox::title { subcontrol-origin: margin; left: 8px; color: @muted; }
QFrame[divider="true"] { background: @line; border: none; max-height: 1px; min-height: 1px; }
QFrame[callout="true"] { background: @accentGround; border: 1px solid @calloutLine; border-radius: 6px; }
)";

}  // namespace

QString makeStyleSheet(const ThemeColors& c, const ThemeMetrics&) {
    const QColor button = c.dark ? mix(c.panel, c.text, 0.09) : mix(c.ground, c.line, 0.3);
    const QHash<QString, QColor> tokens = {
        {QStringLiteral("ground"), c.ground},
        {QStringLiteral("panel"), c.panel},
        {QStringLiteral("text"), c.text},
        {QStringLiteral("muted"), c.muted},
        {QStringLiteral("faintText"), legibleOn(c.faint, c.panel, 3.0)},
        {QStringLiteral("line"), c.line},
        {QStringLiteral("lineStrong"), mix(c.line, c.muted, 0.4)},
        {QStringLiteral("gridLine"), c.gridLine},
        {QStringLiteral("field"), c.dark ? mix(c.ground, c.panel, 0.4) : c.panel},
        {QStringLiteral("hover"), mix(c.panel, c.accentGround, 0.45)},
        {QStringLiteral("button"), button},
        {QStringLiteral("buttonHover"), mix(button, c.text, 0.07)},
        {QStringLiteral("buttonPressed"), mix(button, c.text, 0.14)},
        {QStringLiteral("buttonDisabled"), mix(c.panel, button, 0.55)},
        {QStringLiteral("disabled"), mix(c.panel, c.faint, 0.8)},
        {QStringLiteral("accent"), c.accent},
        {QStringLiteral("onAccent"), c.textOnAccent},
        {QStringLiteral("accentGround"), c.accentGround},
        {QStringLiteral("accentText"), legibleOn(c.dark ? c.accent : mix(c.accent, c.text, 0.12), c.accentGround)},
        {QStringLiteral("accentHover"), mix(c.accent, c.dark ? c.panel : c.text, 0.12)},
        {QStringLiteral("accentPressed"), mix(c.accent, c.dark ? c.panel : c.text, 0.24)},
        {QStringLiteral("accentRing"), mix(c.accent, c.text, 0.55)},
        {QStringLiteral("goodText"), legibleOn(c.good, c.panel)},
        {QStringLiteral("warnText"), legibleOn(c.warn, c.panel)},
        {QStringLiteral("badText"), legibleOn(c.bad, c.panel)},
        {QStringLiteral("bad"), c.bad},
        {QStringLiteral("scroll"), mix(c.panel, c.faint, 0.45)},
        {QStringLiteral("scrollHover"), mix(c.panel, c.faint, 0.8)},
        {QStringLiteral("track"), c.dark ? mix(c.panel, c.text, 0.14) : mix(c.ground, c.line, 0.4)},
        {QStringLiteral("calloutLine"), mix(c.accentGround, c.accent, 0.25)},
    };
    const QString folder = c.dark ? QStringLiteral(":/icons/dark") : QStringLiteral(":/icons/light");
    const QString source = QString::fromUtf8(kTemplate);
    QString sheet;
    sheet.reserve(source.size());
    for (qsizetype at = 0; at < source.size();) {
        if (source[at] != QLatin1Char('@')) {
            sheet += source[at++];
            continue;
        }
        qsizetype end = at + 1;
        while (end < source.size() && source[end].isLetter()) ++end;
        const QString name = source.mid(at + 1, end - at - 1);
        if (name == QLatin1String("iconfolder")) sheet += folder;
        else sheet += tokens.value(name, QColor(Qt::magenta)).name();
        at = end;
    }
    return sheet;
}

}  // namespace es::views
