// SPDX-License-Identifier: GPL-3.0-or-later
// What the sample list is searched for: words of captions, or a query that the run's index answers.
#pragma once

#include <QObject>
#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

#include "analysis/query/named_sets.h"
#include "views/inspect/inspect_model.h"
#include "views/models/job_queue.h"
#include "views/models/latest_job.h"

namespace es::views {

/// Follows the run: its index is made in the background with the first query and again when a newer probe comes. GUI thread only.
class SampleSearch : public QObject {
    Q_OBJECT
public:
    enum class Kind { kNone, kWords, kAsking, kFound, kProblem };
    explicit SampleSearch(InspectModel* model, QObject* parent = nullptr);

    /// Words, a query, or nothing. What a query finds comes with answered(), now or later.
    void ask(const QString& text);
    [[nodiscard]] Kind kind() const { return kind_; }
    [[nodiscard]] const QString& text() const { return text_; }
    [[nodiscard]] QString words() const;  ///< to look for in captions; empty for queries
    /// What the newest answered query found; null unless one is on screen (also while a newer one is asked).
    [[nodiscard]] const analysis::QueryAnswer* found() const { return answer_ ? &*answer_ : nullptr; }
    /// One line for people: counts, or what is wrong with the query.
    [[nodiscard]] const QString& line() const { return line_; }
    [[nodiscard]] const analysis::QueryVocabulary& vocabulary() const { return vocabulary_; }

    [[nodiscard]] const std::vector<store::NamedSet>& sets() const { return sets_; }
    void saveAs(const QString& name);  ///< the query on screen; errors are said in the status bar
    void remove(const QString& name);
    [[nodiscard]] bool settled() const { return asking_.idle() && changes_.idle() && sets_job_.idle(); }

Q_SIGNALS:
    void answered();     ///< kind, found or line are new
    void setsChanged();  ///< saved sets were read, saved or removed

private:
    struct Answer {
        std::shared_ptr<const analysis::QueryIndex> index;
        analysis::QueryAnswer found;
    };
    /// The index of one state of one run; shared with jobs.
    struct Held;
    void follow();
    void readSets();
    /// A change of the saved sets of the run at hand, behind those that were asked for before; the sets are read again after it.
    void changeSets(const QString& label, std::function<Status(const store::RunReader&)> change);
    void show(Kind kind, const QString& line);

    InspectModel* model_;
    std::shared_ptr<Held> held_;
    QString run_, text_, line_;
    std::tuple<bool, std::size_t, std::uint32_t> state_{false, 0, 0};  ///< readable, probes and attempts that were answered from
    Kind kind_ = Kind::kNone;
    std::optional<analysis::QueryAnswer> answer_;
    analysis::QueryVocabulary vocabulary_;
    std::vector<store::NamedSet> sets_;
    LatestJob<Answer> asking_;
    LatestJob<std::vector<store::NamedSet>> sets_job_;
    JobQueue changes_;
};

}  // namespace es::views
