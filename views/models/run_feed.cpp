// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/models/run_feed.h"

#include <QDir>
#include <QFileInfo>
#include <QPointer>
#include <algorithm>
#include <cmath>

#include "views/models/file_paths.h"

namespace es::views {
namespace {

constexpr int kLivePollMs = 250;
constexpr int kIdlePollMs = 5000;
constexpr int kRetryMs = 1000;  // a run that is about to be written is soon there
constexpr int kListMs = 2000;

/// By text alone: the GUI thread asks no disk, which may be a slow or dead network's.
QString canonical(const QString& folder) { return QDir::cleanPath(QDir::current().absoluteFilePath(folder)); }

bool same(const store::RunSummary& a, const store::RunSummary& b) {
    const bool loss = a.validation_loss == b.validation_loss || (std::isnan(a.validation_loss) && std::isnan(b.validation_loss));
    return loss && a.folder == b.folder && a.name == b.name && a.uuid == b.uuid && a.group_hash == b.group_hash && a.ffn == b.ffn && a.seed == b.seed &&
           a.step == b.step && a.steps == b.steps && a.state == b.state && a.problem == b.problem && a.warning == b.warning;
}

struct Refreshed {
    store::RunChange change;
    store::RunStatus status;
};

}  // namespace

RunFeed::RunFeed(QString folder, JobRunner* jobs, QObject* parent) : QObject(parent), folder_(std::move(folder)), jobs_(jobs) {
    timer_.setSingleShot(true);
    connect(&timer_, &QTimer::timeout, this, &RunFeed::refreshNow);
    open();
}

void RunFeed::open() {
    using Opened = std::pair<std::shared_ptr<store::RunReader>, store::RunStatus>;
    jobs_->run<Opened>(
        this, QStringLiteral("open"), tr("Opening %1").arg(QFileInfo(folder_).fileName()),
        [path = toPath(folder_)](JobContext& context) -> Result<Opened> {
            auto reader = store::RunReader::open(path, context);
            if (!reader) return tl::unexpected(reader.error());
            if (auto first = (*reader)->refresh(context); !first) return tl::unexpected(first.error());
            const store::RunStatus status = (*reader)->status();
            return Opened{*reader, status};
        },
        [this](Result<Opened> result) {
            if (result) {
                reader_ = result->first;
                status_ = result->second;
                state_ = State::kOpen;
                timer_.start(status_.state == store::RunState::kTraining ? kLivePollMs : kIdlePollMs);
            } else {
                error_ = result.error();
                state_ = State::kFailed;
                timer_.start(kRetryMs);
            }
            Q_EMIT opened();
        });
}

void RunFeed::refreshNow() {
    if (state_ == State::kFailed) return open();
    if (state_ != State::kOpen) return;
    timer_.stop();
    jobs_->run<Refreshed>(
        this, QStringLiteral("refresh"), tr("Reading %1").arg(QFileInfo(folder_).fileName()),
        [reader = reader_](JobContext& context) -> Result<Refreshed> {
            auto change = reader->refresh(context);
            if (!change) return tl::unexpected(change.error());
            return Refreshed{*change, reader->status()};
        },
        [this](Result<Refreshed> result) {
            if (result) {
                const bool moved = result->change.any() || result->status.state != status_.state || result->status.warnings != status_.warnings;
                status_ = result->status;
                if (moved) Q_EMIT changed(result->change);
            } else {
                // The run stays open with what was read; its trouble is told once.
                const std::string trouble = result.error().message();
                if (std::find(status_.warnings.begin(), status_.warnings.end(), trouble) == status_.warnings.end()) {
                    status_.warnings.push_back(trouble);
                    Q_EMIT changed(store::RunChange{});
                }
            }
            timer_.start(status_.state == store::RunState::kTraining ? kLivePollMs : kIdlePollMs);
        });
}

RunFeedHub::RunFeedHub(JobRunner* jobs, QObject* parent) : QObject(parent), jobs_(jobs) {
    timer_.setSingleShot(true);
    connect(&timer_, &QTimer::timeout, this, &RunFeedHub::list);
}

void RunFeedHub::setFolders(const QStringList& folders) {
    folders_.clear();
    for (const QString& folder : folders) folders_ << canonical(folder);
    list();
}

void RunFeedHub::addRun(const QString& folder) {
    const QString path = canonical(folder);
    for (const QString& known : folders_)
        if (path == known || path.startsWith(known + QLatin1Char('/'))) return list();
    folders_ << path;
    list();
}

void RunFeedHub::list() {
    timer_.stop();
    std::vector<std::filesystem::path> paths;
    for (const QString& folder : folders_) paths.push_back(toPath(folder));
    jobs_->run<std::vector<store::RunSummary>>(
        this, QStringLiteral("list"), tr("Looking for runs"),
        [paths](JobContext&) -> Result<std::vector<store::RunSummary>> {
            std::vector<store::RunSummary> all;
            for (const auto& path : paths) {
                auto some = store::listRuns(path);
                if (!some) continue;  // a folder that does not exist yet has no runs yet
                for (store::RunSummary& run : *some) {
                    run.folder = std::filesystem::path(canonical(QString::fromStdString(run.folder.string())).toStdString());
                    const bool known = std::any_of(all.begin(), all.end(), [&](const store::RunSummary& other) { return other.folder == run.folder; });
                    if (!known) all.push_back(std::move(run));
                }
            }
            return all;
        },
        [this](Result<std::vector<store::RunSummary>> result) {
            const bool moved = !listed_ || (result && !std::equal(runs_.begin(), runs_.end(), result->begin(), result->end(), same));
            if (result) {
                runs_ = std::move(*result);
                // Oldest first, so that a new run never takes another's colour.
                std::vector<const store::RunSummary*> by_age;
                for (const auto& run : runs_) by_age.push_back(&run);
                std::stable_sort(by_age.begin(), by_age.end(), [](const auto* a, const auto* b) { return a->created_s < b->created_s; });
                for (const auto* run : by_age) {
                    const QString folder = QString::fromStdString(run->folder.string());
                    const QString key = run->group_hash.empty() ? folder : QString::fromStdString(run->group_hash);
                    if (!groups_.contains(key)) groups_.insert(key, static_cast<int>(groups_.size()));
                    folder_groups_.insert(folder, groups_.value(key));
                }
            }
            listed_ = true;
            timer_.start(kListMs);
            if (moved) Q_EMIT runsChanged();
        });
}

RunFeed* RunFeedHub::feed(const QString& folder) {
    const QString path = canonical(folder);
    RunFeed*& feed = feeds_[path];
    if (!feed) feed = new RunFeed(path, jobs_, this);
    return feed;
}

int RunFeedHub::colorGroup(const QString& folder) const { return folder_groups_.value(canonical(folder), 0); }

}  // namespace es::views
