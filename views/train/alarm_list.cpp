// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/train/alarm_list.h"

#include <QJsonArray>
#include <QJsonObject>
#include <QKeyEvent>
#include <QMenu>
#include <QPainter>
#include <QStyledItemDelegate>
#include <algorithm>

#include "views/plots/plot_panel.h"

namespace es::views {
namespace {

using analysis::Alarm;
using analysis::ColorRole;

QString keyOf(const Alarm& alarm) { return QString::fromStdString(alarm.key()); }

ColorRole colorOf(const Alarm& alarm) {
    if (!alarm.active()) return {ColorRole::Kind::kMuted, 0};
    return {alarm.severity == store::Severity::kError     ? ColorRole::Kind::kBad
            : alarm.severity == store::Severity::kWarning ? ColorRole::Kind::kWarn
                                                          : ColorRole::Kind::kAccent,
            0};
}

/// Dot, title, muted second line, a dashed line below.
class AlarmDelegate : public QStyledItemDelegate {
public:
    AlarmDelegate(Theme* theme, QObject* parent) : QStyledItemDelegate(parent), theme_(theme) {}

    [[nodiscard]] QSize sizeHint(const QStyleOptionViewItem&, const QModelIndex&) const override { return {100, theme_->metrics().rowTall + 8}; }

    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override {
        const ThemeColors& c = theme_->colors();
        painter->save();
        painter->setRenderHint(QPainter::Antialiasing);
        const QRect row = option.rect;
        if (option.state & QStyle::State_Selected) painter->fillRect(row, c.accentGround);
        else if (option.state & QStyle::State_MouseOver) painter->fillRect(row, c.panelHeader);
        const bool silenced = index.data(AlarmListModel::kSilencedRole).toBool(), active = index.data(AlarmListModel::kActiveRole).toBool();
        painter->setPen(Qt::NoPen);
        const auto role = static_cast<ColorRole::Kind>(index.data(AlarmListModel::kColorRole).toInt());
        painter->setBrush(role == ColorRole::Kind::kMuted ? c.faint : Theme::color({role, 0}, c));
        painter->drawEllipse(QRectF(row.left() + 11, row.top() + 9, 8, 8));
        QFont title = theme_->font(Theme::FontRole::kStrong);
        if (!active || silenced) title.setWeight(QFont::Medium);
        painter->setFont(title);
        painter->setPen(silenced ? c.muted : c.text);
        const QRect upper(row.left() + 28, row.top() + 4, row.width() - 38, 18), lower(row.left() + 28, row.top() + 21, row.width() - 38, 17);
        painter->drawText(upper, Qt::AlignVCenter, QFontMetrics(title).elidedText(index.data().toString(), Qt::ElideRight, upper.width()));
        const QFont detail = theme_->font(Theme::FontRole::kSecondary);
        painter->setFont(detail);
        painter->setPen(c.muted);
        painter->drawText(lower, Qt::AlignVCenter,
                          QFontMetrics(detail).elidedText(index.data(AlarmListModel::kDetailRole).toString(), Qt::ElideRight, lower.width()));
        painter->setPen(QPen(c.gridLine, 1));
        painter->drawLine(QPointF(row.left() + 10, row.bottom() + 0.5), QPointF(row.right() - 10, row.bottom() + 0.5));
        painter->restore();
    }

private:
    Theme* theme_;
};

}  // namespace

void AlarmListModel::setAlarms(std::vector<Alarm> alarms) {
    const auto same = [](const Alarm& a, const Alarm& b) {
        return a.key() == b.key() && a.end_step == b.end_step && a.detail == b.detail && a.title == b.title;
    };
    if (std::equal(alarms.begin(), alarms.end(), alarms_.begin(), alarms_.end(), same)) return;
    beginResetModel();
    alarms_ = std::move(alarms);
    reshow();
    endResetModel();
}

void AlarmListModel::setSilenced(const QSet<QString>& keys) {
    if (keys == silenced_) return;
    beginResetModel();
    silenced_ = keys;
    reshow();
    endResetModel();
}

void AlarmListModel::showSilenced(bool show) {
    beginResetModel();
    show_silenced_ = show;
    reshow();
    endResetModel();
}

void AlarmListModel::reshow() {
    shown_.clear();
    for (std::size_t i = 0; i < alarms_.size(); ++i)
        if (show_silenced_ || !silenced_.contains(keyOf(alarms_[i]))) shown_.push_back(i);
}

int AlarmListModel::activeCount() const {
    return static_cast<int>(std::count_if(alarms_.begin(), alarms_.end(), [this](const Alarm& a) { return a.active() && !silenced_.contains(keyOf(a)); }));
}

int AlarmListModel::resolvedCount() const {
    return static_cast<int>(std::count_if(alarms_.begin(), alarms_.end(), [this](const Alarm& a) { return !a.active() && !silenced_.contains(keyOf(a)); }));
}

int AlarmListModel::silencedCount() const { return static_cast<int>(alarms_.size()) - activeCount() - resolvedCount(); }

int AlarmListModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(shown_.size()); }

QVariant AlarmListModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid() || index.row() >= rowCount()) return {};
    const Alarm& a = alarm(index.row());
    switch (role) {
        case Qt::DisplayRole: return QString::fromStdString(a.title);
        case kDetailRole: return QString::fromStdString(a.detail);
        case Qt::ToolTipRole: return QString::fromStdString(a.title + "\n" + a.detail);
        case Qt::AccessibleTextRole: return QString::fromStdString(a.title + ". " + a.detail) + (a.active() ? tr(", active") : QString());
        case kSilencedRole: return silenced_.contains(keyOf(a));
        case kActiveRole: return a.active();
        case kColorRole: return static_cast<int>(colorOf(a).kind);
        default: return {};
    }
}

AlarmPanel::AlarmPanel(Theme* theme, QWidget* parent) : PanelFrame(theme, tr("Alarms"), parent), theme_(theme) {
    model_ = new AlarmListModel(this);
    list_ = new QListView(this);
    list_->setModel(model_);
    list_->setItemDelegate(new AlarmDelegate(theme, list_));
    list_->setMouseTracking(true);
    list_->setVerticalScrollMode(QAbstractItemView::ScrollPerPixel);
    list_->setAccessibleName(tr("Alarms"));
    list_->installEventFilter(this);
    silence_ = addTool(QStringLiteral("bell-off"), tr("Silence the chosen alarm (S)"), [this] { toggleSilenced(); });
    reveal_ = addTool(QStringLiteral("eye"), tr("Show silenced alarms"), [this] {
        model_->showSilenced(reveal_->isChecked());
        refresh();
    });
    reveal_->setCheckable(true);
    setContent(list_);
    connect(list_, &QListView::clicked, this, [this](const QModelIndex& index) { Q_EMIT alarmChosen(model_->alarm(index.row())); });
    connect(list_, &QListView::activated, this, [this](const QModelIndex& index) { Q_EMIT alarmChosen(model_->alarm(index.row())); });
    connect(list_->selectionModel(), &QItemSelectionModel::currentChanged, this, [this] { refresh(); });
    connect(theme, &Theme::changed, list_->viewport(), qOverload<>(&QWidget::update));
    setMenuExtras([this](QMenu* menu) {
        QAction* action = menu->addAction(tr("Silence the chosen alarm"));
        action->setEnabled(list_->currentIndex().isValid());
        connect(action, &QAction::triggered, this, &AlarmPanel::toggleSilenced);
    });
    refresh();
}

void AlarmPanel::setAlarms(std::vector<Alarm> alarms) {
    const QModelIndex current = list_->currentIndex();
    const QString kept = current.isValid() ? keyOf(model_->alarm(current.row())) : QString();
    model_->setAlarms(std::move(alarms));
    for (int row = 0; row < model_->rowCount() && !kept.isEmpty(); ++row)
        if (keyOf(model_->alarm(row)) == kept) list_->setCurrentIndex(model_->index(row));
    refresh();
}

void AlarmPanel::setSilenced(const QSet<QString>& keys) {
    model_->setSilenced(keys);
    refresh();
}

void AlarmPanel::toggleSilenced() {
    const QModelIndex current = list_->currentIndex();
    if (!current.isValid()) return;
    QSet<QString> keys = model_->silenced();
    const QString key = keyOf(model_->alarm(current.row()));
    if (!keys.remove(key)) keys.insert(key);
    model_->setSilenced(keys);
    refresh();
    Q_EMIT silencedChanged(keys);
}

void AlarmPanel::refresh() {
    QString context = tr("%1 active · %2 resolved").arg(model_->activeCount()).arg(model_->resolvedCount());
    if (model_->silencedCount() > 0) context += tr(" · %1 silenced").arg(model_->silencedCount());
    setContext(context);
    setDisabledReason(silence_, list_->currentIndex().isValid() ? QString() : tr("Choose an alarm first"));
    setDisabledReason(reveal_, model_->silencedCount() > 0 || reveal_->isChecked() ? QString() : tr("No alarm is silenced"));
    if (model_->rowCount() > 0) showReady();
    else
        showEmpty(tr("No alarms"),
                  model_->silencedCount() > 0 ? tr("All are silenced") : tr("Dead experts, overload, spikes and drops appear here once warm-up is over"), {},
                  QStringLiteral("check"));
}

bool AlarmPanel::eventFilter(QObject* watched, QEvent* event) {
    if (watched == list_ && event->type() == QEvent::KeyPress && static_cast<QKeyEvent*>(event)->key() == Qt::Key_S) {
        toggleSilenced();
        return true;
    }
    return PanelFrame::eventFilter(watched, event);
}

QJsonObject AlarmPanel::dump() const {
    QJsonArray rows;
    for (const Alarm& a : model_->alarms())
        rows.append(QJsonObject{
            {QStringLiteral("kind"), QString::fromUtf8(analysis::toString(a.kind).data(), static_cast<qsizetype>(analysis::toString(a.kind).size()))},
            {QStringLiteral("key"), keyOf(a)},
            {QStringLiteral("title"), QString::fromStdString(a.title)},
            {QStringLiteral("detail"), QString::fromStdString(a.detail)},
            {QStringLiteral("start_step"), static_cast<double>(a.start_step)},
            {QStringLiteral("active"), a.active()},
            {QStringLiteral("silenced"), model_->silenced().contains(keyOf(a))}});
    return dumpPanel(QStringLiteral("alarms"), *this, QJsonObject{{QStringLiteral("kind"), QStringLiteral("alarms")}, {QStringLiteral("alarms"), rows}});
}

}  // namespace es::views
