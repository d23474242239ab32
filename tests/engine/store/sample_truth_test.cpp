// SPDX-License-Identifier: GPL-3.0-or-later
// What is true of a scene, kept with its sample; samples without it as before.
#include <gmock/gmock.h>

#include "engine/store/sample_file.h"
#include "engine/store/store_fixture.h"
#include "support/scratch_folder.h"

namespace es::store {
namespace {

SceneTruth truthOfTest() {
    SceneTruth truth;
    truth.objects = {{.shape = "star", .colour = "red", .size = "small", .texture = "dotted", .name = {}, .category = {}}};
    truth.side = 3;
    truth.owner = {0, 0, 0, 0, 1, 1, 0, 1, 1};
    truth.words = {{0, 3, WordRole::kNumber, -1}, {4, 9, WordRole::kShape, 0}};
    truth.holdout = "colour_shape";
    truth.pair_of = 77;
    truth.changed = "count";
    return truth;
}

TEST(SampleFile, KeepsTheTruthOfScenes) {
    test::ScratchFolder scratch;
    const auto path = scratch / "samples.h5";
    SampleRecord scene = test::sampleRecord(5), plain = test::sampleRecord(6);
    scene.truth = truthOfTest();
    {
        auto writer = SampleFileWriter::create(path, "uuid");
        ASSERT_TRUE(writer) << writer.error().message();
        (*writer)->append(scene);
        (*writer)->append(plain);
        ASSERT_TRUE((*writer)->close());
    }
    const auto reader = SampleFileReader::open(path);
    ASSERT_TRUE(reader) << reader.error().message();
    const auto first = (*reader)->read(0), second = (*reader)->read(1);
    ASSERT_TRUE(first && second);
    ASSERT_TRUE(first->truth);
    EXPECT_TRUE(*first->truth == *scene.truth);
    EXPECT_FALSE(second->truth) << "a sample without truth, as all were before there was any";
    test::expectSameSample(scene, *first, true);
    test::expectSameSample(plain, *second, true);
    const auto list = (*reader)->list();
    ASSERT_TRUE(list);
    EXPECT_TRUE((*list)[0].truth && *(*list)[0].truth == *scene.truth);
}

TEST(SampleFile, ReadsASampleWithoutATruthThatMakesNoSense) {
    test::ScratchFolder scratch;
    const auto path = scratch / "samples.h5";
    SampleRecord contradicting = test::sampleRecord(5), large = test::sampleRecord(6), whole = test::sampleRecord(7);
    contradicting.truth = large.truth = whole.truth = truthOfTest();
    contradicting.truth->words[1].object = 9;  // the writer stores what it is given
    large.truth->side = 900;                   // of a picture of 6 x 4 pixels
    large.truth->owner.assign(900 * 900, 0);
    {
        auto writer = SampleFileWriter::create(path, "uuid");
        ASSERT_TRUE(writer);
        for (const SampleRecord& sample : {contradicting, large, whole}) (*writer)->append(sample);
        ASSERT_TRUE((*writer)->close());
    }
    const auto reader = SampleFileReader::open(path);
    ASSERT_TRUE(reader);
    const auto list = (*reader)->list();
    ASSERT_TRUE(list) << list.error().message();
    const SampleRecord* written[] = {&contradicting, &large, &whole};
    for (std::size_t i = 0; i < 3; ++i) {
        const auto read = (*reader)->read(i);
        ASSERT_TRUE(read) << read.error().message();
        test::expectSameSample(*written[i], *read, true);
        EXPECT_EQ(read->truth.has_value(), i == 2);
        EXPECT_EQ((*list)[i].truth.has_value(), i == 2);
    }
}

}  // namespace
}  // namespace es::store
