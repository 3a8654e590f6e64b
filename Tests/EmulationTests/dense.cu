// cuBLAS and cuBLASLt against plain loops in double, with leading dimensions larger than the matrices.
#include "check.h"

#include <cmath>
#include <cublasLt.h>
#include <cublas_v2.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace {

struct Blas {
    Blas() { CHECK(cublasCreate(&handle) == CUBLAS_STATUS_SUCCESS); }
    ~Blas() { CHECK(cublasDestroy(handle) == CUBLAS_STATUS_SUCCESS); }
    operator cublasHandle_t() const { return handle; }
    cublasHandle_t handle = nullptr;
};

constexpr int m = 7, n = 5, k = 6;
constexpr float filler = -77; // stands where no call may write

std::size_t at(int row, int column, int leadingDimension) {
    return static_cast<std::size_t>(row) +
           static_cast<std::size_t>(column) * static_cast<std::size_t>(leadingDimension);
}

template <typename T> double as_double(T value) { return static_cast<double>(static_cast<float>(value)); }
template <> double as_double(double value) { return value; }

// op(matrix)[row, column]
template <typename T>
double element(const std::vector<T> &matrix, cublasOperation_t operation, int row, int column, int leadingDimension) {
    return as_double(operation == CUBLAS_OP_N ? matrix[at(row, column, leadingDimension)]
                                              : matrix[at(column, row, leadingDimension)]);
}

template <typename T>
std::vector<T> matrix_with_filler(std::uint64_t seed, int rows, int columns, int leadingDimension) {
    std::vector<T> matrix = numbers<T>(seed, at(0, columns, leadingDimension));
    for (int column = 0; column < columns; ++column)
        for (int row = rows; row < leadingDimension; ++row) matrix[at(row, column, leadingDimension)] = T(filler);
    return matrix;
}

template <typename T> struct Product {
    cublasOperation_t transa, transb;
    int lda, ldb, ldc;
    std::vector<T> A, B;
    Product(cublasOperation_t transa, cublasOperation_t transb)
        : transa(transa), transb(transb), lda((transa == CUBLAS_OP_N ? m : k) + 2),
          ldb((transb == CUBLAS_OP_N ? k : n) + 1), ldc(m + 3),
          A(matrix_with_filler<T>(1, transa == CUBLAS_OP_N ? m : k, transa == CUBLAS_OP_N ? k : m, lda)),
          B(matrix_with_filler<T>(2, transb == CUBLAS_OP_N ? k : n, transb == CUBLAS_OP_N ? n : k, ldb)) {}

    double sum(int row, int column) const {
        double result = 0;
        for (int place = 0; place < k; ++place)
            result += element(A, transa, row, place, lda) * element(B, transb, place, column, ldb);
        return result;
    }
};

// alpha and beta are powers of two, so that float32 results are exact; a 16-bit result is rounded once.
template <typename Result, typename T>
void check_product(const std::vector<Result> &got, const std::vector<Result> &before, const Product<T> &product,
                   double alpha, double beta) {
    for (int column = 0; column < n; ++column)
        for (int row = 0; row < product.ldc; ++row) {
            const std::size_t place = at(row, column, product.ldc);
            if (row >= m) {
                CHECK(as_double(got[place]) == static_cast<double>(filler));
                continue;
            }
            const double before_value = beta != 0 ? beta * as_double(before[place]) : 0;
            const Result want = Result(static_cast<float>(alpha * product.sum(row, column) + before_value));
            CHECK(as_double(got[place]) == as_double(want));
        }
}

const cublasOperation_t operations[] = {CUBLAS_OP_N, CUBLAS_OP_T};

template <typename T, typename Result>
void check_gemm_ex(cudaDataType type, cudaDataType resultType, cublasComputeType_t computeType) {
    Blas blas;
    for (const cublasOperation_t transa : operations)
        for (const cublasOperation_t transb : operations)
            for (const double beta : {0.0, 0.5}) {
                const Product<T> product(transa, transb);
                std::vector<Result> C = matrix_with_filler<Result>(3, m, n, product.ldc);
                if (beta == 0) // what is not read may be anything
                    for (int column = 0; column < n; ++column) C[at(0, column, product.ldc)] = Result(std::nanf(""));
                DeviceArray<T> a(product.A), b(product.B);
                DeviceArray<Result> c(C);
                const float alpha32 = 2, beta32 = static_cast<float>(beta);
                const double alpha64 = 2, beta64 = beta;
                const bool isDouble = computeType == CUBLAS_COMPUTE_64F;
                CHECK(cublasGemmEx(blas, transa, transb, m, n, k,
                                   isDouble ? static_cast<const void *>(&alpha64) : &alpha32, a, type, product.lda, b,
                                   type, product.ldb, isDouble ? static_cast<const void *>(&beta64) : &beta32, c,
                                   resultType, product.ldc, computeType, CUBLAS_GEMM_DEFAULT) == CUBLAS_STATUS_SUCCESS);
                check_product(c.read(), C, product, 2, beta);
            }
}

} // namespace

TEST(gemm_of_every_type_and_transpose_gives_the_plain_product) {
    check_gemm_ex<float, float>(CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F);
    check_gemm_ex<double, double>(CUDA_R_64F, CUDA_R_64F, CUBLAS_COMPUTE_64F);
    check_gemm_ex<__nv_bfloat16, __nv_bfloat16>(CUDA_R_16BF, CUDA_R_16BF, CUBLAS_COMPUTE_32F);
    check_gemm_ex<__nv_bfloat16, float>(CUDA_R_16BF, CUDA_R_32F, CUBLAS_COMPUTE_32F);
    check_gemm_ex<__half, __half>(CUDA_R_16F, CUDA_R_16F, CUBLAS_COMPUTE_32F);
    check_gemm_ex<__half, float>(CUDA_R_16F, CUDA_R_32F, CUBLAS_COMPUTE_32F);
    Blas blas;
    for (const cublasOperation_t transa : operations)
        for (const cublasOperation_t transb : operations) {
            const Product<float> single(transa, transb);
            const Product<double> wide(transa, transb);
            const std::vector<float> C = matrix_with_filler<float>(3, m, n, single.ldc);
            const std::vector<double> D = matrix_with_filler<double>(3, m, n, single.ldc);
            DeviceArray<float> a(single.A), b(single.B), c(C);
            DeviceArray<double> e(wide.A), f(wide.B), d(D);
            const float alpha = -1, beta = 2;
            const double alpha64 = -1, beta64 = 2;
            CHECK(cublasSgemm(blas, transa, transb, m, n, k, &alpha, a, single.lda, b, single.ldb, &beta, c,
                              single.ldc) == CUBLAS_STATUS_SUCCESS);
            CHECK(cublasDgemm(blas, transa, transb, m, n, k, &alpha64, e, wide.lda, f, wide.ldb, &beta64, d,
                              wide.ldc) == CUBLAS_STATUS_SUCCESS);
            check_product(c.read(), C, single, -1, 2);
            check_product(d.read(), D, wide, -1, 2);
        }
}

TEST(batched_gemm_steps_by_its_strides) {
    Blas blas;
    constexpr int batchCount = 3;
    constexpr long long strideA = 100, strideB = 0, strideC = 90; // one B for all
    const std::vector<__nv_bfloat16> A = numbers<__nv_bfloat16>(1, batchCount * strideA),
                                     B = numbers<__nv_bfloat16>(2, k * n);
    DeviceArray<__nv_bfloat16> a(A), b(B);
    DeviceArray<float> c(std::vector<float>(batchCount * strideC, filler));
    const float alpha = 1, beta = 0;
    CHECK(cublasGemmStridedBatchedEx(blas, CUBLAS_OP_T, CUBLAS_OP_N, m, n, k, &alpha, a, CUDA_R_16BF, k, strideA, b,
                                     CUDA_R_16BF, k, strideB, &beta, c, CUDA_R_32F, m, strideC, batchCount,
                                     CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT) == CUBLAS_STATUS_SUCCESS);
    const std::vector<float> got = c.read();
    for (int batch = 0; batch < batchCount; ++batch)
        for (int place = 0; place < strideC; ++place) {
            double want = place < m * n ? 0 : static_cast<double>(filler);
            for (int inner = 0; place < m * n && inner < k; ++inner)
                want += as_double(A[static_cast<std::size_t>(batch * strideA) + at(inner, place % m, k)]) *
                        as_double(B[at(inner, place / m, k)]);
            CHECK(as_double(got[static_cast<std::size_t>(batch * strideC + place)]) == want);
        }
}

TEST(wrong_gemm_arguments_are_refused) {
    Blas blas;
    DeviceArray<float> a(100), b(100), c(10);
    const float one = 1;
    CHECK(cublasSgemm(nullptr, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one, a, m, b, k, &one, c, m) ==
          CUBLAS_STATUS_NOT_INITIALIZED);
    CHECK(cublasSgemm(blas, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one, a, m - 1, b, k, &one, c, m) ==
          CUBLAS_STATUS_INVALID_VALUE);
    CHECK(cublasSgemm(blas, CUBLAS_OP_N, CUBLAS_OP_N, -1, n, k, &one, a, m, b, k, &one, c, m) ==
          CUBLAS_STATUS_INVALID_VALUE);
    CHECK(cublasGemmEx(blas, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one, a, CUDA_R_32F, m, b, CUDA_R_16F, k, &one, c,
                       CUDA_R_32F, m, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT) == CUBLAS_STATUS_NOT_SUPPORTED);
    // A result that does not fit is found when the work runs.
    CHECK(cublasSgemm(blas, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one, a, m, b, k, &one, c, m) == CUBLAS_STATUS_SUCCESS);
    CHECK(cudaDeviceSynchronize() == cudaErrorIllegalAddress);
    CHECK(message_has("cublasSgemm: C: 140 bytes at offset 0 leave allocation 3 of 40 bytes"));
}

namespace {

constexpr double tolerance = 1e-13; // of sums of fewer than ten products of numbers below 4

bool in_triangle(cublasFillMode_t uplo, int row, int column) {
    return uplo == CUBLAS_FILL_MODE_LOWER ? row >= column : row <= column;
}

const cublasFillMode_t triangles[] = {CUBLAS_FILL_MODE_LOWER, CUBLAS_FILL_MODE_UPPER};

} // namespace

TEST(syrk_writes_one_triangle) {
    Blas blas;
    for (const cublasFillMode_t uplo : triangles)
        for (const cublasOperation_t trans : operations) {
            const int rows = trans == CUBLAS_OP_N ? n : k, lda = rows + 2, ldc = n + 1;
            const std::vector<double> A = matrix_with_filler<double>(1, rows, trans == CUBLAS_OP_N ? k : n, lda);
            const std::vector<double> C = matrix_with_filler<double>(2, n, n, ldc);
            DeviceArray<double> a(A), c(C);
            const double alpha = 0.5, beta = 2;
            CHECK(cublasDsyrk(blas, uplo, trans, n, k, &alpha, a, lda, &beta, c, ldc) == CUBLAS_STATUS_SUCCESS);
            const std::vector<double> got = c.read();
            for (int column = 0; column < n; ++column)
                for (int row = 0; row < ldc; ++row) {
                    double want = C[at(row, column, ldc)];
                    if (row < n && in_triangle(uplo, row, column)) {
                        want *= beta;
                        for (int inner = 0; inner < k; ++inner)
                            want += alpha * element(A, trans, row, inner, lda) * element(A, trans, column, inner, lda);
                    }
                    CHECK_NEAR(got[at(row, column, ldc)], want, tolerance);
                }
        }
}

TEST(trsm_solves_on_either_side) {
    Blas blas;
    for (const cublasSideMode_t side : {CUBLAS_SIDE_LEFT, CUBLAS_SIDE_RIGHT})
        for (const cublasFillMode_t uplo : triangles)
            for (const cublasOperation_t trans : operations)
                for (const cublasDiagType_t diag : {CUBLAS_DIAG_NON_UNIT, CUBLAS_DIAG_UNIT}) {
                    const int order = side == CUBLAS_SIDE_LEFT ? m : n, lda = order + 1, ldb = m + 2;
                    std::vector<double> A = matrix_with_filler<double>(1, order, order, lda);
                    for (int place = 0; place < order; ++place) A[at(place, place, lda)] = 4 + place;
                    const std::vector<double> B = matrix_with_filler<double>(2, m, n, ldb);
                    DeviceArray<double> a(A), b(B);
                    const double alpha = 2;
                    CHECK(cublasDtrsm(blas, side, uplo, trans, diag, m, n, &alpha, a, lda, b, ldb) ==
                          CUBLAS_STATUS_SUCCESS);
                    const std::vector<double> X = b.read();
                    const auto factor = [&](int row, int column) { // op(A)'s element
                        const int i = trans == CUBLAS_OP_N ? row : column, j = trans == CUBLAS_OP_N ? column : row;
                        if (i == j && diag == CUBLAS_DIAG_UNIT) return 1.0;
                        return in_triangle(uplo, i, j) ? A[at(i, j, lda)] : 0.0;
                    };
                    for (int column = 0; column < n; ++column)
                        for (int row = 0; row < m; ++row) {
                            double sum = 0;
                            for (int inner = 0; inner < order; ++inner)
                                sum += side == CUBLAS_SIDE_LEFT ? factor(row, inner) * X[at(inner, column, ldb)]
                                                                : X[at(row, inner, ldb)] * factor(inner, column);
                            CHECK_NEAR(sum, alpha * B[at(row, column, ldb)], 1e-11);
                        }
                }
}

TEST(matrix_times_vector_steps_by_its_increments) {
    Blas blas;
    const int lda = m + 1;
    const std::vector<double> A = matrix_with_filler<double>(1, m, n, lda), x = numbers<double>(2, 40),
                              y = numbers<double>(3, 40);
    const double alpha = 2, beta = -1;
    for (const cublasOperation_t trans : operations) {
        const int rows = trans == CUBLAS_OP_N ? m : n, columns = trans == CUBLAS_OP_N ? n : m;
        DeviceArray<double> a(A), dx(x), dy(y);
        CHECK(cublasDgemv(blas, trans, m, n, &alpha, a, lda, dx, 2, &beta, dy, 3) == CUBLAS_STATUS_SUCCESS);
        const std::vector<double> got = dy.read();
        for (int place = 0; place < 40; ++place) {
            const std::size_t index = static_cast<std::size_t>(place);
            double want = y[index];
            if (place % 3 == 0 && place / 3 < rows) {
                want *= beta;
                for (int column = 0; column < columns; ++column)
                    want += alpha * element(A, trans, place / 3, column, lda) * x[2 * static_cast<std::size_t>(column)];
            }
            CHECK_NEAR(got[index], want, tolerance);
        }
    }
    for (const cublasFillMode_t uplo : triangles) {
        DeviceArray<double> a(A), dx(x), dy(y);
        CHECK(cublasDsymv(blas, uplo, n, &alpha, a, lda, dx, 1, &beta, dy, 1) == CUBLAS_STATUS_SUCCESS);
        const std::vector<double> got = dy.read();
        for (int row = 0; row < n; ++row) {
            double want = beta * y[static_cast<std::size_t>(row)];
            for (int column = 0; column < n; ++column)
                want += alpha * x[static_cast<std::size_t>(column)] *
                        (in_triangle(uplo, row, column) ? A[at(row, column, lda)] : A[at(column, row, lda)]);
            CHECK_NEAR(got[static_cast<std::size_t>(row)], want, tolerance);
        }
    }
}

TEST(vector_operations_follow_their_definitions) {
    Blas blas;
    constexpr int count = 9;
    const std::vector<double> x = numbers<double>(1, 2 * count), y = numbers<double>(2, 3 * count);
    DeviceArray<double> dx(x), dy(y), result(1);
    double squares = 0, dot = 0;
    for (std::size_t place = 0; place < count; ++place) {
        squares += x[2 * place] * x[2 * place];
        dot += x[2 * place] * y[3 * place];
    }
    double got = 0;
    CHECK(cublasDnrm2(blas, count, dx, 2, &got) == CUBLAS_STATUS_SUCCESS); // to the host: waits
    CHECK_NEAR(got, std::sqrt(squares), tolerance);
    CHECK(cublasSetPointerMode(blas, CUBLAS_POINTER_MODE_DEVICE) == CUBLAS_STATUS_SUCCESS);
    CHECK(cublasDdot(blas, count, dx, 2, dy, 3, result) == CUBLAS_STATUS_SUCCESS);
    CHECK(counters().pending_operation_count != 0); // to the device: does not
    CHECK_NEAR(result.read()[0], dot, tolerance);
    // y += result * x, the factor read on the device once it is there.
    CHECK(cublasDaxpy(blas, count, result, dx, 2, dy, 3) == CUBLAS_STATUS_SUCCESS);
    CHECK(cublasSetPointerMode(blas, CUBLAS_POINTER_MODE_HOST) == CUBLAS_STATUS_SUCCESS);
    const double third = 0.25;
    CHECK(cublasDscal(blas, count, &third, dx, 2) == CUBLAS_STATUS_SUCCESS);
    const std::vector<double> sums = dy.read(), scaled = dx.read();
    for (std::size_t place = 0; place < count; ++place) {
        CHECK_NEAR(sums[3 * place], y[3 * place] + dot * x[2 * place], tolerance);
        CHECK(sums[3 * place + 1] == y[3 * place + 1]);
        CHECK(scaled[2 * place] == third * x[2 * place] && scaled[2 * place + 1] == x[2 * place + 1]);
    }
}

TEST(diagonal_products_scale_rows_or_columns) {
    Blas blas;
    const int lda = m + 2, ldc = m + 1;
    const std::vector<double> A = matrix_with_filler<double>(1, m, n, lda), x = numbers<double>(2, 2 * m);
    for (const cublasSideMode_t side : {CUBLAS_SIDE_LEFT, CUBLAS_SIDE_RIGHT}) {
        DeviceArray<double> a(A), dx(x), c(std::vector<double>(at(0, n, ldc), filler));
        CHECK(cublasDdgmm(blas, side, m, n, a, lda, dx, 2, c, ldc) == CUBLAS_STATUS_SUCCESS);
        const std::vector<double> got = c.read();
        for (int column = 0; column < n; ++column)
            for (int row = 0; row < ldc; ++row)
                CHECK(got[at(row, column, ldc)] ==
                      (row < m ? A[at(row, column, lda)] *
                                     x[2 * static_cast<std::size_t>(side == CUBLAS_SIDE_LEFT ? row : column)]
                               : static_cast<double>(filler)));
    }
}

TEST(library_calls_run_in_their_stream) {
    Blas blas;
    cudaStream_t stream = nullptr, other = nullptr;
    CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
    CHECK(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking) == cudaSuccess);
    CHECK(cublasSetStream(blas, stream) == CUBLAS_STATUS_SUCCESS);
    DeviceArray<double> values(std::vector<double>(4, 1.0));
    const double half = 0.5;
    CHECK(cublasDscal(blas, 4, &half, values, 1) == CUBLAS_STATUS_SUCCESS);
    CHECK(cudaStreamSynchronize(other) == cudaSuccess); // says nothing of the first
    CHECK(counters().pending_operation_count == 1);
    CHECK(cudaStreamSynchronize(stream) == cudaSuccess);
    CHECK(values.read()[3] == 0.5);
    CHECK(cudaStreamDestroy(stream) == cudaSuccess && cudaStreamDestroy(other) == cudaSuccess);
}

namespace {

struct Layout {
    Layout(cudaDataType type, int rows, int columns, int leadingDimension, cublasLtOrder_t order, int batchCount,
           std::int64_t stride) {
        CHECK(cublasLtMatrixLayoutCreate(&layout, type, static_cast<std::uint64_t>(rows),
                                         static_cast<std::uint64_t>(columns),
                                         leadingDimension) == CUBLAS_STATUS_SUCCESS);
        const std::int32_t orderValue = order, count = batchCount;
        CHECK(cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_ORDER, &orderValue, sizeof orderValue) ==
              CUBLAS_STATUS_SUCCESS);
        CHECK(cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count) ==
              CUBLAS_STATUS_SUCCESS);
        CHECK(cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride,
                                               sizeof stride) == CUBLAS_STATUS_SUCCESS);
    }
    ~Layout() { CHECK(cublasLtMatrixLayoutDestroy(layout) == CUBLAS_STATUS_SUCCESS); }
    cublasLtMatrixLayout_t layout = nullptr;
};

// D = 2 A B^T + 0.5 C for two matrices, A row-major, C and D column-major.
template <typename T, typename Result> void check_matmul(cudaDataType type, cudaDataType resultType, bool isDouble) {
    constexpr int lda = k + 1, ldb = n + 2, ldc = m + 1, ldd = m + 2, batchCount = 2;
    constexpr std::int64_t strideA = m * lda, strideB = ldb * k, strideC = ldc * n, strideD = ldd * n;
    const std::vector<T> A = numbers<T>(1, batchCount * strideA), B = numbers<T>(2, batchCount * strideB);
    const std::vector<Result> C = numbers<Result>(3, batchCount * strideC);
    DeviceArray<T> a(A), b(B);
    DeviceArray<Result> c(C), d(std::vector<Result>(batchCount * strideD, Result(filler)));
    const Layout layoutA(type, m, k, lda, CUBLASLT_ORDER_ROW, batchCount, strideA),
        layoutB(type, n, k, ldb, CUBLASLT_ORDER_COL, batchCount, strideB),
        layoutC(resultType, m, n, ldc, CUBLASLT_ORDER_COL, batchCount, strideC),
        layoutD(resultType, m, n, ldd, CUBLASLT_ORDER_COL, batchCount, strideD);
    cublasLtHandle_t handle = nullptr;
    cublasLtMatmulDesc_t description = nullptr;
    cublasLtMatmulPreference_t preference = nullptr;
    CHECK(cublasLtCreate(&handle) == CUBLAS_STATUS_SUCCESS);
    CHECK(cublasLtMatmulDescCreate(&description, isDouble ? CUBLAS_COMPUTE_64F : CUBLAS_COMPUTE_32F,
                                   isDouble ? CUDA_R_64F : CUDA_R_32F) == CUBLAS_STATUS_SUCCESS);
    const std::int32_t transpose = CUBLAS_OP_T;
    CHECK(cublasLtMatmulDescSetAttribute(description, CUBLASLT_MATMUL_DESC_TRANSB, &transpose, sizeof transpose) ==
          CUBLAS_STATUS_SUCCESS);
    CHECK(cublasLtMatmulPreferenceCreate(&preference) == CUBLAS_STATUS_SUCCESS);
    const std::size_t workspaceByteCount = 1 << 16;
    CHECK(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                               &workspaceByteCount,
                                               sizeof workspaceByteCount) == CUBLAS_STATUS_SUCCESS);
    cublasLtMatmulHeuristicResult_t result;
    int resultCount = 0;
    CHECK(cublasLtMatmulAlgoGetHeuristic(handle, description, layoutA.layout, layoutB.layout, layoutC.layout,
                                         layoutD.layout, preference, 1, &result,
                                         &resultCount) == CUBLAS_STATUS_SUCCESS);
    CHECK(resultCount == 1 && result.state == CUBLAS_STATUS_SUCCESS);
    DeviceArray<unsigned char> workspace(workspaceByteCount);
    const float alpha32 = 2, beta32 = 0.5f;
    const double alpha64 = 2, beta64 = 0.5;
    CHECK(cublasLtMatmul(handle, description, isDouble ? static_cast<const void *>(&alpha64) : &alpha32, a,
                         layoutA.layout, b, layoutB.layout, isDouble ? static_cast<const void *>(&beta64) : &beta32, c,
                         layoutC.layout, d, layoutD.layout, &result.algo, workspace, workspaceByteCount,
                         nullptr) == CUBLAS_STATUS_SUCCESS);
    const std::vector<Result> got = d.read();
    for (std::size_t batch = 0; batch < batchCount; ++batch)
        for (int column = 0; column < n; ++column)
            for (int row = 0; row < ldd; ++row) {
                double want = static_cast<double>(filler);
                if (row < m) {
                    want = 0.5 * as_double(C[batch * strideC + at(row, column, ldc)]);
                    for (int inner = 0; inner < k; ++inner)
                        want += 2 * as_double(A[batch * strideA + at(inner, row, lda)]) *
                                as_double(B[batch * strideB + at(column, inner, ldb)]);
                    want = as_double(Result(static_cast<float>(want)));
                }
                CHECK(as_double(got[batch * strideD + at(row, column, ldd)]) == want);
            }
    // What is not emulated is not accepted either.
    const std::uint32_t epilogue = 2;
    CHECK(cublasLtMatmulDescSetAttribute(description, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue) ==
          CUBLAS_STATUS_SUCCESS);
    CHECK(cublasLtMatmul(handle, description, &alpha64, a, layoutA.layout, b, layoutB.layout, &beta64, c,
                         layoutC.layout, d, layoutD.layout, &result.algo, workspace, workspaceByteCount,
                         nullptr) == CUBLAS_STATUS_NOT_SUPPORTED);
    CHECK(cublasLtMatmulPreferenceDestroy(preference) == CUBLAS_STATUS_SUCCESS);
    CHECK(cublasLtMatmulDescDestroy(description) == CUBLAS_STATUS_SUCCESS);
    CHECK(cublasLtDestroy(handle) == CUBLAS_STATUS_SUCCESS);
}

} // namespace

TEST(matmul_of_every_type_gives_the_plain_product) {
    check_matmul<float, float>(CUDA_R_32F, CUDA_R_32F, false);
    check_matmul<double, double>(CUDA_R_64F, CUDA_R_64F, true);
    check_matmul<__nv_bfloat16, __nv_bfloat16>(CUDA_R_16BF, CUDA_R_16BF, false);
    check_matmul<__nv_bfloat16, float>(CUDA_R_16BF, CUDA_R_32F, false);
    check_matmul<__half, __half>(CUDA_R_16F, CUDA_R_16F, false);
}
