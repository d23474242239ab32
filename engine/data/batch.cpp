// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/batch.h"

namespace es::engine {
namespace {

ImageStream moved(const ImageStream& s, at::Device device) {
    return {s.patches_BPD.to(device), s.target_BPD.to(device), s.masked_BP.to(device), s.counts_BP.to(device),
            s.code_BP.defined() ? s.code_BP.to(device) : at::Tensor()};
}
TextStream moved(const TextStream& s, at::Device device) { return {s.ids_BL.to(device), s.masked_BL.to(device), s.valid_BL.to(device)}; }

}  // namespace

Batch Batch::to(at::Device device) const {
    if (device.is_cpu()) return *this;
    Batch out;
    if (images) out.images = moved(*images, device);
    if (texts) out.texts = moved(*texts, device);
    if (pair_images) out.pair_images = moved(*pair_images, device);
    if (pair_texts) out.pair_texts = moved(*pair_texts, device);
    out.image_samples = image_samples;
    out.text_samples = text_samples;
    out.pair_samples = pair_samples;
    out.appended = appended;
    return out;
}

}  // namespace es::engine
