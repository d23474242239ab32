// SPDX-License-Identifier: GPL-3.0-or-later
// A Python process that does the same work as we, to take turns with: one line of JSON each way.
#pragma once

#include <sys/types.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace es::bench {

class PeerProcess {
public:
    /// tests/peers/worker.py under the Python that EXPERTSCOPE_PEER_PYTHON names, with that many threads. Null, with the reason printed,
    /// where there is none or it lacks what it needs.
    [[nodiscard]] static std::unique_ptr<PeerProcess> start(int threads);
    ~PeerProcess();
    PeerProcess(const PeerProcess&) = delete;
    PeerProcess& operator=(const PeerProcess&) = delete;
    /// Its answer; ends the program with its words when it fails.
    nlohmann::json ask(const nlohmann::json& question);
    /// One turn of what was asked for last, in milliseconds of its own clock (chosenClock()). Waits until its threads have gone to sleep.
    double turn();

private:
    PeerProcess(pid_t process, FILE* to, FILE* from) : process_(process), to_(to), from_(from) {}
    [[nodiscard]] bool answers(std::string& line);

    pid_t process_;
    FILE *to_, *from_;
};

}  // namespace es::bench
