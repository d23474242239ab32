// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/objects/clipart_texts.h"

#include <algorithm>
#include <array>
#include <pugixml.hpp>
#include <set>

#include "datasets/caption_text.h"

namespace es::datasets {
namespace {

std::string_view localName(const pugi::xml_node& node) {
    const std::string_view name = node.name();
    const auto colon = name.rfind(':');
    return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

/// The first descendant of a local name, in document order.
pugi::xml_node findNamed(const pugi::xml_node& root, std::string_view name) {
    return root.find_node([&](const pugi::xml_node& node) { return localName(node) == name; });
}

std::string allText(const pugi::xml_node& node) {
    std::string text;
    for (const auto& child : node.children()) {
        if (child.type() == pugi::node_pcdata || child.type() == pugi::node_cdata) text += child.value();
        else if (child.type() == pugi::node_element) text += " " + allText(child);
    }
    return text;
}

bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool isLower(char c) { return c >= 'a' && c <= 'z'; }

}  // namespace

std::string lowerCase(std::string_view text) {
    std::string lower(text);
    for (char& c : lower)
        if (isUpper(c)) c = static_cast<char>(c - 'A' + 'a');
    return lower;
}

ClipartText readClipartText(std::string_view svg) {
    ClipartText out;
    pugi::xml_document document;
    // What stands before an error is read all the same; whether it can be drawn is for the drawing to say.
    (void)document.load_buffer(svg.data(), svg.size(), pugi::parse_default, pugi::encoding_utf8);
    const pugi::xml_node work = findNamed(findNamed(document, "metadata"), "Work");
    for (const auto& field : work.children()) {
        const std::string_view name = localName(field);
        if (name == "title") out.title = cleanCaption(allText(field)).text;
        if (name == "creator") out.author = cleanCaption(allText(field)).text;
        if (name == "subject") {
            const pugi::xml_node bag = findNamed(field, "Bag");
            for (const auto& entry : bag.children())
                if (auto keyword = cleanCaption(allText(entry)).text; !keyword.empty()) out.keywords.push_back(std::move(keyword));
        }
        if (name == "license")
            for (const auto& attribute : field.attributes())
                if (std::string_view(attribute.name()).ends_with("resource")) out.license = attribute.value();
    }
    return out;
}

std::string licenseOf(const ClipartText& text, std::string_view svg) {
    constexpr std::string_view kCommons = "creativecommons.org/licenses/", kNot = "publicdomain";
    for (std::size_t at = svg.find(kCommons); at != std::string_view::npos; at = svg.find(kCommons, at + 1)) {
        const std::string_view rest = svg.substr(at + kCommons.size());
        const std::string_view named = rest.substr(0, rest.find_first_not_of("abcdefghijklmnopqrstuvwxyz-/.0123456789"));
        const std::string_view terms = named.substr(0, named.find('/'));
        if (terms.empty() || terms == kNot) continue;
        std::string_view version = terms.size() < named.size() ? named.substr(terms.size() + 1) : std::string_view();
        version = version.substr(0, version.find('/'));
        std::string license = "CC-" + std::string(terms);
        for (char& c : license)
            if (isLower(c)) c = static_cast<char>(c - 'a' + 'A');
        return version.empty() ? license : license + "-" + std::string(version);
    }
    std::string stated = lowerCase(text.license);
    while (stated.ends_with('/')) stated.pop_back();
    const bool known = stated == "public domain" || stated.ends_with("/publicdomain") || stated.find("/publicdomain/") != std::string::npos;
    return known ? "public domain" : "see the package (the file states no licence)";
}

std::string nameFromFile(std::string_view path) {
    std::string_view stem = path.substr(path.rfind('/') + 1);
    stem = stem.substr(0, stem.rfind('.'));
    std::string spread;
    for (std::size_t i = 0; i < stem.size(); ++i) {
        const char c = stem[i];
        if (c == '_' || c == '-' || c == '.' || isDigit(c)) {
            spread += ' ';
            continue;
        }
        if (isUpper(c) && i > 0 && isLower(stem[i - 1])) spread += ' ';
        spread += c;
    }
    return lowerCase(cleanCaption(spread).text);
}

std::string withoutKind(std::string name) {
    constexpr std::array<std::string_view, 5> kKinds{" icon", " icons", " clipart", " clip art", " symbol"};
    for (bool cut = true; cut;) {
        cut = false;
        for (const std::string_view kind : kKinds)
            if (name.size() > kind.size() && name.ends_with(kind)) {
                name.resize(name.size() - kind.size());
                cut = true;
            }
    }
    return name;
}

bool isCollectionTitle(std::string_view title) {
    constexpr std::array<std::string_view, 10> kCollections{
        "part of the flat icon collection", "lemon svg theme", "gramastar",  "etiquette", "aiga_symbol", "various cliparts",
        "svg gradient collection",          "svg road signs",  "clipart by", "untitled"};
    const std::string lower = lowerCase(title);
    if (lower == "card") return true;
    return std::any_of(kCollections.begin(), kCollections.end(), [&](std::string_view part) { return lower.find(part) != std::string::npos; });
}

std::vector<std::string> usefulKeywords(const ClipartText& text, std::string_view name) {
    static const std::set<std::string, std::less<>> useless{"hash", "unsorted", "clip art", "clipart", "externalsource", "external source", "theme",
                                                            "icon", "icons",    "computer", "menu"};
    const std::string said = " " + lowerCase(name) + " ", author = lowerCase(text.author);
    std::vector<std::string> kept;
    for (const std::string& raw : text.keywords) {
        std::string keyword = lowerCase(raw);
        std::replace(keyword.begin(), keyword.end(), '_', ' ');
        keyword = cleanCaption(keyword).text;
        const bool junk =
            keyword.empty() || keyword.starts_with("hash(") || useless.contains(keyword) || (!author.empty() && author.find(keyword) != std::string::npos);
        if (junk || said.find(" " + keyword + " ") != std::string::npos) continue;
        if (std::find(kept.begin(), kept.end(), keyword) == kept.end()) kept.push_back(std::move(keyword));
    }
    return kept;
}

}  // namespace es::datasets
