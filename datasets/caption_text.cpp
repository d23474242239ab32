// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/caption_text.h"

#include <array>
#include <vector>

namespace es::datasets {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

struct Decoded {
    char32_t code_point = kReplacement;
    std::size_t bytes = 1;
    bool valid = false;
};

// Table 3-7 of the Unicode standard: which second byte may follow which first.
Decoded decodeAt(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(at);
    if (first < 0x80) return {first, 1, true};
    std::size_t length = 0;
    unsigned char low = 0x80, high = 0xBF;
    char32_t value = 0;
    if (first >= 0xC2 && first <= 0xDF) {
        length = 2;
        value = first & 0x1F;
    } else if (first >= 0xE0 && first <= 0xEF) {
        length = 3;
        value = first & 0x0F;
        if (first == 0xE0) low = 0xA0;
        if (first == 0xED) high = 0x9F;
    } else if (first >= 0xF0 && first <= 0xF4) {
        length = 4;
        value = first & 0x07;
        if (first == 0xF0) low = 0x90;
        if (first == 0xF4) high = 0x8F;
    } else {
        return {};
    }
    for (std::size_t i = 1; i < length; ++i) {
        if (at + i >= text.size() || byte(at + i) < low || byte(at + i) > high) return {kReplacement, i, false};
        value = (value << 6) | (byte(at + i) & 0x3F);
        low = 0x80;
        high = 0xBF;
    }
    return {value, length, true};
}

void appendUtf8(std::string& out, char32_t c) {
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += static_cast<char>(0xC0 | (c >> 6));
        out += static_cast<char>(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        out += static_cast<char>(0xE0 | (c >> 12));
        out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
        out += static_cast<char>(0x80 | (c & 0x3F));
    } else {
        out += static_cast<char>(0xF0 | (c >> 18));
        out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
        out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
        out += static_cast<char>(0x80 | (c & 0x3F));
    }
}

bool endsWith(std::string_view text, std::string_view end) { return text.size() >= end.size() && text.substr(text.size() - end.size()) == end; }

bool namesVariant(std::string_view part) {
    constexpr std::array<std::string_view, 5> kHair{"red hair", "curly hair", "white hair", "blond hair", "bald"};
    if (endsWith(part, "skin tone")) return true;
    for (const auto hair : kHair)
        if (part == hair) return true;
    return false;
}

}  // namespace

bool isValidUtf8(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const Decoded d = decodeAt(text, at);
        if (!d.valid) return false;
        at += d.bytes;
    }
    return true;
}

std::string repairUtf8(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const Decoded d = decodeAt(text, at);
        if (d.valid) out.append(text.substr(at, d.bytes));
        else appendUtf8(out, kReplacement);
        at += d.bytes;
    }
    return out;
}

std::u32string toCodePoints(std::string_view text) {
    std::u32string out;
    for (std::size_t at = 0; at < text.size();) {
        const Decoded d = decodeAt(text, at);
        out += d.code_point;
        at += d.bytes;
    }
    return out;
}

std::string toUtf8(std::u32string_view codePoints) {
    std::string out;
    for (const char32_t c : codePoints) appendUtf8(out, c);
    return out;
}

std::string_view utf8Prefix(std::string_view text, std::size_t bytes) {
    if (text.size() <= bytes) return text;
    while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) --bytes;
    return text.substr(0, bytes);
}

CleanCaption cleanCaption(std::string_view raw) {
    CleanCaption clean;
    if (raw.starts_with("\xEF\xBB\xBF")) raw.remove_prefix(3);
    std::string repairedText;
    if (!isValidUtf8(raw)) {
        clean.repaired = true;
        repairedText = repairUtf8(raw);
        raw = repairedText;
    }
    bool inWord = false;
    for (const char c : raw) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte <= 0x20 || byte == 0x7F) {
            inWord = false;
            continue;
        }
        if (!inWord) {
            ++clean.words;
            inWord = true;
            if (clean.words <= kMostCaptionWords && !clean.text.empty()) clean.text += ' ';
        }
        if (clean.words <= kMostCaptionWords) clean.text += c;
    }
    clean.cut = clean.words > kMostCaptionWords;
    if (clean.text.size() > kMostCaptionBytes) {
        clean.cut = true;
        clean.text.resize(utf8Prefix(clean.text, kMostCaptionBytes).size());
    }
    return clean;
}

std::string splitKey(std::string_view caption) {
    std::string key;
    bool gap = false;
    for (const char c : caption) {
        const auto byte = static_cast<unsigned char>(c);
        const bool upper = c >= 'A' && c <= 'Z';
        if (byte >= 0x80 || upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
            if (gap && !key.empty()) key += ' ';
            gap = false;
            key += upper ? static_cast<char>(c - 'A' + 'a') : c;
        } else {
            gap = true;
        }
    }
    return key.empty() ? std::string(caption) : key;
}

std::string emojiSplitKey(std::string_view name) {
    const auto colon = name.find(": ");
    if (colon == std::string_view::npos) return splitKey(name);
    std::string kept(name.substr(0, colon));
    std::string_view rest = name.substr(colon + 2);
    while (!rest.empty()) {
        const auto comma = rest.find(", ");
        const std::string_view part = rest.substr(0, comma);
        if (!namesVariant(part)) kept.append(" ").append(part);
        rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 2);
    }
    return splitKey(kept);
}

}  // namespace es::datasets
