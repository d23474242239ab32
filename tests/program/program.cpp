// SPDX-License-Identifier: GPL-3.0-or-later
#include "program/program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <spdlog/fmt/fmt.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "engine/base/files.h"
#include "engine/base/hash.h"
#include "engine/store/run_reader.h"

extern char** environ;

namespace es::test {
namespace fs = std::filesystem;
namespace {

template <class T>
void add(std::uint64_t& hash, const std::vector<T>& values) {
    hash = hash64(std::as_bytes(std::span(values)), hash);
}

bool isTiming(const std::string& name) {
    return name.starts_with("time/") || name.starts_with("throughput/") || name.starts_with("memory/") || name.starts_with("recorder/");
}

}  // namespace

Program::Program(const std::vector<std::string>& arguments, const fs::path& folder) {
    static std::atomic<int> count = 0;
    const int id = ++count;
    out_ = folder / fmt::format("stdout-{}.txt", id);
    err_ = folder / fmt::format("stderr-{}.txt", id);
    std::vector<std::string> words{fs::path(ES_BINARY_DIR) / "bin" / "expertscope"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ) != 0) ADD_FAILURE() << "cannot start " << argv[0];
    posix_spawn_file_actions_destroy(&actions);
}

Program::~Program() {
    if (ended_ || pid_ < 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, &status_, 0);
}

bool Program::running() {
    if (!ended_ && waitpid(pid_, &status_, WNOHANG) == pid_) ended_ = true;
    return !ended_;
}

void Program::signal(int number) {
    if (running()) kill(pid_, number);
}

Outcome Program::wait() {
    if (!ended_) waitpid(pid_, &status_, 0);
    ended_ = true;
    const int code = WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
    return {code, readFile(out_).value_or(""), readFile(err_).value_or("")};
}

Outcome runProgram(const std::vector<std::string>& arguments, const fs::path& folder) { return Program(arguments, folder).wait(); }

fs::path writeTinyConfig(const fs::path& folder, const std::string& extraTrain, const std::string& extraRecord) {
    const fs::path path = folder / "tiny.toml";
    const std::string text = fmt::format(
        "[run]\nname = \"tiny\"\nthreads = 1\n[data]\ncache = \"{}\"\nimage_size = 16\nvocabulary = 256\nmax_words = 8\n"
        "[model]\nwidth = 32\nlayers = 3\nheads = 2\npatch = 4\nffn_width = 32\nmoe_layers = [0, 1]\n[moe]\nexperts = 4\nexpert_width = 32\n"
        "[train]\nbatch_images = 4\nbatch_texts = 4\nbatch_pairs = 4\n{}\n[record]\n{}\n",
        (fs::path(ES_BINARY_DIR) / "test-data").string(), extraTrain, extraRecord);
    EXPECT_TRUE(writeFileAtomically(path, text));
    return path;
}

std::string digest(const fs::path& folder) {
    auto reader = store::RunReader::open(folder);
    if (!reader) return "cannot open: " + reader.error().message();
    std::string text;
    auto names = (*reader)->scalarNames();
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
        if (isTiming(name)) continue;
        const auto series = (*reader)->scalars(name);
        if (!series) return series.error().message();
        std::uint64_t hash = 0;
        add(hash, series->step);
        add(hash, series->value);
        text += fmt::format("scalar {} {} {}\n", name, series->step.size(), hashText(hash));
    }
    for (const auto& router : (*reader)->routers()) {
        const auto loads = (*reader)->loadRecords(router.id);
        if (!loads) return loads.error().message();
        std::uint64_t hash = 0;
        for (const auto& load : *loads) {
            add(hash, std::vector<std::int64_t>{load.step, load.tokens, load.dropped});
            add(hash, load.counts_E);
            add(hash, load.mass_E);
            add(hash, std::vector<float>{load.entropy_nats, load.top1, load.logsumexp, load.max_abs_logit, load.balance_loss, load.z_loss});
        }
        text += fmt::format("load {} {} {}\n", router.id.value, loads->size(), hashText(hash));
        store::TraceQuery query;
        query.router = router.id;
        const auto trace = (*reader)->trace(query);
        if (!trace) return trace.error().message();
        hash = 0;
        add(hash, trace->expert_ids);
        add(hash, trace->gates);
        add(hash, trace->sample_T);
        add(hash, trace->position_T);
        add(hash, trace->masked_T);
        text += fmt::format("trace {} {} {}\n", router.id.value, trace->tokens, hashText(hash));
    }
    const auto checkpoints = (*reader)->checkpoints();
    if (!checkpoints.empty()) {
        for (const char* file : {"model.safetensors", "optimizer.safetensors"}) {
            const auto content = readFile(folder / checkpoints.back().folder / file);
            text += fmt::format("{} at {} {}\n", file, checkpoints.back().step, content ? hashText(hash64(std::string_view(*content))) : "missing");
        }
    }
    return text;
}

}  // namespace es::test
