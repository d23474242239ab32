// SPDX-License-Identifier: GPL-3.0-or-later
// Elementwise work of the CPU kernels, written so that the compiler vectorises it for the processor at hand.
#pragma once

#include <cstdint>

namespace es::engine::kernels {

/// Exact GELU of h + bias (null: none), x·Φ(x), in place; `slope` receives its derivative Φ(x) + x·φ(x) (null: not wanted).
/// fp32: Φ by Abramowitz and Stegun 7.1.26, absolute error below 2e-7; fp64: erfc.
void biasGelu(float* h, const float* bias, float* slope, std::int64_t rows, std::int64_t columns);
void biasGelu(double* h, const double* bias, double* slope, std::int64_t rows, std::int64_t columns);

/// SwiGLU of u and v, silu(u) · v with silu(u) = u / (1 + exp(-u)), into u. With `slope` it receives the derivative by u and v the one by
/// itself, silu(u); without (null) v is left alone.
void swiglu(float* u, float* v, float* slope, std::int64_t n);
void swiglu(double* u, double* v, double* slope, std::int64_t n);

/// y[i] *= x[i].
void multiplyInPlace(float* y, const float* x, std::int64_t n);
void multiplyInPlace(double* y, const double* x, std::int64_t n);

/// y[i] = a[i] · b[i].
void multiplyTo(float* y, const float* a, const float* b, std::int64_t n);
void multiplyTo(double* y, const double* a, const double* b, std::int64_t n);

/// y[r, :] += bias for each row.
void addBias(float* y, const float* bias, std::int64_t rows, std::int64_t columns);
void addBias(double* y, const double* bias, std::int64_t rows, std::int64_t columns);

/// sum[c] = Σ_r x[r · stride + c], summed in order of r.
void sumRows(const float* x, std::int64_t rows, std::int64_t columns, std::int64_t stride, float* sum);
void sumRows(const double* x, std::int64_t rows, std::int64_t columns, std::int64_t stride, double* sum);

/// Row-wise softmax of scale · s in place (rows x columns, contiguous); `norms` receives two numbers a row: m = the largest s, and
/// 1 / Σ exp(scale · (s - m)). Apart, because their one log sum would lose the digits of the second where scores are large.
void softmaxRows(float* s, float scale, std::int64_t rows, std::int64_t columns, float* norms);
void softmaxRows(double* s, double scale, std::int64_t rows, std::int64_t columns, double* norms);

/// The same probabilities again, to the bit, from the same scores and the stored norms.
void softmaxFromNorms(float* s, float scale, std::int64_t rows, std::int64_t columns, const float* norms);
void softmaxFromNorms(double* s, double scale, std::int64_t rows, std::int64_t columns, const double* norms);

/// Gradient of the scores: dp = scale · p · (dp - dot[row]) in place.
void softmaxGradient(float* dp, const float* p, const float* dot, float scale, std::int64_t rows, std::int64_t columns);
void softmaxGradient(double* dp, const double* p, const double* dot, double scale, std::int64_t rows, std::int64_t columns);

/// y = a · x, and y += a · x.
void scaleTo(float* y, const float* x, float a, std::int64_t n);
void scaleTo(double* y, const double* x, double a, std::int64_t n);
void addScaled(float* y, const float* x, float a, std::int64_t n);
void addScaled(double* y, const double* x, double a, std::int64_t n);
/// Σ x·y.
[[nodiscard]] float dot(const float* x, const float* y, std::int64_t n);
[[nodiscard]] double dot(const double* x, const double* y, std::int64_t n);

}  // namespace es::engine::kernels
