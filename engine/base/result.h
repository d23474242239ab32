// SPDX-License-Identifier: GPL-3.0-or-later
// Errors that a person can act on, and the type that functions at a boundary return.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace es {

/// What went wrong, seen from outside. The values are the exit codes of the command line.
enum class ErrorKind { kJobFailed = 1, kWrongCall = 2, kBadInput = 3, kStopped = 130 };

/// A failure told to a person: what failed, why, what to do about it, and where (a path, with the place in the file if known).
struct Error {
    ErrorKind kind = ErrorKind::kJobFailed;
    std::string what;    ///< "Cannot read the picture"
    std::string why;     ///< "the file ends before the picture does"
    std::string remedy;  ///< "Replace the file, or run 'expertscope data check' to list all damaged ones"
    std::string path;    ///< "animals/cat.png", may be empty; "run.toml:12" where a line is known

    /// One line: what: why. Remedy. (path)
    [[nodiscard]] std::string message() const;
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

/// Shorthand for returning a failure: `return badInput("Cannot read the picture", "it is empty", "Remove it", path);`
[[nodiscard]] inline tl::unexpected<Error> badInput(std::string what, std::string why, std::string remedy, std::string path = {}) {
    return tl::unexpected(Error{ErrorKind::kBadInput, std::move(what), std::move(why), std::move(remedy), std::move(path)});
}
[[nodiscard]] inline tl::unexpected<Error> jobFailed(std::string what, std::string why, std::string remedy, std::string path = {}) {
    return tl::unexpected(Error{ErrorKind::kJobFailed, std::move(what), std::move(why), std::move(remedy), std::move(path)});
}
[[nodiscard]] inline tl::unexpected<Error> wrongCall(std::string what, std::string why, std::string remedy) {
    return tl::unexpected(Error{ErrorKind::kWrongCall, std::move(what), std::move(why), std::move(remedy), {}});
}
[[nodiscard]] inline tl::unexpected<Error> stopped(std::string what) {
    return tl::unexpected(Error{ErrorKind::kStopped, std::move(what), "it was asked to stop", {}, {}});
}

}  // namespace es
