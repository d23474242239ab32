// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/folder_scan.h"

#include <fcntl.h>
#include <spdlog/fmt/fmt.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "datasets/caption_text.h"
#include "engine/base/hash.h"

namespace es::datasets {
namespace fs = std::filesystem;
namespace {

constexpr int kDeepest = 64;

std::string lowered(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

// Formats that cannot be decoded are listed too, so that they are reported and not passed over.
constexpr std::array<std::string_view, 22> kPictureExtensions{".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp",  ".dib", ".tif", ".tiff", ".pbm",
                                                              ".pgm", ".ppm", ".pnm",  ".gif", ".avif", ".heic", ".heif", ".jxl", ".jp2", ".svg",  ".apng"};
constexpr std::array<std::string_view, 9> kAboutTheFolder{"readme", "license", "licence", "copying", "copyright", "credits", "notice", "authors", "changelog"};

std::optional<FileKind> kindOf(const fs::path& path) {
    const std::string name = lowered(path.filename().string()), extension = lowered(path.extension().string());
    if (name == "metadata.csv" || name == "metadata.jsonl") return FileKind::kMetadata;
    if (std::find(kPictureExtensions.begin(), kPictureExtensions.end(), extension) != kPictureExtensions.end()) return FileKind::kPicture;
    const std::string stem = lowered(path.stem().string());
    if (extension == ".txt" && std::find(kAboutTheFolder.begin(), kAboutTheFolder.end(), stem) == kAboutTheFolder.end()) return FileKind::kText;
    return std::nullopt;
}

class Walk {
public:
    Walk(const fs::path& root, const JobContext& context) : root_(root), context_(context) {}

    Status walk(const fs::path& folder, const std::string& prefix, int depth) {
        struct stat about {};
        if (::stat(folder.c_str(), &about) != 0) return cannotRead(prefix, std::generic_category().message(errno));
        const std::pair<dev_t, ino_t> identity{about.st_dev, about.st_ino};
        if (std::find(above_.begin(), above_.end(), identity) != above_.end()) {
            scan.problems.push_back({prefix, "a symbolic link leads back to a folder above: not followed"});
            return {};
        }
        if (!visited_.insert(identity).second) {
            scan.notes.push_back({prefix, "the same folder was already read by another path"});
            return {};
        }
        if (depth > kDeepest) {
            scan.problems.push_back({prefix, fmt::format("more than {} folders deep: not read", kDeepest)});
            return {};
        }
        std::error_code error;
        std::vector<fs::path> entries;
        for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) entries.push_back(it->path());
        if (error) return cannotRead(prefix, error.message());
        std::sort(entries.begin(), entries.end());
        above_.push_back(identity);
        for (const auto& entry : entries) {
            if (context_.stopRequested()) return stopped("Reading the folder");
            if (auto visited = visit(entry, prefix, depth); !visited) return visited;
        }
        above_.pop_back();
        return {};
    }

    FolderScan scan;
    std::int64_t other = 0;

private:
    Status cannotRead(const std::string& prefix, const std::string& why) {
        if (prefix.empty()) return badInput("Cannot read the folder", why, "Check the path and its permissions", root_.string());
        scan.problems.push_back({prefix, "the folder cannot be read: " + why});
        return {};
    }

    Status visit(const fs::path& entry, const std::string& prefix, int depth) {
        const std::string name = entry.filename().string();
        if (name.starts_with('.')) return {};
        const std::string path = prefix.empty() ? name : prefix + "/" + name;
        struct stat about {};
        const auto kind = kindOf(entry);
        if (::stat(entry.c_str(), &about) != 0) {
            const int error = errno;
            scan.problems.push_back({path, error == ELOOP    ? "a symbolic link that leads in a circle"
                                           : error == ENOENT ? "a symbolic link to a file that is not there"
                                                             : std::generic_category().message(error)});
            return {};
        }
        if (S_ISDIR(about.st_mode)) return walk(entry, path, depth + 1);
        if (!kind) {
            ++other;
            return {};
        }
        if (!S_ISREG(about.st_mode)) {  // opening a pipe would wait for ever
            scan.problems.push_back({path, "not a regular file"});
            return {};
        }
        const std::string print = fmt::format("{}\n{}\n{}.{}\n{}", path, about.st_size, about.st_mtim.tv_sec, about.st_mtim.tv_nsec,
                                              ::faccessat(AT_FDCWD, entry.c_str(), R_OK, AT_EACCESS));
        scan.fingerprint = hash64(print, scan.fingerprint);
        scan.files.push_back({path, *kind});
        if (scan.files.size() % 1000 == 0) context_.progress(static_cast<std::int64_t>(scan.files.size()), 0, "Reading the folder");
        return {};
    }

    const fs::path& root_;
    const JobContext& context_;
    std::set<std::pair<dev_t, ino_t>> visited_;
    std::vector<std::pair<dev_t, ino_t>> above_;
};

}  // namespace

Result<FolderScan> scanFolder(const fs::path& root, const JobContext& context) {
    std::error_code error;
    const auto status = fs::status(root, error);
    if (!fs::exists(status)) return badInput("Cannot read the folder", "there is no such folder", "Check the path", root.string());
    if (!fs::is_directory(status)) return badInput("Cannot read the folder", "it is a file", "Name the folder that holds the pictures", root.string());
    Walk walk(root, context);
    if (auto walked = walk.walk(root, {}, 0); !walked) return tl::unexpected(walked.error());
    FolderScan scan = std::move(walk.scan);
    if (walk.other > 0) scan.notes.push_back({root.string(), fmt::format("{} files of other kinds were left aside", walk.other)});
    if (scan.files.empty()) {
        std::string why = "it holds no pictures and no captions";
        if (!scan.problems.empty()) why += fmt::format("; {}: {}", scan.problems[0].path, scan.problems[0].why);
        return badInput("Cannot use the folder", repairUtf8(why),
                        "Put PNG or JPEG pictures there, with captions in metadata.csv, metadata.jsonl or a .txt beside each", root.string());
    }
    std::sort(scan.files.begin(), scan.files.end(), [](const FolderFile& a, const FolderFile& b) { return a.path < b.path; });
    return scan;
}

}  // namespace es::datasets
