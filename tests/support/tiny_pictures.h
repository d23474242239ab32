// SPDX-License-Identifier: GPL-3.0-or-later
// A folder of small coloured pictures with captions, and a model that trains on it within a second.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "engine/base/random.h"
#include "engine/config/run_config.h"

namespace es::test {

/// Writes `count` PPM pictures of 16 x 16 pixels, each a coloured shape on a coloured ground with a caption that says so.
inline void writeTinyPictures(const std::filesystem::path& folder, int count = 80) {
    const std::string colours[] = {"red", "green", "blue", "yellow", "white", "black"};
    const unsigned char values[][3] = {{220, 30, 30}, {30, 200, 60}, {40, 60, 220}, {230, 220, 40}, {250, 250, 250}, {10, 10, 10}};
    const std::string shapes[] = {"square", "bar", "stripe", "corner", "frame"};
    std::filesystem::create_directories(folder);
    std::ofstream table(folder / "metadata.csv");
    table << "file_name,text\n";
    for (int i = 0; i < count; ++i) {
        RandomStream random(5, RandomPurpose::kSynthetic, static_cast<std::uint64_t>(i));
        const std::size_t front = random.below(6), back = (front + 1 + random.below(5)) % 6, shape = random.below(5);
        const std::string name = "picture" + std::to_string(i) + ".ppm";
        std::ofstream picture(folder / name, std::ios::binary);
        picture << "P6\n16 16\n255\n";
        for (int y = 0; y < 16; ++y)
            for (int x = 0; x < 16; ++x) {
                const bool inside = shape == 0   ? x > 3 && x < 12 && y > 3 && y < 12
                                    : shape == 1 ? x > 5 && x < 10
                                    : shape == 2 ? y > 5 && y < 10
                                    : shape == 3 ? x < 8 && y < 8
                                                 : x < 3 || y < 3 || x > 12 || y > 12;
                for (int c = 0; c < 3; ++c) picture << static_cast<char>(std::min(255u, values[inside ? front : back][c] * 9u / 10u + random.below(26)));
            }
        table << name << ",a " << colours[front] << ' ' << shapes[shape] << " on " << colours[back] << " ground number " << i << '\n';
    }
}

/// Trains on that folder in about a second. The cache goes beside the pictures.
inline config::RunConfig tinyConfig(const std::filesystem::path& pictures) {
    config::RunConfig config;
    config.run.name = "tiny";
    config.run.device = "cpu";
    config.run.threads = 1;
    config.data.set = pictures.string();
    config.data.cache = (pictures.parent_path() / "cache").string();
    config.data.image_size = 16;
    config.data.max_words = 12;
    config.data.vocabulary = 96;
    config.model.width = 16;
    config.model.layers = 3;
    config.model.heads = 2;
    config.model.patch = 4;
    config.model.ffn_width = 32;
    config.model.moe_layers = {1};
    config.moe.experts = 4;
    config.moe.expert_width = 32;
    config.train.steps = 10;
    config.train.batch_images = 4;
    config.train.batch_texts = 6;
    config.train.batch_pairs = 4;
    config.train.evaluate_every = 5;
    config.train.checkpoint_every = 5;
    config.record.trace_every = 2;
    config.record.probe_samples = 4;
    config.record.probe_random_routers = 2;
    return config;
}

}  // namespace es::test
