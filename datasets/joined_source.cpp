// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/joined_source.h"

#include <spdlog/fmt/fmt.h>

#include "engine/base/hash.h"

namespace es::datasets {
namespace {

struct Portion {
    Source* source = nullptr;
    std::int64_t first = 0;  ///< its first picture among all
};

const Portion& portionOf(const std::vector<Portion>& portions, std::int64_t picture) {
    std::size_t i = portions.size() - 1;
    while (i > 0 && portions[i].first > picture) --i;
    return portions[i];
}

class JoinedReader final : public PictureReader {
public:
    explicit JoinedReader(const std::vector<Portion>& portions) : portions_(portions), readers_(portions.size()) {}
    tl::expected<ConvertedPicture, NoPicture> read(std::int64_t picture, std::int64_t size) override {
        const Portion& portion = portionOf(portions_, picture);
        auto& reader = readers_[static_cast<std::size_t>(&portion - portions_.data())];
        if (!reader) {
            auto made = portion.source->makeReader();
            if (!made) return tl::unexpected(NoPicture{made.error().message()});
            reader = std::move(*made);
        }
        return reader->read(picture - portion.first, size);
    }

private:
    const std::vector<Portion>& portions_;
    std::vector<std::unique_ptr<PictureReader>> readers_;
};

class JoinedSource final : public Source {
public:
    JoinedSource(std::string name, std::string stem, std::vector<std::unique_ptr<Source>> parts)
        : name_(std::move(name)), stem_(std::move(stem)), parts_(std::move(parts)) {}

    const std::string& name() const override { return name_; }
    const std::string& fileStem() const override { return stem_; }
    std::uint64_t fingerprint() const override {
        std::uint64_t hash = hash64("joined 2");
        for (const auto& part : parts_) hash = hash64(fmt::format("{} {}", part->name(), part->fingerprint()), hash);
        return hash;
    }
    std::string place() const override {
        std::string places;
        for (const auto& part : parts_) places += (places.empty() ? "" : ", ") + part->place();
        return places;
    }

    Result<Content> read(const JobContext& context) override {
        Content all;
        portions_.clear();
        for (const auto& part : parts_) {
            auto content = part->read(context);
            if (!content) return tl::unexpected(content.error());
            const std::int64_t items = static_cast<std::int64_t>(all.items.size());
            const auto place = static_cast<std::int32_t>(all.parts.size());
            all.parts.push_back(part->name());
            for (Item& item : content->items) {
                item.part = place;
                if (item.picture >= 0) item.picture += all.pictures;
                if (item.pair_of >= 0) item.pair_of += items;
                item.category = item.category.empty() ? part->name() : part->name() + ": " + item.category;
                all.items.push_back(std::move(item));
            }
            portions_.push_back({part.get(), all.pictures});
            all.pictures += content->pictures;
            all.left_out += content->left_out;
            for (Problem& problem : content->problems) all.problems.push_back({part->name() + ": " + problem.path, std::move(problem.why)});
            for (Problem& note : content->notes) all.notes.push_back({part->name() + ": " + note.path, std::move(note.why)});
        }
        return all;
    }
    Result<std::unique_ptr<PictureReader>> makeReader() const override { return std::make_unique<JoinedReader>(portions_); }
    std::string picturePath(std::int64_t picture) const override {
        const Portion& portion = portionOf(portions_, picture);
        return portion.source->name() + ": " + portion.source->picturePath(picture - portion.first);
    }

private:
    std::string name_, stem_;
    std::vector<std::unique_ptr<Source>> parts_;
    std::vector<Portion> portions_;
};

}  // namespace

std::unique_ptr<Source> joinSources(std::string name, std::string stem, std::vector<std::unique_ptr<Source>> parts) {
    return std::make_unique<JoinedSource>(std::move(name), std::move(stem), std::move(parts));
}

}  // namespace es::datasets
