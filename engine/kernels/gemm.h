// SPDX-License-Identifier: GPL-3.0-or-later
// Matrix products on row-major memory through the BLAS inside LibTorch, without a tensor made for each block.
#pragma once

#include <cstdint>

// The BLAS that libtorch_cpu.so carries and exports (MKL in the wheels). Column-major, 32-bit sizes, everything by address.
extern "C" {
void sgemm_(const char* trans_a, const char* trans_b, const int* m, const int* n, const int* k, const float* alpha, const float* a, const int* lda,
            const float* b, const int* ldb, const float* beta, float* c, const int* ldc);
void dgemm_(const char* trans_a, const char* trans_b, const int* m, const int* n, const int* k, const double* alpha, const double* a, const int* lda,
            const double* b, const int* ldb, const double* beta, double* c, const int* ldc);
}

namespace es::engine::kernels {

/// A row-major matrix in somebody else's memory; `stride` is the distance of its rows in elements.
template <class T>
struct MatrixView {
    T* data = nullptr;
    std::int64_t stride = 0;
};

namespace detail {

/// Columns of a product that one call of the BLAS computes. MKL on AMD Zen 3 with one thread: 110 GFLOP/s in tiles of 384 columns, 80 to 90 in one call for
/// 3,072 columns (64 rows, 768 deep); 131 and 114 for 768 columns (256 and 1,024 rows, 384 deep).
inline constexpr std::int64_t kTileColumns = 384;

/// Row-major C (m x n) = op(A) · op(B) + beta · C is column-major Cᵀ = op(B)ᵀ · op(A)ᵀ.
template <class T>
void multiply(bool transpose_a, bool transpose_b, std::int64_t rows, std::int64_t columns, std::int64_t inner, MatrixView<const T> a, MatrixView<const T> b,
              T beta, MatrixView<T> c) {
    if (rows == 0 || columns == 0) return;
    const char of_b = transpose_b ? 'T' : 'N', of_a = transpose_a ? 'T' : 'N';
    const int n = static_cast<int>(rows), k = static_cast<int>(inner);
    const int ldb = static_cast<int>(b.stride), lda = static_cast<int>(a.stride), ldc = static_cast<int>(c.stride);
    const T one = 1;
    const std::int64_t tiles = (columns + kTileColumns - 1) / kTileColumns;
    for (std::int64_t tile = 0; tile < tiles; ++tile) {
        const std::int64_t begin = columns * tile / tiles;
        const int m = static_cast<int>(columns * (tile + 1) / tiles - begin);
        const T* of_tile = b.data + begin * (transpose_b ? b.stride : 1);
        if constexpr (sizeof(T) == sizeof(float)) sgemm_(&of_b, &of_a, &m, &n, &k, &one, of_tile, &ldb, a.data, &lda, &beta, c.data + begin, &ldc);
        else dgemm_(&of_b, &of_a, &m, &n, &k, &one, of_tile, &ldb, a.data, &lda, &beta, c.data + begin, &ldc);
    }
}

}  // namespace detail

/// C (m x n) = A (m x k) · B (n x k)ᵀ + beta · C. Nothing happens when m or n is 0. Sizes and strides below 2^31.
template <class T>
void multiplyNT(std::int64_t m, std::int64_t n, std::int64_t k, MatrixView<const T> a, MatrixView<const T> b, T beta, MatrixView<T> c) {
    detail::multiply<T>(false, true, m, n, k, a, b, beta, c);
}

/// C (m x n) = A (m x k) · B (k x n) + beta · C.
template <class T>
void multiplyNN(std::int64_t m, std::int64_t n, std::int64_t k, MatrixView<const T> a, MatrixView<const T> b, T beta, MatrixView<T> c) {
    detail::multiply<T>(false, false, m, n, k, a, b, beta, c);
}

/// C (m x n) = A (k x m)ᵀ · B (k x n) + beta · C.
template <class T>
void multiplyTN(std::int64_t m, std::int64_t n, std::int64_t k, MatrixView<const T> a, MatrixView<const T> b, T beta, MatrixView<T> c) {
    detail::multiply<T>(true, false, m, n, k, a, b, beta, c);
}

}  // namespace es::engine::kernels
