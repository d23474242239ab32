// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/evaluation_file.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "engine/base/files.h"
#include "engine/store/format.h"
#include "engine/store/hdf5_file.h"

namespace es::store {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kVariantBytes = 64;
constexpr std::int64_t kMostRows = std::int64_t{1} << 28;

template <class T, class Get>
std::vector<T> column(const std::vector<EvaluationRow>& rows, Get get) {
    std::vector<T> values;
    values.reserve(rows.size());
    for (const EvaluationRow& row : rows) values.push_back(static_cast<T>(get(row)));
    return values;
}

template <class T>
bool writeColumn(hid_t file, const char* name, hid_t type, const std::vector<T>& values) {
    return writeDataset(file, name, type, values.data(), values.size());
}

/// The distinct variants, in order of first appearance.
std::vector<std::string> variantsOf(const std::vector<EvaluationRow>& rows) {
    std::vector<std::string> variants;
    for (const EvaluationRow& row : rows)
        if (std::find(variants.begin(), variants.end(), row.variant) == variants.end()) variants.push_back(row.variant);
    return variants;
}

}  // namespace

Status writeEvaluation(const fs::path& path, const Evaluation& evaluation, const std::string& runUuid) {
    const QuietHdf5 quiet;
    const fs::path temporary = path.string() + ".part";
    {
        auto file = createHdf5(temporary);
        if (!file) return tl::unexpected(file.error());
        const hid_t id = file->get();
        const auto& rows = evaluation.rows;
        const auto variants = variantsOf(rows);
        const H5Type variantType = textType(kVariantBytes);
        std::vector<std::array<char, kVariantBytes>> names(variants.size());
        for (std::size_t i = 0; i < variants.size(); ++i) std::memcpy(names[i].data(), variants[i].data(), std::min(variants[i].size(), kVariantBytes));
        const auto variantIndex = [&](const EvaluationRow& row) { return std::find(variants.begin(), variants.end(), row.variant) - variants.begin(); };
        const bool ok =
            writeAttribute(id, "format_version", kFormatVersion) && writeAttribute(id, "run_uuid", runUuid) &&
            writeAttribute(id, "kind", std::string("evaluation")) && writeAttribute(id, "step", evaluation.step) &&
            writeAttribute(id, "split", std::string(toString(evaluation.split))) &&
            writeColumn(id, "sample", H5T_STD_U64LE, column<std::uint64_t>(rows, [](const auto& r) { return r.sample; })) &&
            writeColumn(id, "objective", H5T_STD_U8LE, column<std::uint8_t>(rows, [](const auto& r) { return static_cast<std::uint8_t>(r.objective); })) &&
            writeColumn(id, "mask_seed", H5T_STD_I64LE, column<std::int64_t>(rows, [](const auto& r) { return r.mask_seed; })) &&
            writeColumn(id, "loss", H5T_IEEE_F64LE, column<double>(rows, [](const auto& r) { return r.loss; })) &&
            writeColumn(id, "trivial_loss", H5T_IEEE_F64LE, column<double>(rows, [](const auto& r) { return r.trivial_loss; })) &&
            writeColumn(id, "targets", H5T_STD_I32LE, column<std::int32_t>(rows, [](const auto& r) { return r.targets; })) &&
            writeColumn(id, "accuracy", H5T_IEEE_F64LE, column<double>(rows, [](const auto& r) { return r.accuracy; })) &&
            writeColumn(id, "variant", H5T_STD_U16LE, column<std::uint16_t>(rows, variantIndex)) &&
            writeDataset(id, "variants", variantType.get(), names.data(), names.size());
        if (!ok || file->reset() < 0) return hdf5WriteError(path.string());
    }
    if (auto synced = syncFile(temporary); !synced) return synced;
    std::error_code error;
    fs::rename(temporary, path, error);
    if (error) return jobFailed("Cannot replace the file", error.message(), "Check the folder's permissions", path.string());
    return syncFolder(path.parent_path());
}

Result<Evaluation> readEvaluation(const fs::path& path) {
    const QuietHdf5 quiet;
    auto file = openHdf5(path, false);
    if (!file) return tl::unexpected(file.error());
    const hid_t id = file->get();
    const std::int64_t version = readIntAttribute(id, "format_version", 0);
    if (version < 1) return badInput("Cannot read the evaluation", "it is not an evaluation file", "Copy it again, or go on without it", path.string());
    if (version > kFormatVersion) return badInput("Cannot read the evaluation", "a newer version of ExpertScope wrote it", "Update ExpertScope", path.string());
    Evaluation evaluation;
    evaluation.step = readIntAttribute(id, "step", 0);
    evaluation.split = splitFromString(readTextAttribute(id, "split")).value_or(Split::kNone);

    std::optional<Error> failure;
    std::int64_t rows = -1;
    const auto take = [&]<class T>(const char* name, hid_t type, auto set) {
        if (failure) return;
        const auto data = ReadColumn::open(id, name, path.string());
        if (!data) {
            failure = data.error();
            return;
        }
        if (rows < 0 && data->size() <= kMostRows) {
            rows = data->size();
            evaluation.rows.resize(static_cast<std::size_t>(rows));
        }
        if (data->size() != rows) {
            failure = badInput("Cannot read the evaluation", "its columns differ in length", "Copy it again, or go on without it", path.string()).value();
            return;
        }
        const auto values = data->template readAll<T>(type);
        if (!values) failure = values.error();
        else
            for (std::size_t i = 0; i < values->size(); ++i) set(evaluation.rows[i], (*values)[i]);
    };
    take.operator()<std::uint64_t>("sample", H5T_NATIVE_UINT64, [](EvaluationRow& r, std::uint64_t v) { r.sample = v; });
    take.operator()<std::uint8_t>("objective", H5T_NATIVE_UINT8, [](EvaluationRow& r, std::uint8_t v) { r.objective = static_cast<Objective>(v); });
    take.operator()<std::int64_t>("mask_seed", H5T_NATIVE_INT64, [](EvaluationRow& r, std::int64_t v) { r.mask_seed = v; });
    take.operator()<double>("loss", H5T_NATIVE_DOUBLE, [](EvaluationRow& r, double v) { r.loss = v; });
    take.operator()<double>("trivial_loss", H5T_NATIVE_DOUBLE, [](EvaluationRow& r, double v) { r.trivial_loss = v; });
    take.operator()<std::int32_t>("targets", H5T_NATIVE_INT32, [](EvaluationRow& r, std::int32_t v) { r.targets = v; });
    take.operator()<double>("accuracy", H5T_NATIVE_DOUBLE, [](EvaluationRow& r, double v) { r.accuracy = v; });
    std::vector<std::uint16_t> variantOf;
    take.operator()<std::uint16_t>("variant", H5T_NATIVE_UINT16, [&](EvaluationRow&, std::uint16_t v) { variantOf.push_back(v); });
    if (failure) return tl::unexpected(*failure);

    const auto variants = ReadColumn::open(id, "variants", path.string());
    if (!variants) return tl::unexpected(variants.error());
    const H5Type variantType = textType(kVariantBytes);
    if (variants->size() > 65536)
        return badInput("Cannot read the evaluation", "it claims an absurd number of variants", "Copy it again, or go on without it", path.string());
    const auto names = variants->readAll<std::array<char, kVariantBytes>>(variantType.get());
    if (!names) return tl::unexpected(names.error());
    for (std::size_t i = 0; i < variantOf.size(); ++i)
        if (variantOf[i] < names->size()) {
            const auto& name = (*names)[variantOf[i]];
            evaluation.rows[i].variant.assign(name.data(), strnlen(name.data(), name.size()));
        }
    return evaluation;
}

}  // namespace es::store
