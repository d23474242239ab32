// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/peer_process.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/bench/timing.h"

namespace es::bench {
namespace {

/// libgomp's threads spin for some milliseconds after their work before they sleep: not on our turn.
constexpr auto kUntilAsleep = std::chrono::milliseconds(25);

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

}  // namespace

std::unique_ptr<PeerProcess> PeerProcess::start(int threads) {
    const std::string python = variable("EXPERTSCOPE_PEER_PYTHON");
    if (python.empty()) {
        std::printf("skipped: no Python to compare with. './run bench peers' makes one with PyTorch's wheel and transformers\n");
        return nullptr;
    }
    std::signal(SIGPIPE, SIG_IGN);
    std::array<int, 2> to{}, from{};
    if (::pipe(to.data()) != 0 || ::pipe(from.data()) != 0) return nullptr;
    const pid_t process = ::fork();
    if (process == 0) {
        ::dup2(to[0], STDIN_FILENO);
        ::dup2(from[1], STDOUT_FILENO);
        for (const int end : {to[0], to[1], from[0], from[1]}) ::close(end);
        // A researcher's Python has libgomp's own way of waiting; ours goes on with the product's.
        ::unsetenv("OMP_WAIT_POLICY");
        ::setenv("PYTHONPATH", (std::string(ES_SOURCE_DIR) + "/.deps").c_str(), 1);
        ::setenv("LD_LIBRARY_PATH", variable("EXPERTSCOPE_PEER_LIBRARIES").c_str(), 1);
        ::setenv("OMP_NUM_THREADS", std::to_string(threads).c_str(), 1);
        const std::string script = std::string(ES_SOURCE_DIR) + "/tests/peers/worker.py";
        ::execl(python.c_str(), python.c_str(), script.c_str(), static_cast<char*>(nullptr));
        ::_exit(127);
    }
    ::close(to[0]);
    ::close(from[1]);
    std::unique_ptr<PeerProcess> peer(new PeerProcess(process, ::fdopen(to[1], "w"), ::fdopen(from[0], "r")));
    std::fputs("{\"do\": \"hello\"}\n", peer->to_);
    std::fflush(peer->to_);
    std::string line;
    if (process < 0 || !peer->answers(line)) {
        std::printf("skipped: %s cannot import torch, transformers and safetensors\n", python.c_str());
        return nullptr;
    }
    const auto hello = nlohmann::json::parse(line);
    std::printf("peer: PyTorch %s, transformers %s, %d threads\n", hello.at("torch").get<std::string>().c_str(),
                hello.at("transformers").get<std::string>().c_str(), hello.at("threads").get<int>());
    return peer;
}

PeerProcess::~PeerProcess() {
    std::fclose(to_);  // the end of its input ends it
    std::fclose(from_);
    ::waitpid(process_, nullptr, 0);
}

bool PeerProcess::answers(std::string& line) {
    line.clear();
    for (int c = std::fgetc(from_); c != EOF; c = std::fgetc(from_)) {
        if (c == '\n') return true;
        line.push_back(static_cast<char>(c));
    }
    return false;
}

nlohmann::json PeerProcess::ask(const nlohmann::json& question) {
    std::fputs((question.dump() + "\n").c_str(), to_);
    std::fflush(to_);
    std::string line;
    if (!answers(line)) {
        std::fprintf(stderr, "the Python peer ended at %s\n", question.dump().c_str());
        std::exit(1);
    }
    return nlohmann::json::parse(line);
}

double PeerProcess::turn() {
    const double time = ask({{"do", "turn"}}).at(chosenClock() == CLOCK_MONOTONIC ? "ms" : "processor_ms");
    std::this_thread::sleep_for(kUntilAsleep);
    return time;
}

}  // namespace es::bench
