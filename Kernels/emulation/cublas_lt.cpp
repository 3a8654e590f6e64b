// cuBLASLt: descriptions of products, and the product itself.
#include "include/cublasLt.h"

#include "device.h"
#include "matrix_product.h"

#include <cstring>

using namespace emulation;

struct cublasLtContext {};

struct cublasLtMatmulDescOpaque_t {
    std::int32_t computeType, scaleType;
    std::int32_t pointerMode = CUBLASLT_POINTER_MODE_HOST;
    std::int32_t transA = CUBLAS_OP_N, transB = CUBLAS_OP_N;
    std::uint32_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;

    bool is_double() const { return computeType == CUBLAS_COMPUTE_64F || computeType == CUBLAS_COMPUTE_64F_PEDANTIC; }
};

struct cublasLtMatrixLayoutOpaque_t {
    std::uint32_t type;
    std::int32_t order = CUBLASLT_ORDER_COL;
    std::uint64_t rows, columns;
    std::int64_t leadingDimension;
    std::int32_t batchCount = 1;
    std::int64_t batchStride = 0;

    Matrix matrix(const void *elements) const {
        const bool isRowMajor = order == CUBLASLT_ORDER_ROW;
        return {elements,
                cudaDataType_t(type),
                std::int64_t(rows),
                std::int64_t(columns),
                isRowMajor ? leadingDimension : 1,
                isRowMajor ? 1 : leadingDimension,
                batchStride};
    }
    bool is_sound() const {
        const std::uint64_t contiguous = order == CUBLASLT_ORDER_ROW ? columns : rows;
        return is_matrix_type(cudaDataType_t(type)) && leadingDimension >= 1 &&
               std::uint64_t(leadingDimension) >= contiguous && batchCount >= 1 && batchStride >= 0 &&
               (order == CUBLASLT_ORDER_COL || order == CUBLASLT_ORDER_ROW);
    }
};

struct cublasLtMatmulPreferenceOpaque_t {
    std::uint64_t workspaceByteCount = 0;
};

namespace {

template <typename T> cublasStatus_t assign(T &target, const void *value, std::size_t byteCount) {
    if (value == nullptr || byteCount != sizeof target) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(&target, value, sizeof target);
    return CUBLAS_STATUS_SUCCESS;
}

// What cuBLASLt itself would refuse, and what is not emulated.
cublasStatus_t check(cublasLtMatmulDesc_t description, cublasLtMatrixLayout_t layoutA, cublasLtMatrixLayout_t layoutB,
                     cublasLtMatrixLayout_t layoutC, cublasLtMatrixLayout_t layoutD) {
    if (description == nullptr || layoutA == nullptr || layoutB == nullptr || layoutC == nullptr || layoutD == nullptr)
        return CUBLAS_STATUS_INVALID_VALUE;
    for (const cublasLtMatrixLayout_t layout : {layoutA, layoutB, layoutC, layoutD})
        if (!layout->is_sound() || layout->batchCount != layoutA->batchCount) return CUBLAS_STATUS_INVALID_VALUE;
    const bool transposesA = description->transA != CUBLAS_OP_N, transposesB = description->transB != CUBLAS_OP_N;
    const std::uint64_t m = transposesA ? layoutA->columns : layoutA->rows,
                        k = transposesA ? layoutA->rows : layoutA->columns;
    const std::uint64_t n = transposesB ? layoutB->rows : layoutB->columns;
    if ((transposesB ? layoutB->columns : layoutB->rows) != k || layoutC->rows != m || layoutC->columns != n ||
        layoutD->rows != m || layoutD->columns != n)
        return CUBLAS_STATUS_INVALID_VALUE;
    const bool isDouble = description->is_double();
    const bool isFloat = description->computeType == CUBLAS_COMPUTE_32F ||
                         description->computeType == CUBLAS_COMPUTE_32F_PEDANTIC ||
                         description->computeType == CUBLAS_COMPUTE_32F_FAST_TF32;
    const bool fits =
        layoutA->type == layoutB->type && layoutC->type == layoutD->type &&
        (isDouble ? layoutA->type == CUDA_R_64F && layoutD->type == CUDA_R_64F && description->scaleType == CUDA_R_64F
                  : isFloat && layoutA->type != CUDA_R_64F && description->scaleType == CUDA_R_32F &&
                        (layoutD->type == layoutA->type || layoutD->type == CUDA_R_32F));
    return fits && description->epilogue == CUBLASLT_EPILOGUE_DEFAULT ? CUBLAS_STATUS_SUCCESS
                                                                      : CUBLAS_STATUS_NOT_SUPPORTED;
}

} // namespace

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle) {
    if (handle == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    *handle = new cublasLtContext;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}

std::size_t cublasLtGetVersion() { return 130000; }

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *description, cublasComputeType_t computeType,
                                        cudaDataType_t scaleType) {
    if (description == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    *description = new cublasLtMatmulDescOpaque_t{computeType, scaleType};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t description) {
    delete description;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t description,
                                              cublasLtMatmulDescAttributes_t attribute, const void *value,
                                              std::size_t byteCount) {
    if (description == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    switch (attribute) {
    case CUBLASLT_MATMUL_DESC_COMPUTE_TYPE:
        return assign(description->computeType, value, byteCount);
    case CUBLASLT_MATMUL_DESC_SCALE_TYPE:
        return assign(description->scaleType, value, byteCount);
    case CUBLASLT_MATMUL_DESC_POINTER_MODE:
        return assign(description->pointerMode, value, byteCount);
    case CUBLASLT_MATMUL_DESC_TRANSA:
        return assign(description->transA, value, byteCount);
    case CUBLASLT_MATMUL_DESC_TRANSB:
        return assign(description->transB, value, byteCount);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
        return assign(description->epilogue, value, byteCount);
    }
    return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *layout, cudaDataType type, std::uint64_t rows,
                                          std::uint64_t columns, std::int64_t leadingDimension) {
    if (layout == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    *layout =
        new cublasLtMatrixLayoutOpaque_t{std::uint32_t(type), CUBLASLT_ORDER_COL, rows, columns, leadingDimension};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
    delete layout;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute, const void *value,
                                                std::size_t byteCount) {
    if (layout == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    switch (attribute) {
    case CUBLASLT_MATRIX_LAYOUT_TYPE:
        return assign(layout->type, value, byteCount);
    case CUBLASLT_MATRIX_LAYOUT_ORDER:
        return assign(layout->order, value, byteCount);
    case CUBLASLT_MATRIX_LAYOUT_ROWS:
        return assign(layout->rows, value, byteCount);
    case CUBLASLT_MATRIX_LAYOUT_COLS:
        return assign(layout->columns, value, byteCount);
    case CUBLASLT_MATRIX_LAYOUT_LD:
        return assign(layout->leadingDimension, value, byteCount);
    case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT:
        return assign(layout->batchCount, value, byteCount);
    case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET:
        return assign(layout->batchStride, value, byteCount);
    }
    return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *preference) {
    if (preference == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    *preference = new cublasLtMatmulPreferenceOpaque_t;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
    delete preference;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute, const void *value,
                                                    std::size_t byteCount) {
    if (preference == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    if (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES)
        return assign(preference->workspaceByteCount, value, byteCount);
    std::uint32_t ignored; // the one algorithm takes any alignment
    return assign(ignored, value, byteCount);
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t description,
                                              cublasLtMatrixLayout_t layoutA, cublasLtMatrixLayout_t layoutB,
                                              cublasLtMatrixLayout_t layoutC, cublasLtMatrixLayout_t layoutD,
                                              cublasLtMatmulPreference_t, int requestedCount,
                                              cublasLtMatmulHeuristicResult_t results[], int *resultCount) {
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (requestedCount < 1 || results == nullptr || resultCount == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    *resultCount = 0;
    const cublasStatus_t status = check(description, layoutA, layoutB, layoutC, layoutD);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    results[0] = {};
    results[0].wavesCount = 1;
    *resultCount = 1;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t description, const void *alpha,
                              const void *A, cublasLtMatrixLayout_t layoutA, const void *B,
                              cublasLtMatrixLayout_t layoutB, const void *beta, const void *C,
                              cublasLtMatrixLayout_t layoutC, void *D, cublasLtMatrixLayout_t layoutD,
                              const cublasLtMatmulAlgo_t *, void *workspace, std::size_t workspaceByteCount,
                              cudaStream_t stream) {
    constexpr const char *call = "cublasLtMatmul";
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    const cublasStatus_t status = check(description, layoutA, layoutB, layoutC, layoutD);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    if (alpha == nullptr || beta == nullptr) return CUBLAS_STATUS_INVALID_VALUE;

    const bool isDouble = description->is_double();
    const bool onDevice = description->pointerMode == CUBLASLT_POINTER_MODE_DEVICE;
    const auto read = [isDouble](const void *place) {
        return isDouble ? *static_cast<const double *>(place) : double(*static_cast<const float *>(place));
    };
    // The host's factors are read now, the device's when the work runs.
    const double hostAlpha = onDevice ? 0 : read(alpha), hostBeta = onDevice ? 0 : read(beta);
    Matrix a = layoutA->matrix(A), b = layoutB->matrix(B);
    if (description->transA != CUBLAS_OP_N) a = a.transposed();
    if (description->transB != CUBLAS_OP_N) b = b.transposed();
    const Matrix c = layoutC->matrix(C), d = layoutD->matrix(D);
    const std::int64_t batchCount = layoutA->batchCount;

    const auto lock = lock_device();
    const bool isTaken = enqueue_library_call(stream, [=] {
        const std::size_t factorByteCount = isDouble ? 8 : 4;
        if (onDevice && (!require_device_range(call, "alpha", alpha, factorByteCount) ||
                         !require_device_range(call, "beta", beta, factorByteCount)))
            return;
        if (!require_device_range(call, "the workspace", workspace, workspaceByteCount)) return;
        multiply(call, isDouble, onDevice ? read(alpha) : hostAlpha, a, b, onDevice ? read(beta) : hostBeta, c, d,
                 batchCount);
    });
    return isTaken ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}
