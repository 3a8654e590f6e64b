// Tensors of the seam as typed rows, and kernels over their elements.
#pragma once

#include "context.h"
#include "launch.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

namespace straightedge {

// A row-major matrix whose rows begin `leading` elements apart.
template <typename T> struct Matrix {
    T *elements;
    std::int64_t rows;
    std::int64_t columns;
    std::int64_t leading;

    __host__ __device__ __forceinline__ T *row(std::int64_t index) const { return elements + index * leading; }
};

template <typename T> Matrix<T> matrix(const ck_tensor &tensor) {
    return {reinterpret_cast<T *>(tensor.address), tensor.rows, tensor.columns, tensor.leading};
}

template <typename T> T *address(const ck_tensor &tensor) { return reinterpret_cast<T *>(tensor.address); }

inline bool is_contiguous(const ck_tensor &tensor) { return tensor.leading == tensor.columns || tensor.rows <= 1; }

// A value of the type that names T in a generic lambda: Type<float>{}.
template <typename T> struct Type { using type = T; };

// Calls `body(Type<float>{})` or `body(Type<double>{})`.
template <typename Body> void with_real_type(std::int32_t type, Body &&body) {
    if (type == CK_FLOAT64) {
        body(Type<double>{});
    } else {
        body(Type<float>{});
    }
}

// Calls `body` with the type of an activation: float, __half or __nv_bfloat16.
template <typename Body> void with_activation_type(std::int32_t type, Body &&body) {
    switch (type) {
    case CK_FLOAT16:
        return body(Type<__half>{});
    case CK_BFLOAT16:
        return body(Type<__nv_bfloat16>{});
    default:
        return body(Type<float>{});
    }
}

template <typename T> __device__ __forceinline__ float to_float(T value) { return static_cast<float>(value); }
template <> __device__ __forceinline__ float to_float(__half value) { return __half2float(value); }
template <> __device__ __forceinline__ float to_float(__nv_bfloat16 value) { return __bfloat162float(value); }

template <typename T> __device__ __forceinline__ T from_float(float value) { return static_cast<T>(value); }
template <> __device__ __forceinline__ __half from_float(float value) { return __float2half(value); }
template <> __device__ __forceinline__ __nv_bfloat16 from_float(float value) { return __float2bfloat16(value); }

constexpr int warpLaneCount = 32;
// Lanes of a block of an elementwise kernel.
constexpr int blockLaneCount = 256;

// Blocks for one lane an element, at most a few for each multiprocessor: lanes take further elements in turn.
inline dim3 element_grid(const Queue &queue, std::int64_t elementCount) {
    const std::int64_t blocks = (elementCount + blockLaneCount - 1) / blockLaneCount;
    const std::int64_t limit = std::int64_t{16} * queue.multiprocessorCount;
    return dim3(static_cast<unsigned>(blocks < limit ? blocks : limit));
}

__device__ __forceinline__ std::int64_t first_element() {
    return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

__device__ __forceinline__ std::int64_t element_stride() { return static_cast<std::int64_t>(gridDim.x) * blockDim.x; }

// One warp a row: four warps a block.
constexpr int rowsPerBlock = 4;

inline dim3 row_grid(std::int64_t rowCount) {
    return dim3(static_cast<unsigned>((rowCount + rowsPerBlock - 1) / rowsPerBlock));
}

inline dim3 row_block() { return dim3(warpLaneCount, rowsPerBlock); }

__device__ __forceinline__ std::int64_t row_of_warp() {
    return static_cast<std::int64_t>(blockIdx.x) * rowsPerBlock + threadIdx.y;
}

// The sum over the lanes of a warp, in every lane; always in the same order.
template <typename T> __device__ __forceinline__ T warp_sum(T value) {
    for (int offset = warpLaneCount / 2; offset > 0; offset /= 2) value += __shfl_xor_sync(0xFFFFFFFFu, value, offset);
    return value;
}

} // namespace straightedge
