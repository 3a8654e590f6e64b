// The one matrix product behind cublasGemm* and cublasLtMatmul: any element type and storage order.
#pragma once

#include "include/library_types.h"

#include <cstddef>
#include <cstdint>

namespace emulation {

// A matrix in device memory. The strides count elements.
struct Matrix {
    const void *elements;
    cudaDataType_t type;
    std::int64_t rowCount, columnCount;
    std::int64_t rowStride, columnStride;
    std::int64_t batchStride;

    std::size_t element_byte_count() const;
    // From the first byte to the last, over all of a batch.
    std::size_t byte_count(std::int64_t batchCount) const;
    Matrix transposed() const;
};

Matrix column_major(const void *elements, cudaDataType_t type, std::int64_t rowCount, std::int64_t columnCount,
                    std::int64_t leadingDimension, std::int64_t batchStride = 0);

bool is_matrix_type(cudaDataType_t type); // float32, float64, float16, bfloat16

// D = alpha * A B + beta * C for each matrix of the batch, in float64 where `isDouble` and in float32 otherwise,
// rounded once to D's type. C is not read where beta is 0.
void multiply(const char *call, bool isDouble, double alpha, const Matrix &A, const Matrix &B, double beta,
              const Matrix &C, const Matrix &D, std::int64_t batchCount);

} // namespace emulation
