// SPDX-License-Identifier: GPL-3.0-or-later
// The two sides of a comparison are types, so they cannot be swapped: every difference is candidate minus baseline.
#pragma once

#include <utility>

namespace es::analysis {

template <class T>
struct Baseline {
    T value;
    explicit Baseline(T v) : value(std::move(v)) {}
    const T* operator->() const { return &value; }
    const T& operator*() const { return value; }
};

template <class T>
struct Candidate {
    T value;
    explicit Candidate(T v) : value(std::move(v)) {}
    const T* operator->() const { return &value; }
    const T& operator*() const { return value; }
};

}  // namespace es::analysis
