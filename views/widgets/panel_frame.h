// SPDX-License-Identifier: GPL-3.0-or-later
// The frame of every panel: header strip, content, four designed states, notes, and the ways out (to Figures, to the clipboard, to a window of
// its own).
#pragma once

#include <QFrame>
#include <QHBoxLayout>
#include <QLabel>
#include <QMimeData>
#include <QPointer>
#include <QStackedWidget>
#include <functional>
#include <memory>
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
    ~PanelFrame() override;

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
    /// Keeps content that was there already on screen, and only a panel without any shows the words; or shows them in its place, where what was
    /// there is of another thing than what comes.
    void showLoading(const QString& words = {}, bool keep_content = true);
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
    /// What "Copy data" takes: called when the user asks. Without it the panel's own data, or the rows of a list or table inside, are copied.
    void setDataText(std::function<QString()> text) { data_text_ = std::move(text); }
    /// The panel's data, as values: enables copying as JSON and as a drawing (SVG, PDF). Called when the user asks; null while there are none.
    void setPanelSource(std::function<std::shared_ptr<const analysis::Panel>()> source) { source_ = std::move(source); }
    /// Where the samples that the panel shows come from and under which licence: goes along with every copy. Called when the user copies.
    void setCredit(std::function<QString()> credit) { credit_ = std::move(credit); }
    /// Everything that the panel can give at once: what Ctrl+C copies. Programs take what they understand: a spreadsheet the table, a drawing
    /// program the SVG, others the picture.
    [[nodiscard]] std::unique_ptr<QMimeData> copied();

    /// The panel in a window of its own, on any screen; its place shows where it went. It goes on following the selection. Closing the window
    /// brings it back.
    void detach();
    void attach();
    [[nodiscard]] bool detached() const { return window_ != nullptr; }
    [[nodiscard]] QWidget* detachedWindow() const { return window_; }
    /// Names the panel in its workspace from one start to the next.
    [[nodiscard]] QString key() const;
    [[nodiscard]] QMenu* panelMenu();  ///< as the header's button opens it, newly filled
    /// Fills views' own entries in front of the standard ones.
    void setMenuExtras(std::function<void(QMenu*)> fill) { extras_ = std::move(fill); }

Q_SIGNALS:
    void sendToFiguresRequested(const es::analysis::PanelQuery& query);
    void stateChanged();
    void detachedChanged();

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void paintBody(const QRegion& dirty);
    void paintEdge(QPainter& painter, int strip);
    void addCopies();
    void fillCopyMenu(QMenu* menu);
    [[nodiscard]] std::shared_ptr<const analysis::Panel> panel() const;  ///< with the credit among its notes
    [[nodiscard]] QString tableText() const;
    [[nodiscard]] QString creditedText() const;
    void enter(State state);
    void showNotes();
    void tintNotes();
    Theme* theme_;
    QWidget* body_;  ///< all of the panel: what moves into a window of its own
    QWidget* place_ = nullptr;
    QPointer<QWidget> window_;
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
    std::function<std::shared_ptr<const analysis::Panel>()> source_;
    std::function<QString()> credit_;
    QString first_title_;
    std::function<void(QMenu*)> extras_;
    QMenu* menu_ = nullptr;
};

}  // namespace es::views
