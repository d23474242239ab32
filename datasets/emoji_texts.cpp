// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/emoji_texts.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <pugixml.hpp>
#include <unordered_map>

#include "datasets/caption_text.h"
#include "engine/base/files.h"

namespace es::datasets {
namespace fs = std::filesystem;
namespace {

constexpr char32_t kEmojiPresentation = 0xFE0F;

struct Annotation {
    std::string name;
    std::vector<std::string> keywords;
};
using Annotations = std::unordered_map<std::string, Annotation>;

// CLDR's code points come without U+FE0F.
std::string withoutPresentation(std::u32string_view codePoints) {
    std::u32string kept;
    for (const char32_t c : codePoints)
        if (c != kEmojiPresentation) kept += c;
    return toUtf8(kept);
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::vector<std::string> splitAt(std::string_view text, std::string_view separator) {
    std::vector<std::string> parts;
    while (true) {
        const auto at = text.find(separator);
        if (const auto part = trimmed(text.substr(0, at)); !part.empty()) parts.emplace_back(part);
        if (at == std::string_view::npos) return parts;
        text.remove_prefix(at + separator.size());
    }
}

Status readAnnotations(const fs::path& file, Annotations& into) {
    auto content = readFile(file, std::uintmax_t{1} << 28);
    if (!content) return tl::unexpected(content.error());
    pugi::xml_document document;
    const auto parsed = document.load_buffer_inplace(content->data(), content->size());
    if (!parsed) return badInput("Cannot read the emoji names", parsed.description(), "Reinstall the package unicode-cldr-core", file.string());
    for (const auto node : document.child("ldml").child("annotations").children("annotation")) {
        Annotation& annotation = into[withoutPresentation(toCodePoints(node.attribute("cp").value()))];
        if (std::strcmp(node.attribute("type").value(), "tts") == 0) annotation.name = trimmed(node.text().get());
        else annotation.keywords = splitAt(node.text().get(), "|");
    }
    return {};
}

// A keyword that is the name, or a whole part of it ("dark skin tone"), adds nothing to the caption.
std::vector<std::string> newKeywords(const Annotation& annotation) {
    std::vector<std::string> parts{annotation.name};
    for (const auto& half : splitAt(annotation.name, ": "))
        for (const auto& part : splitAt(half, ", ")) parts.push_back(part);
    std::vector<std::string> kept;
    for (const auto& keyword : annotation.keywords) {
        const bool known = std::any_of(parts.begin(), parts.end(), [&](const auto& part) { return splitKey(part) == splitKey(keyword); });
        if (!known) kept.push_back(keyword);
    }
    return kept;
}

std::u32string parseCodePoints(std::string_view text) {
    std::u32string out;
    for (const auto& part : splitAt(text, " ")) {
        std::uint32_t value = 0;
        const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value, 16);
        if (error != std::errc{} || end != part.data() + part.size() || value > 0x10FFFF) return {};
        out += static_cast<char32_t>(value);
    }
    return out;
}

// Distributions put fonts into different subfolders: by name, anywhere below the font folders, the first in order.
fs::path findFont(const fs::path& root) {
    std::vector<fs::path> folders{root / "fonts"};
    if (root == "/usr/share") {
        folders.emplace_back("/usr/local/share/fonts");
        if (const char* home = std::getenv("HOME"); home && *home) folders.push_back(fs::path(home) / ".local/share/fonts");
    }
    for (const auto& folder : folders) {
        std::vector<fs::path> found;
        std::error_code error;
        for (fs::recursive_directory_iterator it(folder, fs::directory_options::skip_permission_denied, error), end; !error && it != end; it.increment(error)) {
            const std::string name = it->path().filename().string();
            if (name.starts_with("NotoColorEmoji") && name.ends_with(".ttf")) found.push_back(it->path());
        }
        if (!found.empty()) return *std::min_element(found.begin(), found.end());
    }
    return {};
}

}  // namespace

EmojiFiles findEmojiFiles(const fs::path& root) {
    EmojiFiles files;
    files.font = findFont(root);
    files.annotations = root / "unicode/cldr/common/annotations/en.xml";
    files.derived = root / "unicode/cldr/common/annotationsDerived/en.xml";
    files.groups = root / "unicode/emoji/emoji-test.txt";
    std::error_code error;
    if (files.font.empty()) files.missing.emplace_back("fonts-noto-color-emoji");
    if (!fs::exists(files.annotations, error) || !fs::exists(files.derived, error)) files.missing.emplace_back("unicode-cldr-core");
    if (!fs::exists(files.groups, error)) files.missing.emplace_back("unicode-data");
    return files;
}

Result<std::vector<EmojiText>> readEmojiTexts(const EmojiFiles& files) {
    Annotations annotations;
    for (const auto& file : {files.annotations, files.derived})
        if (auto read = readAnnotations(file, annotations); !read) return tl::unexpected(read.error());
    const auto content = readFile(files.groups, std::uintmax_t{1} << 26);
    if (!content) return tl::unexpected(content.error());

    std::vector<EmojiText> texts;
    std::string group, subgroup;
    std::string_view rest = *content;
    while (!rest.empty()) {
        const auto newline = rest.find('\n');
        const std::string_view line = rest.substr(0, newline);
        rest = newline == std::string_view::npos ? std::string_view{} : rest.substr(newline + 1);
        if (line.starts_with("# group:")) group = trimmed(line.substr(8));
        if (line.starts_with("# subgroup:")) subgroup = trimmed(line.substr(11));
        const auto semicolon = line.find(';');
        if (line.starts_with('#') || semicolon == std::string_view::npos) continue;
        const std::string_view status = trimmed(line.substr(semicolon + 1, line.find('#') - semicolon - 1));
        if (status != "fully-qualified" && status != "component") continue;
        EmojiText text{.code_points = parseCodePoints(line.substr(0, semicolon)), .group = group, .subgroup = subgroup};
        const auto found = annotations.find(withoutPresentation(text.code_points));
        if (text.code_points.empty() || found == annotations.end() || found->second.name.empty()) continue;
        text.name = found->second.name;
        text.keywords = newKeywords(found->second);
        texts.push_back(std::move(text));
    }
    if (texts.empty())
        return badInput("Cannot read the emoji list", "no line of it names an emoji that CLDR has a name for", "Reinstall the package unicode-data",
                        files.groups.string());
    return texts;
}

}  // namespace es::datasets
