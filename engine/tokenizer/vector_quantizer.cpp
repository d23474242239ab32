// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/tokenizer/vector_quantizer.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <vector>

namespace es::engine {
namespace {

constexpr int kFittingRounds = 10;
constexpr std::int64_t kScoresAtOnce = 1 << 22;  // memory of one product
constexpr float kShortest = 1e-12F;

void scaleToUnit(float* row, std::int64_t width) {
    float squares = 0;
    for (std::int64_t c = 0; c < width; ++c) squares += row[c] * row[c];
    const float norm = std::sqrt(squares);
    if (norm < kShortest) return;
    for (std::int64_t c = 0; c < width; ++c) row[c] /= norm;
}

/// Adds each vector to the row of its code, in order: the same to the bit whatever the number of threads.
void addByCode(const at::Tensor& z_NC, const at::Tensor& code_N, at::Tensor& sum_KC, at::Tensor& count_K) {
    const float* z = z_NC.const_data_ptr<float>();
    const std::int64_t* code = code_N.const_data_ptr<std::int64_t>();
    float* sum = sum_KC.mutable_data_ptr<float>();
    float* count = count_K.mutable_data_ptr<float>();
    const std::int64_t width = z_NC.size(1);
    for (std::int64_t n = 0; n < z_NC.size(0); ++n) {
        count[code[n]] += 1;
        for (std::int64_t c = 0; c < width; ++c) sum[code[n] * width + c] += z[n * width + c];
    }
}

at::Tensor randomDirections(std::int64_t count, std::int64_t width, RandomStream& random) {
    at::Tensor out = at::empty({count, width}, at::kFloat);
    float* data = out.mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < out.numel(); ++i) data[i] = static_cast<float>(random.normal());
    for (std::int64_t i = 0; i < count; ++i) scaleToUnit(data + i * width, width);
    return out;
}

}  // namespace

VectorQuantizer::VectorQuantizer(at::Tensor codebook_KC, const QuantizerOptions& options) : options_(options), codebook_KC_(std::move(codebook_KC)) {
    TORCH_CHECK(codebook_KC_.dim() == 2 && codebook_KC_.size(0) > 0 && codebook_KC_.scalar_type() == at::kFloat, "a codebook of shape ", codebook_KC_.sizes());
    codebook_KC_ = codebook_KC_.to(at::kCPU).contiguous();
    size_K_ = at::ones({codebook_KC_.size(0)}, at::kFloat);
    sum_KC_ = codebook_KC_.clone();
}

VectorQuantizer VectorQuantizer::fitted(const at::Tensor& z_NC, std::int64_t codes, const QuantizerOptions& options, RandomStream& random) {
    const at::NoGradGuard no_grad;
    const at::Tensor vectors_NC = z_NC.detach().to(at::kCPU, at::kFloat).contiguous();
    const std::int64_t count = vectors_NC.size(0), width = vectors_NC.size(1);
    TORCH_CHECK(count > 0, "there are no vectors to begin with");
    std::vector<std::int64_t> order(static_cast<std::size_t>(count));
    std::iota(order.begin(), order.end(), 0);
    random.shuffle(std::span(order));
    order.resize(static_cast<std::size_t>(std::min(count, codes)));
    at::Tensor first_KC = vectors_NC.index_select(0, at::tensor(order, at::kLong));
    if (count < codes) first_KC = at::cat({first_KC, randomDirections(codes - count, width, random)});
    VectorQuantizer out(first_KC, options);
    for (int round = 0; round < kFittingRounds; ++round) {
        at::Tensor sum_KC = at::zeros({codes, width}, at::kFloat), count_K = at::zeros({codes}, at::kFloat);
        addByCode(vectors_NC, out.nearest(vectors_NC), sum_KC, count_K);
        float* sums = sum_KC.mutable_data_ptr<float>();
        const float* counts = count_K.const_data_ptr<float>();
        float* book = out.codebook_KC_.mutable_data_ptr<float>();
        for (std::int64_t k = 0; k < codes; ++k) {
            if (counts[k] == 0) {
                if (count < codes) continue;
                const float* lucky = vectors_NC.const_data_ptr<float>() + random.below(static_cast<std::uint32_t>(count)) * width;
                std::copy_n(lucky, width, book + k * width);
                continue;
            }
            scaleToUnit(sums + k * width, width);
            std::copy_n(sums + k * width, width, book + k * width);
        }
    }
    out.size_K_.fill_(static_cast<double>(count) / static_cast<double>(codes));
    out.sum_KC_ = out.codebook_KC_ * out.size_K_.unsqueeze(1);
    return out;
}

at::Tensor VectorQuantizer::nearest(const at::Tensor& z_NC) const {
    const at::NoGradGuard no_grad;
    const std::int64_t count = z_NC.size(0), step = std::max<std::int64_t>(1, kScoresAtOnce / codebook_KC_.size(0));
    at::Tensor out_N = at::empty({count}, at::kLong);
    const at::Tensor vectors_NC = z_NC.detach();
    for (std::int64_t begin = 0; begin < count; begin += step) {
        const std::int64_t rows = std::min(step, count - begin);
        out_N.narrow(0, begin, rows).copy_(vectors_NC.narrow(0, begin, rows).mm(codebook_KC_.t()).argmax(1));
    }
    return out_N;
}

void VectorQuantizer::restart(std::int64_t code, const at::Tensor& z_NC, double weight, RandomStream& random) {
    const std::int64_t width = z_NC.size(1);
    const float* vector = z_NC.const_data_ptr<float>() + random.below(static_cast<std::uint32_t>(z_NC.size(0))) * width;
    std::copy_n(vector, width, codebook_KC_.mutable_data_ptr<float>() + code * width);
    size_K_.mutable_data_ptr<float>()[code] = static_cast<float>(weight);
    for (std::int64_t c = 0; c < width; ++c) sum_KC_.mutable_data_ptr<float>()[code * width + c] = vector[c] * static_cast<float>(weight);
}

std::int64_t VectorQuantizer::update(const at::Tensor& z_NC, const at::Tensor& code_N, RandomStream& random) {
    const at::NoGradGuard no_grad;
    if (z_NC.size(0) == 0) return 0;
    const at::Tensor vectors_NC = z_NC.detach().to(at::kFloat).contiguous();
    at::Tensor sum_KC = at::zeros_like(sum_KC_), count_K = at::zeros_like(size_K_);
    addByCode(vectors_NC, code_N.contiguous(), sum_KC, count_K);
    size_K_.mul_(options_.decay).add_(count_K, 1 - options_.decay);
    sum_KC_.mul_(options_.decay).add_(sum_KC, 1 - options_.decay);
    codebook_KC_.copy_(sum_KC_);
    const std::int64_t codes = size_K_.size(0), width = codebook_KC_.size(1);
    for (std::int64_t k = 0; k < codes; ++k) scaleToUnit(codebook_KC_.mutable_data_ptr<float>() + k * width, width);
    const double even = size_K_.sum().item<double>() / static_cast<double>(codes);
    std::int64_t revived = 0;
    for (std::int64_t k = 0; k < codes; ++k) {
        if (size_K_.const_data_ptr<float>()[k] >= options_.revive_below * even) continue;
        restart(k, vectors_NC, even, random);
        ++revived;
    }
    return revived;
}

at::Tensor countCodes(const at::Tensor& code_N, std::int64_t codes) { return at::bincount(code_N, {}, codes).to(at::kDouble); }

double codePerplexity(const at::Tensor& counts_K) {
    const at::Tensor counts = counts_K.to(at::kCPU, at::kDouble).contiguous();
    const double total = counts.sum().item<double>();
    double entropy = 0;
    for (std::int64_t k = 0; k < counts.numel(); ++k) {
        const double share = counts.const_data_ptr<double>()[k] / total;
        if (share > 0) entropy -= share * std::log(share);
    }
    return total > 0 ? std::exp(entropy) : 0;
}

}  // namespace es::engine
