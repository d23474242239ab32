// SPDX-License-Identifier: GPL-3.0-or-later
// Reading ahead gives what reading gives: at every place, in every order, up to where a file is damaged.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>

#include "engine/base/random.h"
#include "engine/store/hdf5_file.h"
#include "support/scratch_folder.h"

namespace es::store {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kChunk = 16'384;  // rows
constexpr std::int64_t kRows = 700'000;

/// A column of 32-bit rows, each its own place, times three.
class ReadAhead : public testing::Test {
protected:
    void SetUp() override {
        const QuietHdf5 quiet;
        auto file = createHdf5(path_);
        ASSERT_TRUE(file);
        std::vector<std::int32_t> rows(static_cast<std::size_t>(kRows));
        for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::int32_t>(3 * i);
        const hsize_t count = rows.size(), chunk = kChunk;
        const H5Space space(H5Screate_simple(1, &count, nullptr));
        const H5Properties creation(H5Pcreate(H5P_DATASET_CREATE));
        ASSERT_GE(H5Pset_chunk(creation.get(), 1, &chunk), 0);
        ASSERT_GE(H5Pset_fletcher32(creation.get()), 0);  // a check sum a chunk, so that damage is an error of reading
        const H5Dataset column(H5Dcreate2(file->get(), "rows", H5T_STD_I32LE, space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT));
        ASSERT_GE(H5Dwrite(column.get(), H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, rows.data()), 0);
    }
    void open() {
        auto file = openHdf5(path_, true);
        ASSERT_TRUE(file);
        file_ = std::move(*file);
        auto column = ReadColumn::open(file_.get(), "rows", path_.string());
        ASSERT_TRUE(column);
        column_.emplace(std::move(*column));
        ASSERT_EQ(column_->size(), kRows);
    }
    /// Whether the rows come, and are the right ones.
    bool reads(std::int64_t first, std::int64_t count) {
        const QuietHdf5 quiet;
        std::vector<std::int32_t> rows(static_cast<std::size_t>(count), -1);
        if (!column_->readAhead(first, count, H5T_NATIVE_INT32, sizeof(std::int32_t), rows.data())) return false;
        for (std::size_t i = 0; i < rows.size(); ++i)
            if (rows[i] != 3 * (first + static_cast<std::int64_t>(i))) {
                ADD_FAILURE() << "row " << first + static_cast<std::int64_t>(i) << " is " << rows[i];
                return false;
            }
        return true;
    }

    test::ScratchFolder scratch_;
    const fs::path path_ = scratch_ / "rows.h5";
    H5File file_;
    std::optional<ReadColumn> column_;
};

TEST_F(ReadAhead, GivesTheSameInEveryOrder) {
    ASSERT_NO_FATAL_FAILURE(open());
    // A walk from end to end in small pieces, which grows what is read along to its bound.
    for (std::int64_t at = 0; at < kRows; at += 997) ASSERT_TRUE(reads(at, std::min<std::int64_t>(997, kRows - at))) << at;
    RandomStream random(3, RandomPurpose::kSynthetic);
    std::int64_t at = 0;
    for (int i = 0; i < 3000; ++i) {
        const auto draw = [&](std::int64_t bound) { return static_cast<std::int64_t>(random.nextU64() % static_cast<std::uint64_t>(bound)); };
        const std::int64_t kind = draw(6);
        if (kind == 0) at = draw(kRows);                                   // anywhere
        if (kind == 1) at = std::max<std::int64_t>(0, at - draw(40'000));  // back
        if (kind == 2) at = std::min(kRows, at + draw(40'000));            // on, with a gap
        const std::int64_t count = std::min(kRows - at, kind == 5 ? draw(2000) : draw(60));
        ASSERT_TRUE(reads(at, count)) << at << ", " << count;
        at += count;
    }
    EXPECT_TRUE(reads(1000, 400'000)) << "more than is ever kept";
    EXPECT_TRUE(reads(0, kRows));
    EXPECT_TRUE(reads(kRows - 1, 1));
    EXPECT_TRUE(reads(kRows, 0));
}

TEST_F(ReadAhead, RefusesWhatLiesOutside) {
    ASSERT_NO_FATAL_FAILURE(open());
    EXPECT_TRUE(reads(kRows - 10, 10));
    for (const auto& [first, count] : std::vector<std::pair<std::int64_t, std::int64_t>>{{kRows - 10, 11}, {kRows, 1}, {-1, 2}, {kRows + 1, 0}}) {
        std::int32_t row[16];
        EXPECT_FALSE(column_->readAhead(first, count, H5T_NATIVE_INT32, sizeof(std::int32_t), row)) << first << ", " << count;
    }
    EXPECT_TRUE(reads(5, 3)) << "and goes on";
}

TEST_F(ReadAhead, DamageFurtherOnCostsNothingBeforeIt) {
    haddr_t at = HADDR_UNDEF;
    hsize_t bytes = 0;
    constexpr std::int64_t kDamaged = 3 * static_cast<std::int64_t>(kChunk);
    {
        const auto file = openHdf5(path_, true);
        ASSERT_TRUE(file);
        const H5Dataset rows(H5Dopen2(file->get(), "rows", H5P_DEFAULT));
        const hsize_t first = kDamaged;
        unsigned mask = 0;
        ASSERT_GE(H5Dget_chunk_info_by_coord(rows.get(), &first, &mask, &at, &bytes), 0);
        ASSERT_NE(at, HADDR_UNDEF);
    }
    {
        std::fstream damage(path_, std::ios::in | std::ios::out | std::ios::binary);
        damage.seekp(static_cast<std::streamoff>(at + bytes / 2));
        damage.write("damaged!", 8);
    }
    ASSERT_NO_FATAL_FAILURE(open());
    // Pieces end where chunks end, and what is read along reaches the damage long before.
    for (std::int64_t row = 0; row < kDamaged; row += 512) ASSERT_TRUE(reads(row, 512)) << row;
    EXPECT_FALSE(reads(kDamaged, 512));
    EXPECT_FALSE(reads(kDamaged - 1, 2));
    EXPECT_TRUE(reads(kDamaged - 1, 1));
    for (std::int64_t row = kDamaged + static_cast<std::int64_t>(kChunk); row < kDamaged + 5 * static_cast<std::int64_t>(kChunk); row += 512)
        ASSERT_TRUE(reads(row, 512)) << row;
}

}  // namespace
}  // namespace es::store
