// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/sample_search.h"

#include <mutex>

#include "analysis/figures/wording.h"

namespace es::views {
namespace {

QString problemLine(const Error& error) {
    QString line = QString::fromStdString(error.why);
    if (!error.remedy.empty()) line += QStringLiteral(". ") + QString::fromStdString(error.remedy);
    return line.isEmpty() ? line : line.left(1).toUpper() + line.mid(1);
}

}  // namespace

struct SampleSearch::Held {
    std::mutex mutex;
    std::shared_ptr<const analysis::QueryIndex> index;
};

SampleSearch::SampleSearch(InspectModel* model, QObject* parent)
    : QObject(parent), model_(model), held_(std::make_shared<Held>()),
      asking_(model->context().jobs, this, QStringLiteral("search"), tr("Searching the run"),
              [this](Result<Answer> result) {
                  if (!result) {
                      answer_.reset();
                      return show(Kind::kProblem, problemLine(result.error()));
                  }
                  vocabulary_ = result->index->vocabulary();
                  answer_ = std::move(result->found);
                  const auto count = static_cast<std::int64_t>(answer_->samples.size());
                  QString line = QString::fromStdString(analysis::plural(count, "sample"));
                  if (answer_->step >= 0)
                      line = tr("%1 of %2 · step %3")
                                 .arg(QString::fromStdString(analysis::plural(answer_->found_tokens, "token")), line,
                                      QString::fromStdString(analysis::grouped(answer_->step)));
                  for (const std::string& note : answer_->notes) line += QStringLiteral("\n") + QString::fromStdString(note);
                  show(Kind::kFound, line);
              }),
      sets_job_(model->context().jobs, this, QStringLiteral("sets"), tr("Reading the saved sets"),
                [this](Result<std::vector<store::NamedSet>> result) {
                    if (!result) return model_->context().sayError ? model_->context().sayError(result.error()) : void();
                    sets_ = std::move(*result);
                    Q_EMIT setsChanged();
                }),
      changes_(model->context().jobs, this, QStringLiteral("set")) {
    connect(model_, &InspectModel::runChanged, this, &SampleSearch::follow);
    follow();
}

QString SampleSearch::words() const {
    if (kind_ != Kind::kWords) return {};
    const QChar first = text_.isEmpty() ? QChar() : text_.front();
    const bool quoted = text_.size() >= 2 && (first == QLatin1Char('"') || first == QLatin1Char('\'')) && text_.back() == first;
    return quoted ? text_.mid(1, text_.size() - 2) : text_;
}

void SampleSearch::show(Kind kind, const QString& line) {
    kind_ = kind;
    line_ = line;
    Q_EMIT answered();
}

void SampleSearch::follow() {
    const QString run = model_->shown().run;
    const std::tuple state{model_->reader() != nullptr, model_->contents().steps.size(), model_->contents().attempts};
    if (run == run_ && state == state_) return;
    const bool other = run != run_;
    run_ = run;
    state_ = state;
    held_ = std::make_shared<Held>();
    asking_.drop();  // of what the run was before
    if (other) {
        sets_job_.drop();
        answer_.reset();
        vocabulary_ = {};
        sets_.clear();
        Q_EMIT setsChanged();
    }
    if (model_->reader()) readSets();
    if (!text_.isEmpty()) ask(text_);
}

void SampleSearch::ask(const QString& text) {
    text_ = text;
    asking_.drop();
    const std::string query = text.toStdString();
    if (text.isEmpty()) {
        answer_.reset();
        return show(Kind::kNone, {});
    }
    if (!analysis::looksLikeQuery(query)) {
        answer_.reset();
        return show(Kind::kWords, {});
    }
    auto parsed = analysis::parseQuery(query);
    if (!parsed) {
        answer_.reset();
        return show(Kind::kProblem, problemLine(parsed.error().error(query)));
    }
    if (!model_->reader()) return show(Kind::kAsking, {});
    show(Kind::kAsking, tr("Searching…"));
    asking_.request(
        [reader = model_->reader(), held = held_, parsed = std::move(*parsed)](JobContext& context) -> Result<Answer> {
            std::shared_ptr<const analysis::QueryIndex> index;
            {
                const std::lock_guard lock(held->mutex);
                index = held->index;
            }
            if (!index) {
                auto made = analysis::QueryIndex::make(*reader, {-1, analysis::queryCacheFolder()}, context);
                if (!made) return tl::unexpected(made.error());
                index = std::move(*made);
                const std::lock_guard lock(held->mutex);
                held->index = index;
            }
            auto found = index->answer(parsed, context);
            if (!found) return tl::unexpected(found.error());
            return Answer{std::move(index), std::move(*found)};
        },
        true);
}

void SampleSearch::readSets() {
    sets_job_.request([folder = model_->reader()->folder()](JobContext&) { return store::Annotations(folder).namedSets(); }, true);
}

void SampleSearch::changeSets(const QString& label, std::function<Status(const store::RunReader&)> change) {
    if (!model_->reader()) return;
    changes_.add<bool>(
        label, [reader = model_->reader(), change = std::move(change)](JobContext&) -> Result<bool> { return change(*reader).map([] { return true; }); },
        [this](Result<bool> done) {
            if (!done) model_->context().sayError(done.error());
            if (model_->reader()) readSets();
        });
}

void SampleSearch::saveAs(const QString& name) {
    changeSets(tr("Saving the set"),
               [name = name.trimmed().toStdString(), query = text_.toStdString()](const store::RunReader& run) { return analysis::saveSet(run, name, query); });
}

void SampleSearch::remove(const QString& name) {
    changeSets(tr("Removing the set"), [name = name.toStdString()](const store::RunReader& run) { return store::Annotations(run.folder()).removeSet(name); });
}

}  // namespace es::views
