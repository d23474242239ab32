// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>

#include "datasets/scenes/caption_builder.h"
#include "datasets/scenes/scene_spec.h"

namespace es::datasets {
namespace {

constexpr std::array<std::string_view, 7> kNumbers{"no", "one", "two", "three", "four", "five", "six"};
constexpr std::array<std::string_view, 5> kBeside{"left", "right", "above", "below", "inside"};

std::string pluralOf(std::string_view shape) { return std::string(shape) + (shape == "cross" ? "es" : "s"); }

/// Writes one scene's caption.
class SceneSpeaker {
public:
    explicit SceneSpeaker(const DrawnScene& scene) : scene_(scene), plan_(scene.plan) {}

    CaptionBuilder speak() {
        switch (plan_.kind) {
            case CaptionKind::kAttribute: attribute(); break;
            case CaptionKind::kBinding: binding(); break;
            case CaptionKind::kCount: count(); break;
            case CaptionKind::kRelation: relation(); break;
            case CaptionKind::kSame: same(); break;
            case CaptionKind::kNegation: plan_.about_object ? notThatColour() : nothingLikeThat(); break;
        }
        return std::move(out_);
    }

private:
    SceneSpeaker& say(std::string_view words) {
        out_.add(words);
        return *this;
    }
    SceneSpeaker& relate(std::string_view words) {
        out_.add(words, WordRole::kRelation);
        return *this;
    }
    /// "a large red striped circle"
    SceneSpeaker& name(int which, bool colour) {
        const DrawnObject& object = scene_.objects[static_cast<std::size_t>(which)];
        struct Part {
            bool said;
            std::string_view word;
            WordRole role;
        };
        const Part parts[] = {{plan_.size, kSceneSizes[static_cast<std::size_t>(object.size)], WordRole::kSize},
                              {colour, kSceneColours[static_cast<std::size_t>(object.colour)], WordRole::kColour},
                              {plan_.texture, kSceneTextures[static_cast<std::size_t>(object.texture)], WordRole::kTexture},
                              {true, kSceneShapes[static_cast<std::size_t>(object.shape)], WordRole::kShape}};
        const Part& first = *std::find_if(std::begin(parts), std::end(parts), [](const Part& part) { return part.said; });
        out_.add(articleBefore(first.word));
        for (const Part& part : parts)
            if (part.said) out_.add(part.word, part.role, which);
        return *this;
    }
    SceneSpeaker& name(int which) { return name(which, plan_.colour); }

    /// How three of the four wordings begin.
    SceneSpeaker& begin(std::string_view there) {
        if (plan_.wording == 1) say(there);
        if (plan_.wording == 2) say("the picture shows");
        return *this;
    }

    void attribute() {
        if (plan_.wording == kHeldOutWording) say("one can see");
        begin("there is").name(plan_.first);
    }
    void binding() {
        if (plan_.wording == kHeldOutWording) say("both");
        if (plan_.wording == 2) say("the picture shows");
        name(plan_.first).say(plan_.wording == 1 ? "with" : "and").name(plan_.second);
    }
    void count() {
        const DrawnObject& like = scene_.objects[static_cast<std::size_t>(plan_.first)];
        const auto number = static_cast<std::size_t>(std::count_if(scene_.objects.begin(), scene_.objects.end(), [&](const DrawnObject& object) {
            return object.shape == like.shape && (!plan_.colour || object.colour == like.colour);
        }));
        if (plan_.wording == kHeldOutWording) say("exactly");
        begin(number == 1 ? "there is" : "there are");
        const int which = number == 1 ? plan_.first : -1;
        out_.add(kNumbers[number], WordRole::kNumber, which);
        if (plan_.colour) out_.add(kSceneColours[static_cast<std::size_t>(like.colour)], WordRole::kColour, which);
        const auto shape = kSceneShapes[static_cast<std::size_t>(like.shape)];
        out_.add(number == 1 ? std::string(shape) : pluralOf(shape), WordRole::kShape, which);
    }
    void relation() {
        const auto which = static_cast<std::size_t>(plan_.relation);
        const bool sideways = plan_.relation == Relation::kLeft || plan_.relation == Relation::kRight;
        switch (plan_.wording) {
            case 0:
                name(plan_.first).relate(kBeside[which]);
                if (sideways) say("of");
                name(plan_.second);
                break;
            case 1:
                name(plan_.first).say(sideways ? "is to the" : "is").relate(kBeside[which]);
                if (sideways) say("of");
                name(plan_.second);
                break;
            case 2:
                name(plan_.second).say("has").name(plan_.first);
                if (sideways) say("on its").relate(kBeside[which]);
                else relate(kBeside[which]).say("it");
                break;
            default: {
                constexpr std::array<std::string_view, 5> kFurther{"left", "right", "up", "down", "within"};
                say("seen from").name(plan_.second).name(plan_.first).say("is further").relate(kFurther[which]);
            }
        }
    }
    void same() {
        name(plan_.first, false);
        switch (plan_.wording) {
            case 0: say("and").name(plan_.second, false).say("of the").relate("same").say("colour"); break;
            case 1: say("has the").relate("same").say("colour as").name(plan_.second, false); break;
            case 2: say("coloured").relate("like").name(plan_.second, false); break;
            default: say("and").name(plan_.second, false).relate("share").say("a colour");
        }
    }
    void nothingLikeThat() {
        begin("there is");
        if (plan_.wording == kHeldOutWording) out_.add("not", WordRole::kNegation).add("a single");
        else out_.add("no", WordRole::kNegation);
        out_.add(kSceneColours[static_cast<std::size_t>(plan_.absent_colour)], WordRole::kColour);
        out_.add(kSceneShapes[static_cast<std::size_t>(plan_.absent_shape)], WordRole::kShape);
    }
    void notThatColour() {
        begin("there is").name(plan_.first, false);
        if (plan_.wording == kHeldOutWording) say("in any colour").out_.add("but", WordRole::kNegation);
        else say("that is").out_.add("not", WordRole::kNegation);
        out_.add(kSceneColours[static_cast<std::size_t>(plan_.absent_colour)], WordRole::kColour);
    }

    const DrawnScene& scene_;
    const CaptionPlan& plan_;
    CaptionBuilder out_;
};

}  // namespace

void writeCaption(DrawnScene& scene) {
    const CaptionBuilder spoken = SceneSpeaker(scene).speak();
    scene.caption = spoken.caption();
    scene.words = spoken.words();
}

std::string_view toString(CaptionKind kind) {
    constexpr std::array<std::string_view, 6> kNames{"attribute", "binding", "count", "relation", "same", "negation"};
    return kNames[static_cast<std::size_t>(kind)];
}

}  // namespace es::datasets
