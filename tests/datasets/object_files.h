// SPDX-License-Identifier: GPL-3.0-or-later
// Small folders laid out as the packages of everyday objects are.
#pragma once

#include <filesystem>
#include <string>

namespace es::test {

/// A drawing of one disc with an edge; `hole` cuts its middle out. Different `seed`s give discs of different place and size.
[[nodiscard]] std::string discSvg(const std::string& colour, int seed, const std::string& metadata = {}, bool hole = false);
/// RDF as Open Clip Art's files have it.
[[nodiscard]] std::string clipartMetadata(const std::string& title, const std::string& author, const std::string& keywords, const std::string& license,
                                          bool old_namespace = false);
/// Twelve stamps of three folders, with a mirror image, letters, a broken drawing, one without text and one of one colour.
void writeStamps(const std::filesystem::path& root);
/// Drawings of four folders: good ones, a collection's titles, junk folders, a GPL one, links, broken and empty ones, copies.
void writeClipart(const std::filesystem::path& root);

}  // namespace es::test
