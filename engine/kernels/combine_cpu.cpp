// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/kernels/combine_cpu.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "engine/kernels/vector_math.h"

namespace es::engine::kernels {
namespace {
constexpr std::int64_t kGrainElements = 32768;
std::int64_t grain(const CombineShape& shape) { return std::max<std::int64_t>(1, kGrainElements / std::max<std::int64_t>(1, shape.width * shape.choices)); }
}  // namespace

template <class T>
void combineForward(const CombineShape& shape, const T* y_SD, const T* weights_TK, T* out_TD) {
    const std::int64_t k = shape.choices, d = shape.width;
    at::parallel_for(0, shape.tokens, grain(shape), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t t = begin; t < end; ++t) {
            T* out = out_TD + t * d;
            bool written = false;
            for (std::int64_t j = 0; j < k; ++j) {
                const std::int64_t slot = shape.slot_of_TK[t * k + j];
                if (slot < 0) continue;
                const T weight = weights_TK ? weights_TK[t * k + j] : T(1);
                if (written) addScaled(out, y_SD + slot * d, weight, d);
                else scaleTo(out, y_SD + slot * d, weight, d);
                written = true;
            }
            if (!written) std::fill_n(out, d, T(0));
        }
    });
}

template <class T>
void combineBackward(const CombineShape& shape, const T* y_SD, const T* weights_TK, const T* dout_TD, T* dy_SD, T* dweights_TK) {
    const std::int64_t k = shape.choices, d = shape.width;
    at::parallel_for(0, shape.tokens, grain(shape), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t t = begin; t < end; ++t) {
            const T* dout = dout_TD + t * d;
            for (std::int64_t j = 0; j < k; ++j) {
                const std::int64_t slot = shape.slot_of_TK[t * k + j];
                dweights_TK[t * k + j] = slot < 0 ? T(0) : dot(dout, y_SD + slot * d, d);
                if (slot >= 0) scaleTo(dy_SD + slot * d, dout, weights_TK[t * k + j], d);
            }
        }
    });
}

template void combineForward(const CombineShape&, const float*, const float*, float*);
template void combineForward(const CombineShape&, const double*, const double*, double*);
template void combineBackward(const CombineShape&, const float*, const float*, const float*, float*, float*);
template void combineBackward(const CombineShape&, const double*, const double*, const double*, double*, double*);

}  // namespace es::engine::kernels
