// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/sample_file.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "engine/store/format.h"

namespace es::store {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kByteChunk = 128u << 10;
constexpr std::size_t kRowChunk = 512;
constexpr std::size_t kBufferBytes = 4u << 20;
constexpr std::int32_t kMostTextBytes = 16 << 20;
constexpr std::int32_t kMostPixels = 16384;

H5Type rowType() {
    const Field fields[] = {
        {"hash", HOFFSET(SampleRow, hash), H5T_STD_U64LE},
        {"text_at", HOFFSET(SampleRow, text_at), H5T_STD_I64LE},
        {"picture_at", HOFFSET(SampleRow, picture_at), H5T_STD_I64LE},
        {"text_bytes", HOFFSET(SampleRow, text_bytes), H5T_STD_I32LE},
        {"width", HOFFSET(SampleRow, width), H5T_STD_I32LE},
        {"height", HOFFSET(SampleRow, height), H5T_STD_I32LE},
    };
    return compoundType(sizeof(SampleRow), fields);
}

std::string toJson(const SampleRecord& s) {
    nlohmann::ordered_json json = {
        {"dataset", s.dataset},         {"index", s.index},           {"split", toString(s.split)},   {"caption", s.caption}, {"token_ids", s.token_ids},
        {"token_texts", s.token_texts}, {"category", s.category},     {"subcategory", s.subcategory}, {"domain", s.domain},   {"license", s.license},
        {"source", s.source},           {"grid_width", s.grid_width}, {"grid_height", s.grid_height},
    };
    if (s.truth) json["truth"] = nlohmann::ordered_json::parse(sceneTruthToJson(*s.truth));
    return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// `side`: the stored picture's, which bounds the truth's; 0: it has none.
bool fromJson(const std::string& text, std::int32_t side, SampleRecord& s) {
    const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object()) return false;
    try {
        s.dataset = json.value("dataset", "");
        s.index = json.value("index", std::int64_t{-1});
        s.split = splitFromString(json.value("split", "none")).value_or(Split::kNone);
        s.caption = json.value("caption", "");
        s.token_ids = json.value("token_ids", std::vector<std::int32_t>{});
        s.token_texts = json.value("token_texts", std::vector<std::string>{});
        s.category = json.value("category", "");
        s.subcategory = json.value("subcategory", "");
        s.domain = json.value("domain", "");
        s.license = json.value("license", "");
        s.source = json.value("source", "");
        s.grid_width = json.value("grid_width", 0);
        s.grid_height = json.value("grid_height", 0);
        if (const auto truth = json.find("truth"); truth != json.end()) {
            // One that contradicts itself or the picture, or that a later version writes, costs what is known of the scene, not the sample.
            if (truth->is_object() && (side == 0 || truth->value("side", 0) <= side)) s.truth = sceneTruthFromJson(truth->dump());
        }
    } catch (const nlohmann::json::exception&) {
        return false;
    }
    return true;
}

tl::unexpected<Error> damaged(const std::string& why, const std::string& path) {
    return badInput("Cannot read the stored samples", why, "The file is damaged: copy it again, or go on without it", path);
}

}  // namespace

Result<std::unique_ptr<SampleFileWriter>> SampleFileWriter::create(const fs::path& path, const std::string& runUuid) {
    const QuietHdf5 quiet;
    auto file = createHdf5(path);
    if (!file) return tl::unexpected(file.error());
    auto writer = std::make_unique<SampleFileWriter>();
    writer->path_ = path;
    const hid_t id = file->get();
    const bool ok =
        writeAttribute(id, "format_version", kFormatVersion) && writeAttribute(id, "run_uuid", runUuid) && writeAttribute(id, "kind", std::string("samples"));
    const H5Type row = rowType();
    auto text = AppendColumn::create(id, "text", H5T_STD_U8LE, 1, kByteChunk, path.string());
    auto pictures = AppendColumn::create(id, "pictures", H5T_STD_U8LE, 1, kByteChunk, path.string());
    auto rows = AppendColumn::create(id, "samples", row.get(), sizeof(SampleRow), kRowChunk, path.string());
    if (!ok || !text || !pictures || !rows || H5Fstart_swmr_write(id) < 0) return hdf5WriteError(path.string());
    writer->text_ = std::move(*text);
    writer->pictures_ = std::move(*pictures);
    writer->rows_ = std::move(*rows);
    writer->file_ = std::move(*file);
    return writer;
}

void SampleFileWriter::append(const SampleRecord& sample) {
    const QuietHdf5 quiet;
    const std::string text = toJson(sample);
    SampleRow row;
    row.hash = sample.hash;
    row.text_at = text_.size();
    row.text_bytes = static_cast<std::int32_t>(text.size());
    row.picture_at = pictures_.size();
    const auto pixels = static_cast<std::size_t>(std::max(sample.picture.width, 0)) * static_cast<std::size_t>(std::max(sample.picture.height, 0));
    if (pixels > 0 && sample.picture.rgba.size() == pixels * 4) {
        row.width = sample.picture.width;
        row.height = sample.picture.height;
        pictures_.append(sample.picture.rgba.data(), pixels * 4);
    }
    text_.append(text.data(), text.size());
    rows_.append(&row, 1);
    // A failure shows at the next flush, which tries again.
    if (pictures_.bufferedBytes() > kBufferBytes) (void)pictures_.write();
}

Status SampleFileWriter::flush() {
    const QuietHdf5 quiet;
    // Rows last: a reader never follows a row into nothing.
    for (AppendColumn* column : {&text_, &pictures_, &rows_})
        if (!column->write() || !column->flush()) return hdf5WriteError(path_.string());
    return {};
}

Status SampleFileWriter::close() {
    const QuietHdf5 quiet;
    if (!file_.valid()) return {};
    auto flushed = flush();
    text_ = AppendColumn();
    pictures_ = AppendColumn();
    rows_ = AppendColumn();
    if (file_.reset() < 0 && flushed) return hdf5WriteError(path_.string());
    if (!flushed) return flushed;
    return syncFile(path_);
}

Result<std::unique_ptr<SampleFileReader>> SampleFileReader::open(const fs::path& path) {
    const QuietHdf5 quiet;
    auto file = openHdf5(path, true);
    if (!file) return tl::unexpected(file.error());
    auto reader = std::make_unique<SampleFileReader>();
    reader->path_ = path.string();
    const hid_t id = file->get();
    const std::int64_t version = readIntAttribute(id, "format_version", 0);
    if (version < 1) return damaged("it is not a file of samples", reader->path_);
    if (version > kFormatVersion)
        return badInput("Cannot read the stored samples", "a newer version of ExpertScope wrote them", "Update ExpertScope", reader->path_);
    const auto rows = ReadColumn::open(id, "samples", reader->path_);
    if (!rows) return tl::unexpected(rows.error());
    if (rows->size() > (std::int64_t{1} << 28)) return damaged("it claims an absurd number of samples", reader->path_);
    const H5Type row = rowType();
    auto all = rows->readAll<SampleRow>(row.get());
    if (!all) return tl::unexpected(all.error());
    reader->rows_ = std::move(*all);
    auto text = ReadColumn::open(id, "text", reader->path_);
    auto pictures = text ? ReadColumn::open(id, "pictures", reader->path_) : tl::unexpected(text.error());
    if (!pictures) return tl::unexpected(pictures.error());
    reader->text_.emplace(std::move(*text));
    reader->pictures_.emplace(std::move(*pictures));
    reader->file_ = std::move(*file);
    return reader;
}

Result<std::vector<SampleRecord>> SampleFileReader::list() const {
    const QuietHdf5 quiet;
    const auto text = text_->size() <= (std::int64_t{1} << 32) ? text_->readAll<char>(H5T_NATIVE_UINT8)
                                                               : Result<std::vector<char>>(damaged("its text claims an absurd size", path_));
    if (!text) return tl::unexpected(text.error());
    std::vector<SampleRecord> samples;
    samples.reserve(rows_.size());
    for (const SampleRow& row : rows_) {
        if (row.text_at < 0 || row.text_bytes < 0 || row.text_at > text_->size() - row.text_bytes)
            return damaged("a sample refers to text beyond the end", path_);
        SampleRecord sample;
        sample.hash = row.hash;
        if (!fromJson(std::string(text->data() + row.text_at, static_cast<std::size_t>(row.text_bytes)), row.width, sample))
            return damaged("a sample's text makes no sense", path_);
        samples.push_back(std::move(sample));
    }
    return samples;
}

Result<SampleRecord> SampleFileReader::read(std::size_t index) const {
    const QuietHdf5 quiet;
    const SampleRow& row = rows_[index];
    SampleRecord sample;
    sample.hash = row.hash;
    if (row.text_bytes < 0 || row.text_bytes > kMostTextBytes || row.width < 0 || row.height < 0 || row.width > kMostPixels || row.height > kMostPixels)
        return damaged("a sample makes no sense", path_);
    std::string text(static_cast<std::size_t>(row.text_bytes), '\0');
    if (auto status = text_->read(row.text_at, row.text_bytes, H5T_NATIVE_UINT8, text.data()); !status) return tl::unexpected(status.error());
    if (!fromJson(text, row.width, sample)) return damaged("a sample's text makes no sense", path_);
    const std::int64_t bytes = std::int64_t{4} * row.width * row.height;
    if (bytes > pictures_->size()) return damaged("a sample refers to pixels beyond the end", path_);
    sample.picture.width = row.width;
    sample.picture.height = row.height;
    sample.picture.rgba.resize(static_cast<std::size_t>(bytes));
    if (auto status = pictures_->read(row.picture_at, bytes, H5T_NATIVE_UINT8, sample.picture.rgba.data()); !status) return tl::unexpected(status.error());
    return sample;
}

}  // namespace es::store
