// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/compare/run_groups.h"

#include <QCoreApplication>
#include <QRegularExpression>
#include <algorithm>
#include <cmath>
#include <map>

namespace es::views {

namespace {

int rankOf(const QString& ffn) { return ffn == QStringLiteral("dense") ? 0 : ffn == QStringLiteral("scaled_dense") ? 1 : 2; }

/// "dense-seed2" and "dense-seed3" are called "dense".
QString commonName(const std::vector<const store::RunSummary*>& runs) {
    QString name = QString::fromStdString(runs.front()->name);
    if (runs.size() == 1) return name;
    for (const auto* run : runs) {
        const QString other = QString::fromStdString(run->name);
        qsizetype same = 0;
        while (same < std::min(name.size(), other.size()) && name[same] == other[same]) ++same;
        name.truncate(same);
    }
    static const QRegularExpression tail(QStringLiteral("[-_. ]*(seed|s)?[-_. ]*$"));
    const QString bare = QString(name).remove(tail);
    return bare.isEmpty() ? QString::fromStdString(runs.front()->name) : bare;
}

}  // namespace

QString RunChoice::words() const {
    return runs.size() == 1 ? QCoreApplication::translate("RunChoice", "%1 · 1 seed").arg(name)
                            : QCoreApplication::translate("RunChoice", "%1 · %2 seeds").arg(name).arg(runs.size());
}

std::vector<RunChoice> groupRuns(const std::vector<store::RunSummary>& runs) {
    std::map<std::string, std::vector<const store::RunSummary*>> byHash;
    for (const auto& run : runs)
        if (run.problem.empty()) byHash[run.group_hash.empty() ? run.folder.string() : run.group_hash].push_back(&run);
    std::vector<RunChoice> groups;
    for (auto& [hash, members] : byHash) {
        std::sort(members.begin(), members.end(), [](const auto* a, const auto* b) { return std::tie(a->seed, a->name) < std::tie(b->seed, b->name); });
        RunChoice group;
        group.name = commonName(members);
        group.ffn = QString::fromStdString(members.front()->ffn);
        for (const auto* run : members) {
            group.runs.append(QString::fromStdString(run->folder.string()));
            group.evaluated = group.evaluated || std::isfinite(run->validation_loss);
            group.created_s = std::max(group.created_s, run->created_s);
        }
        groups.push_back(std::move(group));
    }
    std::stable_sort(groups.begin(), groups.end(), [](const RunChoice& a, const RunChoice& b) {
        return rankOf(a.ffn) != rankOf(b.ffn) ? rankOf(a.ffn) < rankOf(b.ffn) : a.created_s > b.created_s;
    });
    return groups;
}

DefaultSides defaultSides(const std::vector<RunChoice>& groups) {
    DefaultSides sides;
    const auto first = [&](auto wanted) {
        for (const bool evaluated : {true, false})
            for (std::size_t i = 0; i < groups.size(); ++i)
                if (wanted(groups[i]) && (groups[i].evaluated || !evaluated)) return static_cast<int>(i);
        return -1;
    };
    sides.candidate = first([](const RunChoice& g) { return rankOf(g.ffn) == 2; });
    sides.baseline = first([](const RunChoice& g) { return rankOf(g.ffn) == 0; });
    if (sides.baseline < 0) sides.baseline = first([](const RunChoice& g) { return rankOf(g.ffn) == 1; });
    const auto other = [&](int taken) { return first([&](const RunChoice& g) { return &g != &groups[static_cast<std::size_t>(std::max(0, taken))]; }); };
    if (sides.candidate < 0 && sides.baseline >= 0) sides.candidate = other(sides.baseline);
    if (sides.baseline < 0 && sides.candidate >= 0) sides.baseline = other(sides.candidate);
    return sides;
}

int groupOf(const std::vector<RunChoice>& groups, const QStringList& runs) {
    int best = -1;
    qsizetype most = 0;
    for (std::size_t i = 0; i < groups.size(); ++i) {
        const auto shared = std::count_if(groups[i].runs.begin(), groups[i].runs.end(), [&](const QString& run) { return runs.contains(run); });
        if (shared > most) {
            most = shared;
            best = static_cast<int>(i);
        }
    }
    return best;
}

}  // namespace es::views
