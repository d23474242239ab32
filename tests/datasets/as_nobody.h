// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <unistd.h>

#include <filesystem>

namespace es::test {

/// The superuser reads everything: gives the folder to nobody and becomes it, as long as this lives.
class AsNobody {
public:
    explicit AsNobody(const std::filesystem::path& folder) : wasRoot_(::geteuid() == 0) {
        if (!wasRoot_) return;
        constexpr uid_t kNobody = 65534;
        bool given = ::chown(folder.c_str(), kNobody, kNobody) == 0;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) given = ::chown(entry.path().c_str(), kNobody, kNobody) == 0 && given;
        changed = given && ::seteuid(kNobody) == 0;
    }
    ~AsNobody() {
        if (wasRoot_) (void)!::seteuid(0);
    }
    bool changed = true;

private:
    bool wasRoot_;
};

}  // namespace es::test
