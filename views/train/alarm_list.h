// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractListModel>
#include <QListView>
#include <QSet>
#include <vector>

#include "analysis/alarms/alarms.h"
#include "views/widgets/panel_frame.h"

namespace es::views {

/// Alarms of one run, active ones first; silenced ones are left out or greyed.
class AlarmListModel : public QAbstractListModel {
    Q_OBJECT
public:
    enum Role { kTitleRole = Qt::DisplayRole, kDetailRole = Qt::UserRole, kColorRole, kSilencedRole, kActiveRole };
    using QAbstractListModel::QAbstractListModel;
    void setAlarms(std::vector<analysis::Alarm> alarms);
    void setSilenced(const QSet<QString>& keys);
    void showSilenced(bool show);
    [[nodiscard]] const QSet<QString>& silenced() const { return silenced_; }
    [[nodiscard]] const analysis::Alarm& alarm(int row) const { return alarms_[shown_[static_cast<std::size_t>(row)]]; }
    [[nodiscard]] const std::vector<analysis::Alarm>& alarms() const { return alarms_; }
    [[nodiscard]] int activeCount() const;    ///< not silenced
    [[nodiscard]] int resolvedCount() const;  ///< not silenced
    [[nodiscard]] int silencedCount() const;
    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;

private:
    void reshow();
    std::vector<analysis::Alarm> alarms_;
    std::vector<std::size_t> shown_;
    QSet<QString> silenced_;
    bool show_silenced_ = false;
};

/// The panel of alarms: Return or a click selects what an alarm is about, S silences it.
class AlarmPanel : public PanelFrame {
    Q_OBJECT
public:
    explicit AlarmPanel(Theme* theme, QWidget* parent = nullptr);
    void setAlarms(std::vector<analysis::Alarm> alarms);
    void setSilenced(const QSet<QString>& keys);
    [[nodiscard]] const AlarmListModel* model() const { return model_; }
    [[nodiscard]] QListView* list() const { return list_; }
    [[nodiscard]] QJsonObject dump() const;

Q_SIGNALS:
    void alarmChosen(const es::analysis::Alarm& alarm);
    void silencedChanged(const QSet<QString>& keys);

private:
    void toggleSilenced();
    void refresh();
    bool eventFilter(QObject* watched, QEvent* event) override;
    Theme* theme_;
    AlarmListModel* model_;
    QListView* list_;
    IconButton *silence_, *reveal_;
};

}  // namespace es::views
