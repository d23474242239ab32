// SPDX-License-Identifier: GPL-3.0-or-later
// Every kind of picture file becomes the same kind of square, or is refused with a reason. What OpenCV 4.6 does by itself was measured:
// EXIF is ignored when alpha is kept, GIF is unknown, a JPEG cut short decodes to grey without a word.
#include <gtest/gtest.h>

#include <chrono>
#include <tuple>

#include "datasets/dataset.h"
#include "datasets/picture.h"
#include "datasets/picture_files.h"
#include "datasets/picture_header.h"
#include "support/scratch_folder.h"

namespace es::datasets {
namespace {

using test::Rgba;
constexpr Rgba kRed{200, 30, 20, 255}, kBlue{10, 40, 220, 255};

Rgba pixelOf(const std::vector<std::uint8_t>& rgba, std::size_t size, std::size_t x, std::size_t y) {
    const auto* p = rgba.data() + (y * size + x) * 4;
    return {p[0], p[1], p[2], p[3]};
}

void expectNear(Rgba found, Rgba wanted, int tolerance) {
    for (std::size_t c = 0; c < 4; ++c) EXPECT_NEAR(found[c], wanted[c], tolerance) << "channel " << c;
}

std::vector<std::uint8_t> converted(const std::string& file, std::int64_t size = 16) {
    auto picture = convertPicture(file, size);
    EXPECT_TRUE(picture) << (picture ? "" : picture.error());
    return picture ? *picture : std::vector<std::uint8_t>(static_cast<std::size_t>(size * size * 4));
}

std::string whyNot(const std::string& file) {
    const auto picture = convertPicture(file, 16);
    EXPECT_FALSE(picture);
    return picture ? "" : picture.error();
}

class EveryFormat : public testing::TestWithParam<std::tuple<const char*, const char*>> {};
TEST_P(EveryFormat, DecodesToTheSamePicture) {
    const auto [extension, name] = GetParam();
    const auto file = test::encodedPicture(extension, 64, 48, kRed, kBlue);
    const auto header = readPictureHeader(file);
    ASSERT_TRUE(header) << header.error();
    EXPECT_EQ(header->format, name);
    EXPECT_EQ(header->width, 64);
    EXPECT_EQ(header->height, 48);
    const auto rgba = converted(file);
    expectNear(pixelOf(rgba, 16, 2, 8), kRed, 12);
    expectNear(pixelOf(rgba, 16, 13, 8), kBlue, 12);
    expectNear(pixelOf(rgba, 16, 8, 0), {0, 0, 0, 0}, 0);
    expectNear(pixelOf(rgba, 16, 8, 15), {0, 0, 0, 0}, 0);
}
INSTANTIATE_TEST_SUITE_P(Kinds, EveryFormat,
                         testing::Values(std::tuple(".png", "PNG"), std::tuple(".jpg", "JPEG"), std::tuple(".webp", "WebP"), std::tuple(".bmp", "BMP"),
                                         std::tuple(".tiff", "TIFF"), std::tuple(".ppm", "PNM")),
                         [](const auto& tested) { return std::string(std::get<1>(tested.param)); });

TEST(Picture, OfSixteenBitsKeepsItsLevels) {
    std::string row;
    for (int x = 0; x < 8; ++x) row += {static_cast<char>(x < 4 ? 0x40 : 0xC0), 0x12};
    const auto rgba = converted(test::rawPng(8, 8, 16, 0, std::vector<std::string>(8, row)), 8);
    expectNear(pixelOf(rgba, 8, 0, 0), {0x40, 0x40, 0x40, 255}, 1);
    expectNear(pixelOf(rgba, 8, 7, 7), {0xC0, 0xC0, 0xC0, 255}, 1);
}

TEST(Picture, OfGreyAndAlphaKeepsBoth) {
    std::string row;
    for (int x = 0; x < 8; ++x) row += {static_cast<char>(100), static_cast<char>(x < 4 ? 0 : 200)};
    const auto rgba = converted(test::rawPng(8, 8, 8, 4, std::vector<std::string>(8, row)), 8);
    EXPECT_EQ(pixelOf(rgba, 8, 0, 0)[3], 0);
    expectNear(pixelOf(rgba, 8, 7, 0), {100, 100, 100, 200}, 1);
}

TEST(Picture, OfAPaletteKeepsItsTransparentColour) {
    const std::string palette = test::pngChunk("PLTE", std::string("\xFF\x00\x00\x00\xFF\x00", 6)) + test::pngChunk("tRNS", std::string("\xFF\x00", 2));
    const std::string row{0, 0, 0, 0, 1, 1, 1, 1};
    const auto rgba = converted(test::rawPng(8, 8, 8, 3, std::vector<std::string>(8, row), palette), 8);
    expectNear(pixelOf(rgba, 8, 0, 0), {255, 0, 0, 255}, 0);
    EXPECT_EQ(pixelOf(rgba, 8, 7, 0)[3], 0);
}

TEST(Picture, OfOneBitIsBlackAndWhite) {
    const auto rgba = converted(test::rawPng(8, 8, 1, 0, std::vector<std::string>(8, "\x0F")), 8);
    expectNear(pixelOf(rgba, 8, 0, 0), {0, 0, 0, 255}, 0);
    expectNear(pixelOf(rgba, 8, 7, 0), {255, 255, 255, 255}, 0);
}

std::string fromHex(std::string_view hex) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    return bytes;
}

// 16 x 16, left half cyan ink, right half yellow ink, written by libjpeg with an Adobe marker: ink values stored inverted.
constexpr std::string_view kCmykJpeg =
    "ffd8ffee000e41646f626500640000000000ffdb0043000302020302020303030304030304050805050404050a070706080c0a0c0c0b0a0b0b0d0e12100d0e110e0b0b"
    "1016101113141515150c0f17"
    "1816141812141514ffc000140800100010044311004d11005911004b1100ffc400160001010100000000000000000000000000000a09ffc40014100100000000000000"
    "000000000000000000ffda00"
    "0e0443004d0059004b00003f00caa6a9b54daa6aa812ae255c5540aa812ae3ffd9";

TEST(Picture, OfInkHasTheColoursThatInkGives) {
    const auto rgba = converted(fromHex(kCmykJpeg));
    expectNear(pixelOf(rgba, 16, 3, 8), {0, 255, 255, 255}, 8);
    expectNear(pixelOf(rgba, 16, 12, 8), {255, 255, 0, 255}, 8);
    // Without the Adobe marker nothing says whether the values are inverted: a guess would give wrong colours without a word.
    const std::string unmarked = fromHex(kCmykJpeg).erase(2, 16);
    EXPECT_NE(whyNot(unmarked).find("CMYK"), std::string::npos);
}

TEST(Picture, IsTurnedAsItsExifSays) {
    // Left is red as stored. Where each orientation shows the stored left side: the definition in EXIF 2.3, 4.6.4.
    struct Case {
        int orientation;
        bool turned;       // width and height change places
        std::size_t x, y;  // a pixel of the side that was left
    };
    const auto jpeg = test::encodedPicture(".jpg", 64, 48, kRed, kBlue);
    for (const Case& c : {Case{1, false, 2, 8}, Case{2, false, 13, 8}, Case{3, false, 13, 8}, Case{4, false, 2, 8}, Case{5, true, 8, 2}, Case{6, true, 8, 2},
                          Case{7, true, 8, 13}, Case{8, true, 8, 13}}) {
        SCOPED_TRACE(c.orientation);
        const auto rgba = converted(test::withOrientation(jpeg, c.orientation));
        expectNear(pixelOf(rgba, 16, c.x, c.y), kRed, 12);
        expectNear(pixelOf(rgba, 16, 15 - c.x, 15 - c.y), kBlue, 12);
        EXPECT_EQ(pixelOf(rgba, 16, 0, 8)[3], c.turned ? 0 : 255);
    }
    const auto png =
        test::rawPng(8, 4, 8, 0, std::vector<std::string>(4, std::string("\xFF\xFF\xFF\xFF\0\0\0\0", 8)), test::pngChunk("eXIf", test::exifBlock(6, true)));
    const auto rgba = converted(png, 8);
    expectNear(pixelOf(rgba, 8, 4, 0), {255, 255, 255, 255}, 0);
    expectNear(pixelOf(rgba, 8, 4, 7), {0, 0, 0, 255}, 0);
}

TEST(Picture, IsFilteredWithItsAlpha) {
    // One opaque red column among transparent green ones: green must not bleed into what is left.
    std::string row;
    for (int x = 0; x < 64; ++x) row += x % 4 == 0 ? std::string("\xFF\x00\x00\xFF", 4) : std::string("\x00\xFF\x00\x00", 4);
    const auto rgba = converted(test::rawPng(64, 64, 8, 6, std::vector<std::string>(64, row)));
    expectNear(pixelOf(rgba, 16, 5, 5), {255, 0, 0, 64}, 1);
}

TEST(Picture, OfAnyShapeFits) {
    for (const auto& [width, height] : {std::pair{1, 1}, std::pair{3, 4000}, std::pair{4000, 3}, std::pair{5, 5}, std::pair{17, 16}}) {
        SCOPED_TRACE(std::to_string(width) + "x" + std::to_string(height));
        const auto rgba = converted(test::encodedPicture(".png", width, height, kRed, kRed));
        expectNear(pixelOf(rgba, 16, 7, 7), kRed, 6);
    }
}

TEST(Picture, CutShortIsRefusedWhereverItIsCut) {
    for (const char* extension : {".png", ".jpg", ".webp", ".bmp"}) {
        const auto whole = test::encodedPicture(extension, 40, 30, kRed, kBlue);
        for (std::size_t cut = 0; cut < whole.size(); cut += 1 + whole.size() / 97)
            EXPECT_FALSE(convertPicture(whole.substr(0, cut), 16)) << extension << " cut at " << cut;
        EXPECT_TRUE(convertPicture(whole, 16)) << extension;
    }
    const auto jpeg = test::encodedPicture(".jpg", 40, 30, kRed, kBlue);
    EXPECT_NE(whyNot(jpeg.substr(0, jpeg.size() - 2)).find("ends before"), std::string::npos) << "only the end marker is missing";
    EXPECT_TRUE(convertPicture(jpeg + "trailing bytes of a camera", 16));
}

TEST(Picture, WithAHoleInItsMiddleIsRefused) {
    // Noise, so that the pixels fill the file; the markers at both ends are whole.
    auto jpeg = test::encodedPicture(".jpg", 200, 150, kRed, kBlue);
    jpeg.erase(jpeg.size() / 2, jpeg.size() / 4);
    EXPECT_NE(whyNot(jpeg).find("damaged"), std::string::npos);
}

TEST(Picture, OfAPhotographIsHalvedAsItIsDecoded) {
    const auto rgba = converted(test::encodedPicture(".jpg", 1600, 1200, kRed, kBlue));
    expectNear(pixelOf(rgba, 16, 2, 8), kRed, 4);
    expectNear(pixelOf(rgba, 16, 13, 8), kBlue, 4);
    EXPECT_EQ(pixelOf(rgba, 16, 8, 1)[3], 0);
}

TEST(Picture, WithAWrongCheckSumIsRefused) {
    auto png = test::encodedPicture(".png", 40, 30, kRed, kBlue);
    png[png.size() / 2] = static_cast<char>(png[png.size() / 2] ^ 0x10);
    EXPECT_NE(whyNot(png).find("check sum"), std::string::npos);
}

TEST(Picture, OfAnotherKindIsRefusedByName) {
    EXPECT_NE(whyNot("").find("empty"), std::string::npos);
    EXPECT_NE(whyNot("<!DOCTYPE html><html><body>404</body></html>").find("web page"), std::string::npos);
    EXPECT_NE(whyNot("GIF89a\x10\x00\x10\x00").find("GIF is not supported; convert it"), std::string::npos);
    EXPECT_NE(whyNot("<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"/>").find("SVG"), std::string::npos);
    EXPECT_NE(whyNot(std::string(100, 'x')).find("not a picture"), std::string::npos);
}

TEST(Picture, TooLargeIsRefusedBeforeItIsDecoded) {
    const auto bomb = test::rawPng(16000, 16000, 1, 0, std::vector<std::string>(16000, std::string(2000, '\0')));
    EXPECT_LT(bomb.size(), 1'000'000u);
    const auto start = std::chrono::steady_clock::now();
    EXPECT_NE(whyNot(bomb).find("16000 x 16000"), std::string::npos);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(100));
    // A lie in the header costs nothing either.
    EXPECT_NE(whyNot(test::rawPng(2'000'000'000, 2'000'000'000, 8, 6, {"abcd"})).find("megapixels"), std::string::npos);
}

TEST(Picture, FullyTransparentIsRefused) {
    EXPECT_NE(whyNot(test::encodedPicture(".png", 20, 20, {1, 2, 3, 0}, {3, 2, 1, 0})).find("transparent"), std::string::npos);
}

TEST(Picture, WithSpoiltBytesNeverCrashes) {
    for (const char* extension : {".png", ".jpg", ".webp", ".bmp", ".tiff", ".ppm"}) {
        const auto whole = test::encodedPicture(extension, 24, 20, kRed, kBlue);
        std::uint32_t noise = 1;
        for (int round = 0; round < 150; ++round) {
            auto spoilt = whole;
            for (int i = 0; i < 4; ++i) {
                noise = noise * 1664525U + 1013904223U;
                // The first bytes hold the headers that decide how much memory is asked for.
                const std::size_t at = (noise >> 8) % (round % 2 ? spoilt.size() : std::min<std::size_t>(64, spoilt.size()));
                spoilt[at] = static_cast<char>(noise >> 3);
            }
            const auto picture = convertPicture(spoilt, 16);
            EXPECT_TRUE(!picture || picture->size() == 16u * 16 * 4);
        }
    }
}

TEST(LoadPicture, NamesTheFileThatItCannotRead) {
    const test::ScratchFolder folder;
    const auto path = folder / "füße-漢字.jpg";
    test::writeText(path, "<html>not found</html>");
    const auto damaged = loadPicture(path, 16);
    ASSERT_FALSE(damaged);
    EXPECT_EQ(damaged.error().kind, ErrorKind::kBadInput);
    EXPECT_EQ(damaged.error().path, path.string());
    EXPECT_FALSE(loadPicture(folder / "missing.png", 16));
    EXPECT_FALSE(loadPicture(folder.path(), 16));
    test::writeText(path, test::encodedPicture(".png", 20, 20, kRed, kBlue));
    EXPECT_TRUE(loadPicture(path, 16)) << "a PNG named .jpg is told by its content";
    EXPECT_FALSE(loadPicture(path, 0));
}

TEST(FitPicture, RefusesPixelsThatDoNotFitTheirSize) {
    const std::vector<std::uint8_t> pixels(4 * 3 * 4, 255);
    EXPECT_TRUE(fitPicture(pixels, 4, 3, 8));
    EXPECT_FALSE(fitPicture(pixels, 4, 4, 8));
    EXPECT_FALSE(fitPicture(pixels, 0, 3, 8));
    EXPECT_FALSE(fitPicture(pixels, 4, 3, -1));
    EXPECT_FALSE(fitPicture({}, std::int64_t{1} << 40, std::int64_t{1} << 40, 8));
}

}  // namespace
}  // namespace es::datasets
