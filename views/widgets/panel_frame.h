// SPDX-License-Identifier: GPL-3.0-or-later
// The frame of every panel: header strip, content, four designed states, notes, and the ways out (to Figures, to the clipboard).
#pragma once

#include <QFrame>
#include <QHBoxLayout>
#include <QLabel>
#include <QStackedWidget>
#include <functional>
#include <optional>

#include "analysis/figures/figure_recipe.h"
#include "engine/base/result.h"
#include "views/theme/theme.h"
#include "views/widgets/controls.h"
#include "views/widgets/elided_label.h"
#include "views/widgets/empty_state.h"

namespace es::views {

/// GUI thread only.
class PanelFrame : public QFrame {
    Q_OBJECT
public:
    enum class State { kEmpty, kLoading, kPartial, kReady, kFailed };
    /// A button that a state offers; no text, no button.
    struct Action {
        QString text;
        std::function<void()> run;
    };

    PanelFrame(Theme* theme, const QString& title, QWidget* parent = nullptr);

    void setTitle(const QString& title);
    [[nodiscard]] QString title() const { return title_->fullText(); }
    void setContext(const QString& context);  ///< muted, right
    void hideContext();                       ///< where the header's own controls say it already
    [[nodiscard]] QString context() const { return context_->fullText(); }
    /// The widget that shows the data; the frame owns it. Margins around it in logical pixels.
    void setContent(QWidget* content, const QMargins& margins = {});
    [[nodiscard]] QWidget* content() const { return content_; }
    /// A control at the right of the header, before the menu.
    void addHeaderWidget(QWidget* widget);
    IconButton* addTool(const QString& icon, const QString& tip, std::function<void()> run);

    void showReady();
    /// Data are there but not all: the content stays and `note` joins the notes, with a warning sign.
    void showPartial(const QString& note);
    /// Keeps content that was there already on screen; only a panel without any shows the words.
    void showLoading(const QString& words = {});
    /// What would fill the panel, and the action that does.
    void showEmpty(const QString& headline, const QString& words, const Action& action = {}, const QString& icon = QStringLiteral("empty"));
    void showFailed(const Error& error, const Action& retry = {});
    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] QString stateName() const;  ///< "empty" "loading" "partial" "ready" "failed"
    [[nodiscard]] QString stateWords() const { return empty_->headline(); }

    /// What is reduced, missing or partial: always on screen, one line at the foot.
    void setNotes(const QStringList& notes);
    [[nodiscard]] QStringList notes() const { return notes_; }

    /// The query that makes this panel again: enables "Send to Figures". Empty: disabled, with `why_not` as its tooltip.
    void setPanelQuery(std::optional<analysis::PanelQuery> query, const QString& why_not = {});
    [[nodiscard]] const std::optional<analysis::PanelQuery>& panelQuery() const { return query_; }
    /// Enables "Copy data": called when the user asks; the text goes to the clipboard.
    void setDataText(std::function<QString()> text) { data_text_ = std::move(text); }
    [[nodiscard]] QMenu* panelMenu();  ///< as the header's button opens it, newly filled
    /// Fills views' own entries in front of the standard ones.
    void setMenuExtras(std::function<void(QMenu*)> fill) { extras_ = std::move(fill); }

Q_SIGNALS:
    void sendToFiguresRequested(const es::analysis::PanelQuery& query);
    void stateChanged();

protected:
    void paintEvent(QPaintEvent* event) override;
    void contextMenuEvent(QContextMenuEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    void enter(State state);
    void showNotes();
    Theme* theme_;
    ElidedLabel *title_, *context_, *notes_label_;
    QLabel* notes_icon_;
    QWidget *header_, *foot_, *holder_;
    QHBoxLayout* header_row_;
    QStackedWidget* stack_;
    EmptyState* empty_;
    QWidget* content_ = nullptr;
    IconButton* menu_button_;
    State state_ = State::kEmpty;
    bool has_shown_ = false;
    QStringList notes_;
    QString partial_note_, why_no_query_;
    std::optional<analysis::PanelQuery> query_;
    std::function<QString()> data_text_;
    std::function<void(QMenu*)> extras_;
    QMenu* menu_ = nullptr;
};

}  // namespace es::views
