// SPDX-License-Identifier: GPL-3.0-or-later
#include <gtest/gtest.h>

#include <QApplication>
#include <QFile>
#include <QProcess>
#include <QRegularExpression>
#include <QStandardPaths>
#include <QXmlStreamReader>

#include "tests/support/scratch_folder.h"
#include "tests/views/export_panels.h"
#include "views/export/axis_ticks.h"
#include "views/export/page_writers.h"
#include "views/export/panel_csv.h"
#include "views/export/sankey_geometry.h"

namespace es::views::page {
namespace {

using test::pageOf;

Page fullPage() {
    Page page = pageOf({test::overlayPanel(), test::linePanel(), test::heatmapPanel(), test::barPanel(), test::forestPanel(), test::tablePanel()}, 190.3);
    page.settings.width_mm = 139.7;
    return page;
}

QString output(const QString& program, const QStringList& arguments) {
    QProcess process;
    process.start(program, arguments);
    process.waitForFinished(20000);
    EXPECT_EQ(process.exitCode(), 0) << process.readAllStandardError().constData();
    return QString::fromUtf8(process.readAllStandardOutput());
}

QString write(const test::ScratchFolder& folder, const char* name, const QByteArray& bytes) {
    const QString path = QString::fromStdString((folder / name).string());
    QFile file(path);
    EXPECT_TRUE(file.open(QIODevice::WriteOnly));
    file.write(bytes);
    return path;
}

TEST(PagePdf, HasTheSizeAskedForToATenthOfAMillimetre) {
    if (QStandardPaths::findExecutable(QStringLiteral("pdfinfo")).isEmpty()) GTEST_SKIP() << "poppler-utils is not installed";
    test::ScratchFolder folder;
    for (const auto& [width, height] : {std::pair{139.7, 80.0}, std::pair{89.0, 61.3}, std::pair{182.05, 170.0}}) {
        Page page = pageOf({test::linePanel()});
        page.settings.width_mm = width;
        page.settings.height_mm = height;
        const auto pdf = pageAsPdf(page);
        ASSERT_TRUE(pdf) << pdf.error().message();
        const QString info = output(QStringLiteral("pdfinfo"), {QStringLiteral("-box"), write(folder, "page.pdf", *pdf)});
        const auto match = QRegularExpression(QStringLiteral("MediaBox:\\s+([\\d.]+)\\s+([\\d.]+)\\s+([\\d.]+)\\s+([\\d.]+)")).match(info);
        ASSERT_TRUE(match.hasMatch()) << info.toStdString();
        EXPECT_EQ(match.captured(1).toDouble(), 0);
        EXPECT_EQ(match.captured(2).toDouble(), 0);
        EXPECT_NEAR(match.captured(3).toDouble() / 72 * 25.4, width, 0.1);
        EXPECT_NEAR(match.captured(4).toDouble() / 72 * 25.4, height, 0.1);
        EXPECT_TRUE(info.contains(QStringLiteral("Pages:           1")));
    }
}

TEST(PagePdf, EmbedsEveryFontAndNoneIsType3) {
    for (const char* font : {"Latin Modern Roman", "Inter"}) {
        Page page = fullPage();
        page.settings.font = font;
        const auto pdf = pageAsPdf(page);
        ASSERT_TRUE(pdf) << pdf.error().message();
        const auto fonts = fontsOfPdf(*pdf);
        ASSERT_TRUE(fonts);
        EXPECT_GE(fonts->fonts, 2);
        EXPECT_EQ(fonts->embedded, fonts->fonts);
        EXPECT_EQ(fonts->type3, 0);
        if (QStandardPaths::findExecutable(QStringLiteral("pdffonts")).isEmpty()) continue;
        test::ScratchFolder folder;
        const QStringList lines = output(QStringLiteral("pdffonts"), {write(folder, "page.pdf", *pdf)}).split(QLatin1Char('\n'), Qt::SkipEmptyParts).mid(2);
        EXPECT_EQ(lines.size(), fonts->fonts);
        for (const QString& line : lines) {
            EXPECT_FALSE(line.contains(QStringLiteral("Type 3"))) << line.toStdString();
            EXPECT_TRUE(QRegularExpression(QStringLiteral("\\s(TrueType|Type 1C?|CID TrueType|CID Type 0C)\\s+\\S+\\s+yes\\s")).match(line).hasMatch())
                << line.toStdString();
        }
    }
}

TEST(PagePdf, GivesBackEveryWord) {
    if (QStandardPaths::findExecutable(QStringLiteral("pdftotext")).isEmpty()) GTEST_SKIP() << "poppler-utils is not installed";
    test::ScratchFolder folder;
    PageReport report;
    const auto pdf = pageAsPdf(fullPage(), &report);
    ASSERT_TRUE(pdf);
    const QString text = output(QStringLiteral("pdftotext"), {QStringLiteral("-raw"), write(folder, "page.pdf", *pdf), QStringLiteral("-")}).simplified();
    for (const char* words : {"active compute (10¹⁷ FLOPs)", "validation loss (nats)", "dense", "scaled dense", "sparse, 8", "experts", "share ÷ even share",
                              "mutual information (nats)", "loss difference (nats)", "animals & nature", "(a) Experts on image and caption", "(f) Cost",
                              "parameters, total", "grinning", "random router"})
        EXPECT_TRUE(text.contains(QString::fromUtf8(words))) << words << " is not in: " << text.toStdString();
    for (const PlacedText& placed : report.texts) EXPECT_TRUE(text.contains(placed.text.simplified())) << placed.text.toStdString();
}

TEST(PageSankey, BandsFillTheirNodesAndLieInside) {
    const auto panel = test::sankeyPanel();
    const auto& flow = std::get<analysis::SankeyPanel>(panel.content);
    const QRectF area(10, 20, 300, 200);
    const SankeyGeometry g = layoutSankey(area, flow, 8, 4);
    ASSERT_EQ(g.bands.size(), flow.bands.size());
    for (const QPolygonF& band : g.bands) EXPECT_TRUE(area.adjusted(-0.01, -0.01, 0.01, 0.01).contains(band.boundingRect()));
    // What leaves a node covers its side without gap or overlap.
    for (std::size_t e = 0; e < 4; ++e) {
        const QRectF node = g.nodes[0][e];
        std::vector<std::pair<double, double>> sides;
        for (std::size_t b = 0; b < flow.bands.size(); ++b)
            if (flow.bands[b].column == 0 && static_cast<std::size_t>(flow.bands[b].from) == e)
                sides.emplace_back(g.bands[b].front().y(), g.bands[b].back().y());
        std::sort(sides.begin(), sides.end());
        ASSERT_EQ(sides.size(), 2u);
        EXPECT_NEAR(sides[0].first, node.top(), 1e-9);
        EXPECT_NEAR(sides[0].second, sides[1].first, 1e-9);
        EXPECT_NEAR(sides[1].second, node.bottom(), 1e-9);
    }
    EXPECT_TRUE(layoutSankey(area, {}, 8, 4).nodes.empty());
    const QByteArray csv = panelAsCsv(panel);
    EXPECT_EQ(csv.count('\n'), 17);
    EXPECT_TRUE(csv.contains("V 1,3,V 2,0,50,1"));
    PageReport report;
    const auto svg = pageAsSvg(pageOf({panel}), &report);
    ASSERT_TRUE(svg);
    QStringList texts;
    for (const PlacedText& placed : report.texts) texts << placed.text;
    for (const char* words : {"V 1", "V 3", "0", "3"}) EXPECT_TRUE(texts.contains(QLatin1String(words))) << words;
}

TEST(PageFiles, AreTheSameBytesTwice) {
    const Page page = fullPage();
    const auto pdf = pageAsPdf(page), again = pageAsPdf(page);
    ASSERT_TRUE(pdf && again);
    EXPECT_EQ(*pdf, *again);
    EXPECT_EQ(*pageAsSvg(page), *pageAsSvg(page));
    EXPECT_EQ(*pageAsPng(page, 150), *pageAsPng(page, 150));
}

TEST(PageSvg, IsXmlInMillimetresWithTextAsText) {
    PageReport report;
    Page page = fullPage();
    page.panels[1].panel.title = "a < b & \"c\"";
    const auto svg = pageAsSvg(page, &report);
    ASSERT_TRUE(svg) << svg.error().message();
    QXmlStreamReader xml(*svg);
    QStringList texts, groups;
    QString width, height;
    int images = 0;
    while (!xml.atEnd()) {
        if (xml.readNext() != QXmlStreamReader::StartElement) continue;
        if (xml.name() == QStringLiteral("svg")) {
            width = xml.attributes().value(QStringLiteral("width")).toString();
            height = xml.attributes().value(QStringLiteral("height")).toString();
            EXPECT_TRUE(xml.attributes().value(QStringLiteral("font-family")).contains(QStringLiteral("Latin Modern Roman")));
        }
        if (xml.name() == QStringLiteral("g")) groups.append(xml.attributes().value(QStringLiteral("id")).toString());
        if (xml.name() == QStringLiteral("image")) ++images;
        if (xml.name() == QStringLiteral("text")) texts.append(xml.readElementText(QXmlStreamReader::IncludeChildElements));
    }
    EXPECT_FALSE(xml.hasError()) << xml.errorString().toStdString();
    EXPECT_EQ(width, QStringLiteral("139.7mm"));
    EXPECT_EQ(height, QStringLiteral("190.3mm"));
    EXPECT_EQ(images, 1) << "the picture is the only raster";
    EXPECT_EQ(groups.size(), 6);
    EXPECT_TRUE(texts.contains(QString::fromUtf8("active compute (10¹⁷ FLOPs)")));
    EXPECT_TRUE(texts.contains(QStringLiteral("(b) a < b & \"c\"")));
    EXPECT_EQ(static_cast<std::size_t>(texts.size()), report.texts.size());
}

TEST(PagePng, HasTheSizeAndCarriesItsDots) {
    const auto image = pageAsImage(fullPage(), 300);
    ASSERT_TRUE(image);
    EXPECT_EQ(image->width(), 1650);
    EXPECT_EQ(image->height(), qRound(190.3 / 25.4 * 300));
    EXPECT_EQ(image->dotsPerMeterX(), 11811);
}

TEST(PageLayout, KeepsEverythingOnThePageAndApart) {
    for (const double height : {110.0, 150.0, 190.3}) {
        Page page = fullPage();
        page.settings.height_mm = height;
        PageReport report;
        ASSERT_TRUE(pageAsSvg(page, &report));
        const QRectF sheet(QPointF(0, 0), pageSize(page.settings));
        for (std::size_t i = 0; i < report.texts.size(); ++i) {
            const PlacedText& a = report.texts[i];
            EXPECT_TRUE(sheet.contains(a.box)) << a.text.toStdString();
            EXPECT_GE(a.pt, 6) << a.text.toStdString();
            EXPECT_TRUE(report.cells[static_cast<std::size_t>(a.panel)].adjusted(-2, -2, 2, 2).contains(a.box))
                << a.text.toStdString() << " leaves panel " << a.panel << " at height " << height;
            for (std::size_t j = i + 1; j < report.texts.size(); ++j) {
                const QRectF both =
                    a.box.adjusted(0, a.pt * 0.1, 0, -a.pt * 0.25) & report.texts[j].box.adjusted(0, report.texts[j].pt * 0.1, 0, -report.texts[j].pt * 0.25);
                // A chip's expert number is set into the descent of its word.
                if (both.width() > 0.6 && both.height() > 0.6)
                    ADD_FAILURE() << a.text.toStdString() << " touches " << report.texts[j].text.toStdString() << " at height " << height;
            }
        }
    }
}

TEST(Page, RefusesWhatItCannotBe) {
    Page page = fullPage();
    page.settings.font = "Comic Sans";
    const auto font = pageAsPdf(page);
    ASSERT_FALSE(font);
    EXPECT_NE(font.error().message().find("Latin Modern Roman"), std::string::npos);
    page = fullPage();
    page.settings.width_mm = 1e6;
    EXPECT_FALSE(pageAsSvg(page));
    page.settings.width_mm = std::nan("");
    EXPECT_FALSE(pageAsPng(page, 300));
}

TEST(AxisTicks, AreRound) {
    EXPECT_EQ(makeTicks({0, 24000}, 6).labels.front(), QStringLiteral("0"));
    const Ticks flops = makeTicks({0, 4.1e17}, 5);
    EXPECT_EQ(flops.exponent, 17);
    EXPECT_EQ(flops.labels[1], QStringLiteral("1"));
    EXPECT_EQ(titleWithExponent(QStringLiteral("compute (FLOPs)"), 17), QString::fromUtf8("compute (10¹⁷ FLOPs)"));
    EXPECT_EQ(makeTicks({-0.4, 0.1}, 4).labels.front(), QString::fromUtf8("−0.4"));
    const Ticks decades = makeTicks({1e-5, 1e3, analysis::Scale::kLog}, 5);
    EXPECT_EQ(decades.labels.front(), QString::fromUtf8("10⁻⁵"));
    EXPECT_TRUE(makeTicks({1, 1}, 5).at.empty());
    EXPECT_EQ(numberText(0.0931), QStringLiteral("0.0931"));
    EXPECT_EQ(numberText(4.1e17), QString::fromUtf8("4.1 × 10¹⁷"));
}

}  // namespace
}  // namespace es::views::page

int main(int argc, char** argv) {
    qputenv("QT_QPA_PLATFORM", "offscreen");
    QGuiApplication application(argc, argv);
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
