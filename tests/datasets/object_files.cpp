// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/object_files.h"

#include <sstream>

#include "datasets/picture_files.h"

namespace es::test {
namespace fs = std::filesystem;

std::string discSvg(const std::string& colour, int seed, const std::string& metadata, bool hole) {
    const int x = 40 + seed * 7 % 23, y = 38 + seed * 5 % 19, r = 18 + seed * 3 % 13;
    std::ostringstream svg;
    svg << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"100\" height=\"100\" viewBox=\"0 0 100 100\">"
        << metadata << "<circle cx=\"" << x << "\" cy=\"" << y << "\" r=\"" << r << "\" fill=\"" << colour << "\" stroke=\"black\" stroke-width=\""
        << 2 + seed % 3 << "\"/>";
    if (hole) svg << "<rect x=\"" << x - 5 << "\" y=\"" << y - 5 << "\" width=\"10\" height=\"10\" fill=\"white\"/>";
    svg << "<rect x=\"" << x - r / 2 << "\" y=\"" << y << "\" width=\"" << r / 2 << "\" height=\"4\" fill=\"#" << 100000 + seed * 7919 % 899999
        << "\"/></svg>\n";
    return svg.str();
}

std::string clipartMetadata(const std::string& title, const std::string& author, const std::string& keywords, const std::string& license, bool old_namespace) {
    std::ostringstream rdf;
    const std::string cc = old_namespace ? "http://web.resource.org/cc/" : "http://creativecommons.org/ns#";
    rdf << "<metadata><rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:cc=\"" << cc
        << "\"><cc:Work rdf:about=\"\"><dc:title>" << title << "</dc:title><dc:creator><cc:Agent><dc:title>" << author
        << "</dc:title></cc:Agent></dc:creator><dc:subject><rdf:Bag>";
    std::istringstream list(keywords);
    for (std::string keyword; std::getline(list, keyword, ';');) rdf << "<rdf:li>" << keyword << "</rdf:li>";
    rdf << "</rdf:Bag></dc:subject><cc:license rdf:resource=\"" << license << "\"/></cc:Work></rdf:RDF></metadata>";
    return rdf.str();
}

void writeStamps(const fs::path& root) {
    const auto stamp = [&](const std::string& stem, const std::string& text, int seed) {
        writeText(root / (stem + ".svg"), discSvg("#c04020", seed));
        if (!text.empty()) writeText(root / (stem + ".txt"), text);
    };
    stamp("animals/birds/duck", "A duck.\nde.utf8=Eine Ente.\n", 1);
    stamp("animals/birds/rosella", "An Adelaide Rosella.\n", 2);
    stamp("animals/insects/moth", "A moth.\n", 3);
    stamp("food/fruit/apple", "An apple.\n", 4);
    stamp("food/fruit/grapes", "Grapes\n", 5);
    stamp("household/tools/wrench", "A wrench.\n", 6);
    stamp("household/tools/wrench_mirror", "", 7);
    // Painted twice: the PNG is taken.
    writeText(root / "household/tools/saw.svg", discSvg("#000000", 8));
    writeText(root / "household/tools/saw.png", encodedPicture(".png", 40, 30, {200, 30, 20, 255}, {0, 0, 0, 0}, 8));
    writeText(root / "household/tools/saw.txt", "A saw.\r\nfr.utf8=Une scie.\r\n");
    for (char letter = 'a'; letter <= 'z'; ++letter) {
        stamp(std::string("symbols/alphabet/") + letter, std::string("The letter ") + letter + ".\n", 20 + letter);
        stamp(std::string("symbols/alphabet/capital_") + letter, std::string("The capital letter ") + letter + ".\n", 60 + letter);
    }
    stamp("symbols/music/note", "", 9);
    writeText(root / "symbols/music/broken.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"><circle");
    writeText(root / "symbols/music/broken.txt", "A broken thing.\n");
    writeText(root / "symbols/music/blank.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"10\" height=\"10\"/>");
    writeText(root / "symbols/music/blank.txt", "Silence.\n");
    writeText(root / "symbols/music/foreign.svg", discSvg("#112233", 11));
    writeText(root / "symbols/music/foreign.txt", "de.utf8=Nur Deutsch.\n");
    writeText(root / "animals/birds/duck.ogg", "sound");
}

void writeClipart(const fs::path& root) {
    const std::string free = "http://web.resource.org/cc/PublicDomain";
    const auto drawing = [&](const std::string& path, int seed, const std::string& metadata, bool hole = false) {
        writeText(root / path, discSvg("#3060c0", seed, metadata, hole));
    };
    drawing("animals/mammals/a_simple_pig_01.svg", 201, clipartMetadata("A Simple Pig", "Jane Doe", "animal;mammal;pig;hash(0x8a);jane doe;clip_art", free));
    drawing("animals/mammals/two_dogs.svg", 202, clipartMetadata("Two dogs", "Jane Doe", "animal;mammal", free, true));
    drawing("animals/birds/blackCrow-02.svg", 203, clipartMetadata("Lemon SVG Theme crow", "", "bird", free));
    drawing("tools/hurricane_lamp.svg", 204, clipartMetadata("Red hurricane lamp", "G", "tool;work", free));
    drawing("tools/gpl_hammer.svg", 205, clipartMetadata("hammer", "G", "tool", "http://creativecommons.org/licenses/GPL/2.0/"));
    drawing("tools/copy_of_lamp.svg", 204, clipartMetadata("Red hurricane lamp", "G", "tool;work", free) + "<!-- other bytes -->");
    drawing("tools/same_picture.svg", 204, clipartMetadata("lantern", "G", "tool", free) + "<!-- the same drawing -->");
    drawing("tools/plain.svg", 206, "");
    for (int i = 0; i < 13; ++i)
        drawing("transportation/car_model_" + std::string(1, static_cast<char>('a' + i)) + ".svg", 30 + i, clipartMetadata("my cars", "H", "vehicle", free),
                true);
    for (const char* folder : {"computer", "shapes", "special", "unsorted"})
        drawing(std::string(folder) + "/thing.svg", 209, clipartMetadata("thing", "", "", free));
    writeText(root / "tools/broken.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"><g><circle r=\"3\"/></svg>");
    writeText(root / "tools/blank.svg",
              "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"10\" height=\"10\"><rect width=\"10\" height=\"10\" fill=\"white\"/></svg>");
    fs::create_symlink("hurricane_lamp.svg", root / "tools/link_to_lamp.svg");
}

}  // namespace es::test
