// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/session/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <deque>
#include <regex>
#include <sstream>
#include <thread>

namespace es::session {
namespace {

constexpr off_t kTail = 16 * 1024;

/// A file without a name: it vanishes with its last descriptor, and a detached child can go on writing to it.
Descriptor unlinkedFile() {
    const std::string folder = std::filesystem::temp_directory_path().string();
    int descriptor = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
    if (descriptor < 0) {  // the file system does not know O_TMPFILE
        std::string name = folder + "/expertscope-XXXXXX";
        descriptor = ::mkostemp(name.data(), O_CLOEXEC | O_APPEND);
        if (descriptor >= 0) ::unlink(name.c_str());
    }
    return Descriptor(descriptor);
}

std::vector<std::string> childEnvironment() {
    std::vector<std::string> out;
    bool policy = false;
    for (char** entry = environ; *entry; ++entry) {
        out.emplace_back(*entry);
        policy = policy || out.back().starts_with("OMP_WAIT_POLICY=");
    }
    // Read when OpenMP loads. Spinning threads would take the window's processor time.
    if (!policy) out.emplace_back("OMP_WAIT_POLICY=passive");
    return out;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (std::string& text : texts) out.push_back(text.data());
    out.push_back(nullptr);
    return out;
}

}  // namespace

Result<ChildProcess> ChildProcess::start(const std::filesystem::path& program, const std::vector<std::string>& arguments) {
    ChildProcess child;
    child.words_ = unlinkedFile();
    std::vector<std::string> words{program.string()};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<std::string> environment = childEnvironment();

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (child.words_.valid()) {
        posix_spawn_file_actions_adddup2(&actions, child.words_.get(), 1);
        posix_spawn_file_actions_adddup2(&actions, child.words_.get(), 2);
    }
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    // Its own group: Ctrl+C in the window's terminal is not meant for it. Default signals: Qt and tests may ignore some.
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    const int problem = ::posix_spawnp(&child.id_, program.c_str(), &actions, &attributes, pointers(words).data(), pointers(environment).data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (problem != 0) {
        child.id_ = -1;
        return jobFailed("Cannot start the training process", ::strerror(problem), "Check that the program is installed completely", program.string());
    }
    return child;
}

std::optional<int> ChildProcess::ended() {
    if (status_ || id_ < 0) return status_;
    int status = 0;
    const pid_t got = ::waitpid(id_, &status, WNOHANG);
    if (got == id_) status_ = status;
    else if (got < 0 && errno == ECHILD) status_ = 0;  // reaped by somebody else: how it ended is not known
    return status_;
}

void ChildProcess::signal(int number) const {
    if (id_ > 0 && !status_) ::kill(id_, number);
}

std::string ChildProcess::lastWords(int count) const {
    if (!words_.valid()) return {};
    const off_t size = ::lseek(words_.get(), 0, SEEK_END);
    const off_t from = size > kTail ? size - kTail : 0;
    std::string text(static_cast<std::size_t>(size - from), '\0');
    const ssize_t got = ::pread(words_.get(), text.data(), text.size(), from);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    static const std::regex terminalCodes("\x1b\\[[0-9;]*[A-Za-z]");
    text = std::regex_replace(text, terminalCodes, "");
    std::deque<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
        if (const auto rewritten = line.rfind('\r'); rewritten != std::string::npos) line.erase(0, rewritten + 1);
        if (line.find_first_not_of(" \t") == std::string::npos) continue;
        lines.push_back(line);
        if (lines.size() > static_cast<std::size_t>(count)) lines.pop_front();
    }
    std::string out;
    for (const std::string& line : lines) out += (out.empty() ? "" : "\n") + line;
    return out;
}

void ChildProcess::abandon() {
    if (id_ < 0 || status_) return;
    std::thread([id = id_] {
        int ignored = 0;
        while (::waitpid(id, &ignored, 0) < 0 && errno == EINTR) {
        }
    }).detach();
    id_ = -1;
}

std::string describeWaitStatus(int status) {
    if (WIFSIGNALED(status)) return "it was ended by signal " + std::to_string(WTERMSIG(status)) + " (" + ::strsignal(WTERMSIG(status)) + ")";
    return "it ended with exit code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace es::session
