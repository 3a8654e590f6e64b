// cuBLAS on OpenBLAS: each call checks its arguments as cuBLAS does, and enqueues the work on the handle's stream.
#include "include/cublas_v2.h"

#include "device.h"
#include "matrix_product.h"
#include "openblas.h"
#include "streams.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

using namespace emulation;

struct cublasContext {
    cudaStream_t stream = nullptr;
    cublasPointerMode_t pointerMode = CUBLAS_POINTER_MODE_HOST;
    cublasMath_t mathMode = CUBLAS_DEFAULT_MATH;
};

namespace {

constexpr int version = 130000;

cublasStatus_t enqueue(cublasHandle_t handle, std::function<void()> work) {
    const auto lock = lock_device();
    return enqueue_library_call(handle->stream, std::move(work)) ? CUBLAS_STATUS_SUCCESS
                                                                 : CUBLAS_STATUS_EXECUTION_FAILED;
}

// A factor such as alpha: the host's is read at the call, the device's when the work runs.
class Scalar {
  public:
    Scalar(cublasHandle_t handle, const void *address, bool isDouble)
        : address(handle->pointerMode == CUBLAS_POINTER_MODE_DEVICE ? address : nullptr), isDouble(isDouble),
          value(this->address != nullptr ? 0 : read(address)) {}
    double operator()() const { return address != nullptr ? read(address) : value; }
    bool is_reachable(const char *call) const {
        return address == nullptr || require_device_range(call, "a factor", address, isDouble ? 8 : 4);
    }

  private:
    double read(const void *place) const {
        return isDouble ? *static_cast<const double *>(place) : double(*static_cast<const float *>(place));
    }

    const void *address; // on the device; null where the host's was read
    bool isDouble;
    double value;
};

std::size_t matrix_byte_count(int rows, int columns, int leadingDimension) {
    if (rows == 0 || columns == 0) return 0;
    return (std::size_t(leadingDimension) * std::size_t(columns - 1) + std::size_t(rows)) * sizeof(double);
}

std::size_t vector_byte_count(int count, int increment) {
    if (count == 0) return 0;
    return (std::size_t(count - 1) * std::size_t(std::abs(increment)) + 1) * sizeof(double);
}

CBLAS_UPLO uplo_of(cublasFillMode_t uplo) { return uplo == CUBLAS_FILL_MODE_LOWER ? CblasLower : CblasUpper; }
CBLAS_TRANSPOSE transpose_of(cublasOperation_t operation) {
    return operation == CUBLAS_OP_N ? CblasNoTrans : CblasTrans;
}
CBLAS_SIDE side_of(cublasSideMode_t side) { return side == CUBLAS_SIDE_LEFT ? CblasLeft : CblasRight; }

bool is_triangle(cublasFillMode_t uplo) { return uplo == CUBLAS_FILL_MODE_LOWER || uplo == CUBLAS_FILL_MODE_UPPER; }

bool is_leading_dimension(int leadingDimension, int rows) { return leadingDimension >= std::max(1, rows); }

cublasStatus_t gemm(const char *call, cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m,
                    int n, int k, const void *alpha, const void *A, cudaDataType Atype, int lda, long long strideA,
                    const void *B, cudaDataType Btype, int ldb, long long strideB, const void *beta, void *C,
                    cudaDataType Ctype, int ldc, long long strideC, int batchCount, cublasComputeType_t computeType) {
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    const bool transposesA = transa != CUBLAS_OP_N, transposesB = transb != CUBLAS_OP_N;
    if (m < 0 || n < 0 || k < 0 || batchCount < 0 || alpha == nullptr || beta == nullptr ||
        !is_leading_dimension(lda, transposesA ? k : m) || !is_leading_dimension(ldb, transposesB ? n : k) ||
        !is_leading_dimension(ldc, m) || strideA < 0 || strideB < 0 || strideC < 0)
        return CUBLAS_STATUS_INVALID_VALUE;
    const bool isDouble = computeType == CUBLAS_COMPUTE_64F || computeType == CUBLAS_COMPUTE_64F_PEDANTIC;
    const bool isFloat = computeType == CUBLAS_COMPUTE_32F || computeType == CUBLAS_COMPUTE_32F_PEDANTIC ||
                         computeType == CUBLAS_COMPUTE_32F_FAST_TF32;
    // The combinations of cuBLAS's table that we use: equal operands; float64 alone; the result as wide as the operands
    // or float32.
    const bool fits = Atype == Btype && is_matrix_type(Atype) &&
                      (isDouble ? Atype == CUDA_R_64F && Ctype == CUDA_R_64F
                                : isFloat && Atype != CUDA_R_64F && (Ctype == Atype || Ctype == CUDA_R_32F));
    if (!fits) return CUBLAS_STATUS_NOT_SUPPORTED;

    Matrix a = column_major(A, Atype, transposesA ? k : m, transposesA ? m : k, lda, strideA);
    Matrix b = column_major(B, Btype, transposesB ? n : k, transposesB ? k : n, ldb, strideB);
    if (transposesA) a = a.transposed();
    if (transposesB) b = b.transposed();
    const Matrix c = column_major(C, Ctype, m, n, ldc, strideC);
    return enqueue(handle, [=, alpha = Scalar(handle, alpha, isDouble), beta = Scalar(handle, beta, isDouble)] {
        if (alpha.is_reachable(call) && beta.is_reachable(call))
            multiply(call, isDouble, alpha(), a, b, beta(), c, c, batchCount);
    });
}

// A result such as a norm: the host's is written before the call returns, the device's when the work runs.
cublasStatus_t reduce(const char *call, cublasHandle_t handle, double *result, std::function<double()> value) {
    const bool onDevice = handle->pointerMode == CUBLAS_POINTER_MODE_DEVICE;
    const auto lock = lock_device();
    const bool isTaken = enqueue_library_call(handle->stream, [=] {
        if (!onDevice || require_device_range(call, "the result", result, sizeof *result)) *result = value();
    });
    if (!isTaken) return CUBLAS_STATUS_EXECUTION_FAILED;
    if (!onDevice) streams::run_until([handle] { return streams::is_empty(handle->stream); });
    return CUBLAS_STATUS_SUCCESS;
}

} // namespace

cublasStatus_t cublasCreate(cublasHandle_t *handle) {
    if (handle == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    *handle = new cublasContext;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy(cublasHandle_t handle) {
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetVersion(cublasHandle_t, int *value) {
    if (value == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    *value = version;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetProperty(libraryPropertyType type, int *value) {
    if (value == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    *value = type == MAJOR_VERSION ? version / 10000 : type == MINOR_VERSION ? version / 100 % 100 : version % 100;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream) {
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    handle->stream = stream;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetStream(cublasHandle_t handle, cudaStream_t *stream) {
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    *stream = handle->stream;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetWorkspace(cublasHandle_t handle, void *workspace, std::size_t) {
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    // cuBLAS asks for this alignment of its workspace.
    return reinterpret_cast<std::uintptr_t>(workspace) % 256 == 0 ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasSetPointerMode(cublasHandle_t handle, cublasPointerMode_t mode) {
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    handle->pointerMode = mode;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetPointerMode(cublasHandle_t handle, cublasPointerMode_t *mode) {
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    *mode = handle->pointerMode;
    return CUBLAS_STATUS_SUCCESS;
}

// Every mode gives float32 sums here.
cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    handle->mathMode = mode;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetMathMode(cublasHandle_t handle, cublasMath_t *mode) {
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    *mode = handle->mathMode;
    return CUBLAS_STATUS_SUCCESS;
}

const char *cublasGetStatusName(cublasStatus_t status) {
    switch (status) {
#define NAME(status)                                                                                                   \
    case status:                                                                                                       \
        return #status;
        NAME(CUBLAS_STATUS_SUCCESS)
        NAME(CUBLAS_STATUS_NOT_INITIALIZED)
        NAME(CUBLAS_STATUS_ALLOC_FAILED)
        NAME(CUBLAS_STATUS_INVALID_VALUE)
        NAME(CUBLAS_STATUS_ARCH_MISMATCH)
        NAME(CUBLAS_STATUS_MAPPING_ERROR)
        NAME(CUBLAS_STATUS_EXECUTION_FAILED)
        NAME(CUBLAS_STATUS_INTERNAL_ERROR)
        NAME(CUBLAS_STATUS_NOT_SUPPORTED)
        NAME(CUBLAS_STATUS_LICENSE_ERROR)
#undef NAME
    }
    return "unknown cuBLAS status";
}

const char *cublasGetStatusString(cublasStatus_t status) { return cublasGetStatusName(status); }

cublasStatus_t cublasSgemm(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n,
                           int k, const float *alpha, const float *A, int lda, const float *B, int ldb,
                           const float *beta, float *C, int ldc) {
    return gemm("cublasSgemm", handle, transa, transb, m, n, k, alpha, A, CUDA_R_32F, lda, 0, B, CUDA_R_32F, ldb, 0,
                beta, C, CUDA_R_32F, ldc, 0, 1, CUBLAS_COMPUTE_32F);
}

cublasStatus_t cublasDgemm(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n,
                           int k, const double *alpha, const double *A, int lda, const double *B, int ldb,
                           const double *beta, double *C, int ldc) {
    return gemm("cublasDgemm", handle, transa, transb, m, n, k, alpha, A, CUDA_R_64F, lda, 0, B, CUDA_R_64F, ldb, 0,
                beta, C, CUDA_R_64F, ldc, 0, 1, CUBLAS_COMPUTE_64F);
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n,
                            int k, const void *alpha, const void *A, cudaDataType Atype, int lda, const void *B,
                            cudaDataType Btype, int ldb, const void *beta, void *C, cudaDataType Ctype, int ldc,
                            cublasComputeType_t computeType, cublasGemmAlgo_t) {
    return gemm("cublasGemmEx", handle, transa, transb, m, n, k, alpha, A, Atype, lda, 0, B, Btype, ldb, 0, beta, C,
                Ctype, ldc, 0, 1, computeType);
}

cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb,
                                          int m, int n, int k, const void *alpha, const void *A, cudaDataType Atype,
                                          int lda, long long strideA, const void *B, cudaDataType Btype, int ldb,
                                          long long strideB, const void *beta, void *C, cudaDataType Ctype, int ldc,
                                          long long strideC, int batchCount, cublasComputeType_t computeType,
                                          cublasGemmAlgo_t) {
    return gemm("cublasGemmStridedBatchedEx", handle, transa, transb, m, n, k, alpha, A, Atype, lda, strideA, B, Btype,
                ldb, strideB, beta, C, Ctype, ldc, strideC, batchCount, computeType);
}

cublasStatus_t cublasDsyrk(cublasHandle_t handle, cublasFillMode_t uplo, cublasOperation_t trans, int n, int k,
                           const double *alpha, const double *A, int lda, const double *beta, double *C, int ldc) {
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    const bool transposes = trans != CUBLAS_OP_N;
    if (n < 0 || k < 0 || !is_triangle(uplo) || alpha == nullptr || beta == nullptr ||
        !is_leading_dimension(lda, transposes ? k : n) || !is_leading_dimension(ldc, n))
        return CUBLAS_STATUS_INVALID_VALUE;
    return enqueue(handle, [=, alpha = Scalar(handle, alpha, true), beta = Scalar(handle, beta, true)] {
        constexpr const char *call = "cublasDsyrk";
        if (n != 0 && alpha.is_reachable(call) && beta.is_reachable(call) &&
            require_device_range(call, "A", A,
                                 transposes ? matrix_byte_count(k, n, lda) : matrix_byte_count(n, k, lda)) &&
            require_device_range(call, "C", C, matrix_byte_count(n, n, ldc)))
            cblas_dsyrk(CblasColMajor, uplo_of(uplo), transpose_of(trans), n, k, alpha(), A, lda, beta(), C, ldc);
    });
}

cublasStatus_t cublasDtrsm(cublasHandle_t handle, cublasSideMode_t side, cublasFillMode_t uplo, cublasOperation_t trans,
                           cublasDiagType_t diag, int m, int n, const double *alpha, const double *A, int lda,
                           double *B, int ldb) {
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    const int order = side == CUBLAS_SIDE_LEFT ? m : n;
    if (m < 0 || n < 0 || !is_triangle(uplo) || alpha == nullptr || !is_leading_dimension(lda, order) ||
        !is_leading_dimension(ldb, m))
        return CUBLAS_STATUS_INVALID_VALUE;
    return enqueue(handle, [=, alpha = Scalar(handle, alpha, true)] {
        constexpr const char *call = "cublasDtrsm";
        if (m != 0 && n != 0 && alpha.is_reachable(call) &&
            require_device_range(call, "A", A, matrix_byte_count(order, order, lda)) &&
            require_device_range(call, "B", B, matrix_byte_count(m, n, ldb)))
            cblas_dtrsm(CblasColMajor, side_of(side), uplo_of(uplo), transpose_of(trans),
                        diag == CUBLAS_DIAG_UNIT ? CblasUnit : CblasNonUnit, m, n, alpha(), A, lda, B, ldb);
    });
}

cublasStatus_t cublasDgemv(cublasHandle_t handle, cublasOperation_t trans, int m, int n, const double *alpha,
                           const double *A, int lda, const double *x, int incx, const double *beta, double *y,
                           int incy) {
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (m < 0 || n < 0 || alpha == nullptr || beta == nullptr || !is_leading_dimension(lda, m) || incx == 0 ||
        incy == 0)
        return CUBLAS_STATUS_INVALID_VALUE;
    return enqueue(handle, [=, alpha = Scalar(handle, alpha, true), beta = Scalar(handle, beta, true)] {
        constexpr const char *call = "cublasDgemv";
        const int xCount = trans == CUBLAS_OP_N ? n : m, yCount = trans == CUBLAS_OP_N ? m : n;
        if (m == 0 || n == 0 || !alpha.is_reachable(call) || !beta.is_reachable(call) ||
            !require_device_range(call, "A", A, matrix_byte_count(m, n, lda)) ||
            !require_device_range(call, "x", x, vector_byte_count(xCount, incx)) ||
            !require_device_range(call, "y", y, vector_byte_count(yCount, incy)))
            return;
        cblas_dgemv(CblasColMajor, transpose_of(trans), m, n, alpha(), A, lda, x, incx, beta(), y, incy);
    });
}

cublasStatus_t cublasDsymv(cublasHandle_t handle, cublasFillMode_t uplo, int n, const double *alpha, const double *A,
                           int lda, const double *x, int incx, const double *beta, double *y, int incy) {
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (n < 0 || !is_triangle(uplo) || alpha == nullptr || beta == nullptr || !is_leading_dimension(lda, n) ||
        incx == 0 || incy == 0)
        return CUBLAS_STATUS_INVALID_VALUE;
    return enqueue(handle, [=, alpha = Scalar(handle, alpha, true), beta = Scalar(handle, beta, true)] {
        constexpr const char *call = "cublasDsymv";
        if (n != 0 && alpha.is_reachable(call) && beta.is_reachable(call) &&
            require_device_range(call, "A", A, matrix_byte_count(n, n, lda)) &&
            require_device_range(call, "x", x, vector_byte_count(n, incx)) &&
            require_device_range(call, "y", y, vector_byte_count(n, incy)))
            cblas_dsymv(CblasColMajor, uplo_of(uplo), n, alpha(), A, lda, x, incx, beta(), y, incy);
    });
}

cublasStatus_t cublasDnrm2(cublasHandle_t handle, int n, const double *x, int incx, double *result) {
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (result == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    return reduce("cublasDnrm2", handle, result, [=] {
        if (n <= 0 || incx <= 0) return 0.0;
        return require_device_range("cublasDnrm2", "x", x, vector_byte_count(n, incx)) ? cblas_dnrm2(n, x, incx) : 0.0;
    });
}

cublasStatus_t cublasDdot(cublasHandle_t handle, int n, const double *x, int incx, const double *y, int incy,
                          double *result) {
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (result == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    return reduce("cublasDdot", handle, result, [=] {
        if (n <= 0) return 0.0;
        return require_device_range("cublasDdot", "x", x, vector_byte_count(n, incx)) &&
                       require_device_range("cublasDdot", "y", y, vector_byte_count(n, incy))
                   ? cblas_ddot(n, x, incx, y, incy)
                   : 0.0;
    });
}

cublasStatus_t cublasDaxpy(cublasHandle_t handle, int n, const double *alpha, const double *x, int incx, double *y,
                           int incy) {
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (alpha == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    return enqueue(handle, [=, alpha = Scalar(handle, alpha, true)] {
        constexpr const char *call = "cublasDaxpy";
        if (n > 0 && alpha.is_reachable(call) && require_device_range(call, "x", x, vector_byte_count(n, incx)) &&
            require_device_range(call, "y", y, vector_byte_count(n, incy)))
            cblas_daxpy(n, alpha(), x, incx, y, incy);
    });
}

cublasStatus_t cublasDscal(cublasHandle_t handle, int n, const double *alpha, double *x, int incx) {
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (alpha == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    return enqueue(handle, [=, alpha = Scalar(handle, alpha, true)] {
        constexpr const char *call = "cublasDscal";
        if (n > 0 && incx > 0 && alpha.is_reachable(call) &&
            require_device_range(call, "x", x, vector_byte_count(n, incx)))
            cblas_dscal(n, alpha(), x, incx);
    });
}

// C = diag(x) A where the mode is left, A diag(x) where it is right. C may be A.
cublasStatus_t cublasDdgmm(cublasHandle_t handle, cublasSideMode_t mode, int m, int n, const double *A, int lda,
                           const double *x, int incx, double *C, int ldc) {
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (m < 0 || n < 0 || !is_leading_dimension(lda, m) || !is_leading_dimension(ldc, m))
        return CUBLAS_STATUS_INVALID_VALUE;
    return enqueue(handle, [=] {
        constexpr const char *call = "cublasDdgmm";
        const int count = mode == CUBLAS_SIDE_LEFT ? m : n;
        if (m == 0 || n == 0 || !require_device_range(call, "A", A, matrix_byte_count(m, n, lda)) ||
            !require_device_range(call, "x", x, vector_byte_count(count, incx)) ||
            !require_device_range(call, "C", C, matrix_byte_count(m, n, ldc)))
            return;
        const double *first = incx < 0 ? x - std::ptrdiff_t(count - 1) * incx : x;
        for (std::ptrdiff_t column = 0; column < n; ++column)
            for (std::ptrdiff_t row = 0; row < m; ++row)
                C[row + column * ldc] = A[row + column * lda] * first[(mode == CUBLAS_SIDE_LEFT ? row : column) * incx];
    });
}
