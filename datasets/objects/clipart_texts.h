// SPDX-License-Identifier: GPL-3.0-or-later
// What an Open Clip Art drawing says of itself, and how much of that is worth a caption.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace es::datasets {

/// The RDF description inside an SVG file. Fields are empty where it has none; two namespaces of Creative Commons occur, so names are local.
struct ClipartText {
    std::string title, author, license;
    std::vector<std::string> keywords;
};
[[nodiscard]] ClipartText readClipartText(std::string_view svg);
/// The licence for attributions: "public domain" where the file says so and nothing else; the licence of Creative Commons that it names anywhere
/// ("CC-BY-2.0"), whatever its description says; else that it states none.
[[nodiscard]] std::string licenseOf(const ClipartText& text, std::string_view svg);

/// A caption's worth of a file name: "animals/mammals/a_simplePig_01.svg" gives "a simple pig".
[[nodiscard]] std::string nameFromFile(std::string_view path);
/// Without words at the end that say what kind of file it is: "softdrink icon" gives "softdrink". Never empty where `name` is not.
[[nodiscard]] std::string withoutKind(std::string name);
/// True of titles that name a collection, not what is drawn.
[[nodiscard]] bool isCollectionTitle(std::string_view title);
/// Keywords that say what is drawn: without those about the collection, the author, and what `name` says already. Lower case, '_' to spaces.
[[nodiscard]] std::vector<std::string> usefulKeywords(const ClipartText& text, std::string_view name);
[[nodiscard]] std::string lowerCase(std::string_view text);  ///< ASCII letters only

}  // namespace es::datasets
