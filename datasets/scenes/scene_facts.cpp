// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cstdlib>

#include "datasets/scenes/scene_spec.h"

namespace es::datasets {
namespace {

/// What a caption says, asked of other objects.
class SceneFacts {
public:
    SceneFacts(const DrawnScene& said, const std::vector<DrawnObject>& objects) : said_(said), plan_(said.plan), objects_(objects) {}

    [[nodiscard]] bool hold() const {
        switch (plan_.kind) {
            case CaptionKind::kAttribute:
                return std::any_of(objects_.begin(), objects_.end(), [&](const DrawnObject& o) { return fitsName(o, plan_.first, plan_.colour); });
            case CaptionKind::kBinding: return anyTwo(plan_.colour, [](const DrawnObject&, const DrawnObject&) { return true; });
            case CaptionKind::kCount: return counted(objects_) == counted(said_.objects);
            case CaptionKind::kRelation: return anyTwo(plan_.colour, [&](const DrawnObject& a, const DrawnObject& b) { return related(a, b); });
            case CaptionKind::kSame: return anyTwo(false, [](const DrawnObject& a, const DrawnObject& b) { return a.colour == b.colour; });
            case CaptionKind::kNegation: break;
        }
        if (plan_.about_object)
            return std::any_of(objects_.begin(), objects_.end(),
                               [&](const DrawnObject& o) { return fitsName(o, plan_.first, false) && o.colour != plan_.absent_colour; });
        return std::none_of(objects_.begin(), objects_.end(),
                            [&](const DrawnObject& o) { return o.shape == plan_.absent_shape && o.colour == plan_.absent_colour; });
    }

private:
    /// Whether the words for one of the caption's objects name this one as well.
    [[nodiscard]] bool fitsName(const DrawnObject& object, int which, bool colour) const {
        const DrawnObject& named = said_.objects[static_cast<std::size_t>(which)];
        return object.shape == named.shape && (!colour || object.colour == named.colour) && (!plan_.size || object.size == named.size) &&
               (!plan_.texture || object.texture == named.texture);
    }
    template <class Holds>
    [[nodiscard]] bool anyTwo(bool colour, Holds&& holds) const {
        for (const DrawnObject& a : objects_)
            for (const DrawnObject& b : objects_)
                if (&a != &b && fitsName(a, plan_.first, colour) && fitsName(b, plan_.second, colour) && holds(a, b)) return true;
        return false;
    }
    [[nodiscard]] std::ptrdiff_t counted(const std::vector<DrawnObject>& objects) const {
        const DrawnObject& like = said_.objects[static_cast<std::size_t>(plan_.first)];
        return std::count_if(objects.begin(), objects.end(),
                             [&](const DrawnObject& o) { return o.shape == like.shape && (!plan_.colour || o.colour == like.colour); });
    }
    /// As widely as anybody may read it: left of is any bit to the left.
    [[nodiscard]] bool related(const DrawnObject& a, const DrawnObject& b) const {
        switch (plan_.relation) {
            case Relation::kLeft: return a.x < b.x;
            case Relation::kRight: return a.x > b.x;
            case Relation::kAbove: return a.y < b.y;
            case Relation::kBelow: return a.y > b.y;
            case Relation::kInside: break;
        }
        return a.radius < b.radius && std::abs(a.x - b.x) < b.radius && std::abs(a.y - b.y) < b.radius;
    }

    const DrawnScene& said_;
    const CaptionPlan& plan_;
    const std::vector<DrawnObject>& objects_;
};

}  // namespace

bool captionHolds(const DrawnScene& said, const std::vector<DrawnObject>& objects) { return SceneFacts(said, objects).hold(); }

}  // namespace es::datasets
