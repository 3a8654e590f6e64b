#include "matrix_product.h"

#include "device.h"
#include "include/cuda_bf16.h"
#include "include/cuda_fp16.h"
#include "openblas.h"

#include <algorithm>
#include <vector>

namespace emulation {

std::size_t Matrix::element_byte_count() const { return type == CUDA_R_64F ? 8 : type == CUDA_R_32F ? 4 : 2; }

std::size_t Matrix::byte_count(std::int64_t batchCount) const {
    if (rowCount == 0 || columnCount == 0 || batchCount == 0) return 0;
    const std::int64_t last =
        (rowCount - 1) * rowStride + (columnCount - 1) * columnStride + (batchCount - 1) * batchStride;
    return (std::size_t(last) + 1) * element_byte_count();
}

Matrix Matrix::transposed() const {
    return {elements, type, columnCount, rowCount, columnStride, rowStride, batchStride};
}

Matrix column_major(const void *elements, cudaDataType_t type, std::int64_t rowCount, std::int64_t columnCount,
                    std::int64_t leadingDimension, std::int64_t batchStride) {
    return {elements, type, rowCount, columnCount, 1, leadingDimension, batchStride};
}

bool is_matrix_type(cudaDataType_t type) {
    return type == CUDA_R_32F || type == CUDA_R_64F || type == CUDA_R_16F || type == CUDA_R_16BF;
}

namespace {

template <typename Element, typename Visit> void visit_elements(const Matrix &matrix, std::int64_t batch, Visit visit) {
    Element *first = static_cast<Element *>(const_cast<void *>(matrix.elements)) + batch * matrix.batchStride;
    for (std::int64_t column = 0; column < matrix.columnCount; ++column)
        for (std::int64_t row = 0; row < matrix.rowCount; ++row)
            visit(first[row * matrix.rowStride + column * matrix.columnStride], row + column * matrix.rowCount);
}

// Calls `visit` with each element and its place in a dense column-major matrix.
template <typename Visit> void for_each_element(const Matrix &matrix, std::int64_t batch, Visit visit) {
    switch (matrix.type) {
    case CUDA_R_64F:
        return visit_elements<double>(matrix, batch, visit);
    case CUDA_R_16F:
        return visit_elements<__half>(matrix, batch, visit);
    case CUDA_R_16BF:
        return visit_elements<__nv_bfloat16>(matrix, batch, visit);
    default:
        return visit_elements<float>(matrix, batch, visit);
    }
}

template <typename Sum> std::vector<Sum> gathered(const Matrix &matrix, std::int64_t batch) {
    std::vector<Sum> dense(std::size_t(matrix.rowCount) * std::size_t(matrix.columnCount));
    for_each_element(matrix, batch,
                     [&](auto &element, std::int64_t place) { dense[std::size_t(place)] = Sum(element); });
    return dense;
}

void dense_product(int m, int n, int k, const float *a, const float *b, float *sums) {
    cblas_sgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1, a, m, b, k, 0, sums, m);
}
void dense_product(int m, int n, int k, const double *a, const double *b, double *sums) {
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1, a, m, b, k, 0, sums, m);
}

template <typename Sum>
void multiply_one(Sum alpha, const Matrix &A, const Matrix &B, Sum beta, const Matrix &C, const Matrix &D,
                  std::int64_t batch) {
    std::vector<Sum> sums(std::size_t(D.rowCount) * std::size_t(D.columnCount), Sum(0));
    if (A.columnCount != 0 && alpha != Sum(0)) {
        const std::vector<Sum> a = gathered<Sum>(A, batch), b = gathered<Sum>(B, batch);
        dense_product(int(D.rowCount), int(D.columnCount), int(A.columnCount), a.data(), b.data(), sums.data());
        for (Sum &sum : sums) sum *= alpha;
    }
    if (beta != Sum(0))
        for_each_element(C, batch,
                         [&](auto &element, std::int64_t place) { sums[std::size_t(place)] += beta * Sum(element); });
    for_each_element(D, batch, [&](auto &element, std::int64_t place) {
        element = std::decay_t<decltype(element)>(sums[std::size_t(place)]);
    });
}

} // namespace

void multiply(const char *call, bool isDouble, double alpha, const Matrix &A, const Matrix &B, double beta,
              const Matrix &C, const Matrix &D, std::int64_t batchCount) {
    if (D.rowCount == 0 || D.columnCount == 0) return;
    if (!require_device_range(call, "A", A.elements, A.byte_count(batchCount)) ||
        !require_device_range(call, "B", B.elements, B.byte_count(batchCount)) ||
        (beta != 0 && !require_device_range(call, "C", C.elements, C.byte_count(batchCount))) ||
        !require_device_range(call, "D", D.elements, D.byte_count(batchCount)))
        return;
    for (std::int64_t batch = 0; batch < batchCount; ++batch) {
        if (isDouble)
            multiply_one<double>(alpha, A, B, beta, C, D, batch);
        else
            multiply_one<float>(float(alpha), A, B, float(beta), C, D, batch);
    }
}

} // namespace emulation
