// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/dataset.h"

#include <spdlog/fmt/fmt.h>

#include <array>
#include <system_error>

#include "datasets/cache_paths.h"
#include "datasets/cache_reader.h"
#include "datasets/source.h"

namespace es::datasets {
namespace fs = std::filesystem;
namespace {

class MappedDataset final : public Dataset {
public:
    MappedDataset(std::shared_ptr<const CacheFile> cache, fs::path file, fs::path vocabulary)
        : cache_(std::move(cache)), records_(cache_->records()), file_(std::move(file)), vocabulary_(std::move(vocabulary)) {
        About about = aboutFromJson(cache_->about());
        name_ = std::move(about.set);
        parts_ = std::move(about.report.parts);
        for (std::size_t i = 0; i < records_.size(); ++i)
            if (records_[i].split < indices_.size()) indices_[records_[i].split].push_back(static_cast<std::int64_t>(i));
    }
    std::int64_t size() const override { return static_cast<std::int64_t>(records_.size()); }
    std::int64_t imageSize() const override { return cache_->header().image_size; }
    SampleView sample(std::int64_t index) const override {
        const FileRecord& record = records_[static_cast<std::size_t>(index)];
        return {.index = index,
                .hash = record.hash,
                .split = static_cast<Split>(record.split),
                .rgba = cache_->picture(record.picture),
                .caption = cache_->text(record.caption),
                .category = cache_->text(record.category),
                .subcategory = cache_->text(record.subcategory),
                .domain = cache_->text(record.domain),
                .license = cache_->text(record.license),
                .source = cache_->text(record.source),
                .truth = cache_->truth(static_cast<std::size_t>(index))};
    }
    std::span<const std::int64_t> indices(Split split) const override {
        const auto which = static_cast<std::size_t>(split);
        return which < indices_.size() ? std::span<const std::int64_t>(indices_[which]) : std::span<const std::int64_t>();
    }
    std::span<const SetPart> parts() const override { return parts_; }
    std::uint64_t contentHash() const override { return cache_->header().content_hash; }
    const std::string& name() const override { return name_; }
    fs::path vocabularyFile() const override { return vocabulary_; }
    const fs::path& file() const override { return file_; }

private:
    std::shared_ptr<const CacheFile> cache_;
    std::span<const FileRecord> records_;
    fs::path file_, vocabulary_;
    std::string name_;
    std::vector<SetPart> parts_;
    std::array<std::vector<std::int64_t>, 3> indices_;
};

// When the source has gone (packages removed, disk not mounted), what was converted from it is still good: the newest is taken.
fs::path newestConversion(const config::DataOptions& options) {
    const std::string prefix = cachePrefix(options, fileStemOf(options));
    fs::path newest;
    fs::file_time_type newestTime;
    std::error_code error;
    for (fs::directory_iterator it(options.cache, error), end; !error && it != end; it.increment(error)) {
        const std::string name = it->path().filename().string();
        if (!name.starts_with(prefix) || !name.ends_with(kCacheExtension)) continue;
        std::error_code timeError;
        const auto time = it->last_write_time(timeError);
        if (newest.empty() || time > newestTime) {
            newest = it->path();
            newestTime = time;
        }
    }
    return newest;
}

/// The command that makes what these options name.
std::string prepareCommand(const config::DataOptions& options) {
    const config::DataOptions usual;
    std::string command = fmt::format("expertscope data prepare '{}'", options.set);
    if (options.cache != usual.cache) command += fmt::format(" --set 'data.cache={}'", options.cache);
    if (options.image_size != usual.image_size) command += fmt::format(" --set data.image_size={}", options.image_size);
    if (options.keywords != usual.keywords) command += fmt::format(" --set data.keywords={}", options.keywords);
    if (options.scenes != usual.scenes) command += fmt::format(" --set data.scenes={}", options.scenes);
    if (options.scene_seed != usual.scene_seed) command += fmt::format(" --set data.scene_seed={}", options.scene_seed);
    if (options.vocabulary != usual.vocabulary) command += fmt::format(" --set data.vocabulary={}", options.vocabulary);
    return command;
}

}  // namespace

Result<std::shared_ptr<const Dataset>> Dataset::open(const config::DataOptions& options) {
    const std::string remedy = "Run: " + prepareCommand(options);
    CachePaths paths;
    if (auto source = openSource(options, {})) {
        paths = cachePaths(options, (*source)->fileStem(), (*source)->fingerprint());
        std::error_code error;
        if (!fs::exists(paths.data, error)) {
            const bool older = !newestConversion(options).empty();
            return badInput(fmt::format("Cannot open the data set '{}'", options.set),
                            older ? "it has changed since it was converted" : fmt::format("it has not been converted to {} pixels yet", options.image_size),
                            remedy, paths.data.string());
        }
    } else {
        paths.data = newestConversion(options);
        if (paths.data.empty()) return tl::unexpected(source.error());
        paths.vocabulary = vocabularyBeside(paths.data, options.vocabulary);
    }
    auto cache = CacheFile::open(paths.data);
    if (!cache) return tl::unexpected(cache.error());
    std::error_code error;
    if (!fs::exists(paths.vocabulary, error))
        return badInput(fmt::format("Cannot open the data set '{}'", options.set), fmt::format("it has no vocabulary of {} pieces yet", options.vocabulary),
                        remedy, paths.vocabulary.string());
    return std::make_shared<MappedDataset>(std::move(*cache), std::move(paths.data), std::move(paths.vocabulary));
}

}  // namespace es::datasets
