// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/kernels/vector_math.h"

#include <bit>
#include <cmath>
#include <limits>
#include <numbers>

#include "engine/base/target_clones.h"

namespace es::engine::kernels {
namespace {

/// e^x for x <= 88 (Cody-Waite reduction, polynomial of degree 6, relative error below 2e-7). Below -87 it is 0; NaN stays NaN.
[[gnu::always_inline]] inline float fastExp(float x) {
    const float clamped = x < -87.0f ? -87.0f : x;
    const float shifted = clamped * 1.44269504f + 12582912.0f;  // 1.5 · 2^23: the sum's low bits are the rounded integer
    const float n = shifted - 12582912.0f;
    float r = clamped - n * 0.693359375f;
    r += n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    const auto exponent = static_cast<std::uint32_t>((std::bit_cast<std::uint32_t>(shifted) - 0x4B400000u) << 23);
    const float result = std::bit_cast<float>(std::bit_cast<std::uint32_t>(p) + exponent);
    return x < -87.0f ? 0.0f : (x != x ? x : result);
}

[[gnu::always_inline]] inline void geluOne(float x, float& value, float& slope) {
    const float magnitude = std::fabs(x);
    const float t = 1.0f / (1.0f + 0.23164189f * magnitude);  // 0.3275911 / √2
    const float e = fastExp(-0.5f * x * x);
    const float polynomial = t * (0.127414796f + t * (-0.142248368f + t * (0.7107068705f + t * (-0.7265760135f + t * 0.5307027145f))));
    const float tail = polynomial * e;  // Φ(-|x|)
    const float phi = x < 0 ? tail : 1.0f - tail;
    value = x * phi;
    slope = phi + x * 0.3989422804f * e;
}

/// One row of GELU of h + bias. Loops of their own, so that each vectorises.
template <bool kWithBias>
[[gnu::always_inline]] inline void geluRow(float* row, const float* bias, float* slopes, std::int64_t columns) {
    if (slopes) {
        for (std::int64_t c = 0; c < columns; ++c) {
            float value, derivative;
            geluOne(kWithBias ? row[c] + bias[c] : row[c], value, derivative);
            row[c] = value;
            slopes[c] = derivative;
        }
    } else {
        for (std::int64_t c = 0; c < columns; ++c) {
            float value, derivative;
            geluOne(kWithBias ? row[c] + bias[c] : row[c], value, derivative);
            row[c] = value;
        }
    }
}

/// silu(x) = x · σ(x) and its derivative σ + x · σ · (1 - σ). e^-|x| cannot overflow, and 1 - σ keeps its digits where σ is near 1.
[[gnu::always_inline]] inline void siluOne(float x, float& value, float& slope) {
    const float e = fastExp(-std::fabs(x));
    const float larger = 1.0f / (1.0f + e), smaller = e * larger;  // σ(|x|), σ(-|x|)
    const float sigma = x < 0 ? smaller : larger, rest = x < 0 ? larger : smaller;
    value = x * sigma;
    slope = sigma * (1.0f + x * rest);
}

template <class T>
[[gnu::always_inline]] inline void sumRowsBody(const T* x, std::int64_t rows, std::int64_t columns, std::int64_t stride, T* sum) {
    for (std::int64_t c = 0; c < columns; ++c) sum[c] = 0;
    for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t c = 0; c < columns; ++c) sum[c] += x[r * stride + c];
}

template <class T>
[[gnu::always_inline]] inline void softmaxGradientBody(T* dp, const T* p, const T* dot, T scale, std::int64_t rows, std::int64_t columns) {
    for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t c = 0; c < columns; ++c) dp[r * columns + c] = scale * p[r * columns + c] * (dp[r * columns + c] - dot[r]);
}

/// Sums in 16 lanes, so that the order of additions, and with it the bits, is the same for each instruction set.
constexpr int kLanes = 16;

[[gnu::always_inline]] inline float sumLanes(const float* lanes) {
    float sum = 0;
    for (int i = 0; i < kLanes; ++i) sum += lanes[i];
    return sum;
}

}  // namespace

ES_CLONES void biasGelu(float* h, const float* bias, float* slope, std::int64_t rows, std::int64_t columns) {
    for (std::int64_t r = 0; r < rows; ++r) {
        float* slopes = slope ? slope + r * columns : nullptr;
        if (bias) geluRow<true>(h + r * columns, bias, slopes, columns);
        else geluRow<false>(h + r * columns, bias, slopes, columns);
    }
}

void biasGelu(double* h, const double* bias, double* slope, std::int64_t rows, std::int64_t columns) {
    for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t c = 0; c < columns; ++c) {
            const double x = h[r * columns + c] + (bias ? bias[c] : 0.0);
            const double phi = 0.5 * std::erfc(-x * std::numbers::sqrt2 / 2);
            h[r * columns + c] = x * phi;
            if (slope) slope[r * columns + c] = phi + x * std::exp(-0.5 * x * x) / std::sqrt(2 * std::numbers::pi);
        }
    }
}

ES_CLONES void swiglu(float* __restrict u, float* __restrict v, float* __restrict slope, std::int64_t n) {
    if (slope) {
        for (std::int64_t i = 0; i < n; ++i) {
            float silu, derivative;
            siluOne(u[i], silu, derivative);
            slope[i] = derivative * v[i];
            u[i] = silu * v[i];
            v[i] = silu;
        }
    } else {
        for (std::int64_t i = 0; i < n; ++i) {
            float silu, derivative;
            siluOne(u[i], silu, derivative);
            u[i] = silu * v[i];
        }
    }
}

void swiglu(double* u, double* v, double* slope, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) {
        const double x = u[i], sigma = 1 / (1 + std::exp(-x)), silu = x * sigma;
        u[i] = silu * v[i];
        if (!slope) continue;
        slope[i] = sigma * (1 + x * (1 - sigma)) * v[i];
        v[i] = silu;
    }
}

ES_CLONES void multiplyInPlace(float* __restrict y, const float* __restrict x, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) y[i] *= x[i];
}
void multiplyInPlace(double* y, const double* x, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) y[i] *= x[i];
}

ES_CLONES void multiplyTo(float* __restrict y, const float* __restrict a, const float* __restrict b, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = a[i] * b[i];
}
void multiplyTo(double* y, const double* a, const double* b, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = a[i] * b[i];
}

ES_CLONES void addBias(float* __restrict y, const float* __restrict bias, std::int64_t rows, std::int64_t columns) {
    for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t c = 0; c < columns; ++c) y[r * columns + c] += bias[c];
}
void addBias(double* y, const double* bias, std::int64_t rows, std::int64_t columns) {
    for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t c = 0; c < columns; ++c) y[r * columns + c] += bias[c];
}

ES_CLONES void sumRows(const float* __restrict x, std::int64_t rows, std::int64_t columns, std::int64_t stride, float* __restrict sum) {
    sumRowsBody(x, rows, columns, stride, sum);
}
void sumRows(const double* x, std::int64_t rows, std::int64_t columns, std::int64_t stride, double* sum) { sumRowsBody(x, rows, columns, stride, sum); }

ES_CLONES void softmaxRows(float* s, float scale, std::int64_t rows, std::int64_t columns, float* norms) {
    for (std::int64_t r = 0; r < rows; ++r) {
        float* row = s + r * columns;
        float largest = -std::numeric_limits<float>::infinity();
        for (std::int64_t c = 0; c < columns; ++c) largest = row[c] > largest ? row[c] : largest;
        float lanes[kLanes] = {};
        const std::int64_t whole = columns / kLanes * kLanes;
        for (std::int64_t c = 0; c < whole; c += kLanes) {
            for (int i = 0; i < kLanes; ++i) {
                row[c + i] = fastExp((row[c + i] - largest) * scale);
                lanes[i] += row[c + i];
            }
        }
        for (std::int64_t c = whole; c < columns; ++c) {
            row[c] = fastExp((row[c] - largest) * scale);
            lanes[c - whole] += row[c];
        }
        const float inverse = 1.0f / sumLanes(lanes);
        for (std::int64_t c = 0; c < columns; ++c) row[c] *= inverse;
        norms[2 * r] = largest;
        norms[2 * r + 1] = inverse;
    }
}

void softmaxRows(double* s, double scale, std::int64_t rows, std::int64_t columns, double* norms) {
    for (std::int64_t r = 0; r < rows; ++r) {
        double* row = s + r * columns;
        double largest = -std::numeric_limits<double>::infinity(), sum = 0;
        for (std::int64_t c = 0; c < columns; ++c) largest = row[c] > largest ? row[c] : largest;
        for (std::int64_t c = 0; c < columns; ++c) sum += row[c] = std::exp((row[c] - largest) * scale);
        for (std::int64_t c = 0; c < columns; ++c) row[c] *= 1 / sum;
        norms[2 * r] = largest;
        norms[2 * r + 1] = 1 / sum;
    }
}

ES_CLONES void softmaxFromNorms(float* s, float scale, std::int64_t rows, std::int64_t columns, const float* norms) {
    for (std::int64_t r = 0; r < rows; ++r) {
        float* row = s + r * columns;
        const float largest = norms[2 * r], inverse = norms[2 * r + 1];
        for (std::int64_t c = 0; c < columns; ++c) row[c] = fastExp((row[c] - largest) * scale) * inverse;
    }
}
void softmaxFromNorms(double* s, double scale, std::int64_t rows, std::int64_t columns, const double* norms) {
    for (std::int64_t r = 0; r < rows; ++r) {
        double* row = s + r * columns;
        for (std::int64_t c = 0; c < columns; ++c) row[c] = std::exp((row[c] - norms[2 * r]) * scale) * norms[2 * r + 1];
    }
}

ES_CLONES void softmaxGradient(float* __restrict dp, const float* __restrict p, const float* __restrict dot, float scale, std::int64_t rows,
                               std::int64_t columns) {
    softmaxGradientBody(dp, p, dot, scale, rows, columns);
}
void softmaxGradient(double* dp, const double* p, const double* dot, double scale, std::int64_t rows, std::int64_t columns) {
    softmaxGradientBody(dp, p, dot, scale, rows, columns);
}

ES_CLONES void scaleTo(float* __restrict y, const float* __restrict x, float a, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = a * x[i];
}
void scaleTo(double* y, const double* x, double a, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = a * x[i];
}
ES_CLONES void addScaled(float* __restrict y, const float* __restrict x, float a, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) y[i] += a * x[i];
}
void addScaled(double* y, const double* x, double a, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) y[i] += a * x[i];
}

ES_CLONES float dot(const float* __restrict x, const float* __restrict y, std::int64_t n) {
    float lanes[kLanes] = {};
    const std::int64_t whole = n / kLanes * kLanes;
    for (std::int64_t i = 0; i < whole; i += kLanes)
        for (int lane = 0; lane < kLanes; ++lane) lanes[lane] += x[i + lane] * y[i + lane];
    for (std::int64_t i = whole; i < n; ++i) lanes[i - whole] += x[i] * y[i];
    return sumLanes(lanes);
}
double dot(const double* x, const double* y, std::int64_t n) {
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += x[i] * y[i];
    return sum;
}

}  // namespace es::engine::kernels
