// Contexts: what they hold, and how failures become statuses.
#include "context.h"

#include "product_plans.h"
#include "staging.h"

#include <cstring>

namespace straightedge {
namespace {

// The function that an expression calls.
std::string called(const char *expression) { return std::string(expression, std::strcspn(expression, "(")); }

} // namespace

void check(cudaError_t error, const char *expression) {
    if (error == cudaSuccess) return;
    const std::string text = called(expression) + ": " + cudaGetErrorName(error) + ", " + cudaGetErrorString(error);
    // Clears errors that do not stick.
    (void)cudaGetLastError();
    switch (error) {
    case cudaErrorMemoryAllocation:
        throw Failure{CK_OUT_OF_MEMORY, text};
    case cudaErrorNoDevice:
    case cudaErrorInvalidDevice:
    case cudaErrorInsufficientDriver:
    case cudaErrorInitializationError:
        throw Failure{CK_UNAVAILABLE, text};
    case cudaErrorNoKernelImageForDevice:
        throw Failure{CK_UNAVAILABLE, text + "; this library holds no code for the device's architecture"};
    default:
        throw Failure{CK_DEVICE_FAILED, text};
    }
}

void check(cublasStatus_t status, const char *expression) {
    if (status == CUBLAS_STATUS_SUCCESS) return;
    const std::string text = called(expression) + ": cuBLAS status " + std::to_string(static_cast<int>(status));
    throw Failure{status == CUBLAS_STATUS_ALLOC_FAILED ? CK_OUT_OF_MEMORY : CK_DEVICE_FAILED, text};
}

void check(cusolverStatus_t status, const char *expression) {
    if (status == CUSOLVER_STATUS_SUCCESS) return;
    const std::string text = called(expression) + ": cuSOLVER status " + std::to_string(static_cast<int>(status));
    throw Failure{status == CUSOLVER_STATUS_ALLOC_FAILED ? CK_OUT_OF_MEMORY : CK_DEVICE_FAILED, text};
}

Scratch::Scratch(ck_context &context, std::int64_t byteCount) : context(context) {
    if (byteCount > 0) CHECK(cudaMallocAsync(&address, static_cast<std::size_t>(byteCount), context.stream));
}

Scratch::Scratch(ck_context &context, const void *bytes, std::int64_t byteCount) : Scratch(context, byteCount) {
    context.staging->upload(bytes, byteCount, address);
}

Scratch::~Scratch() {
    if (address) (void)cudaFreeAsync(address, context.stream);
}

void read_back(ck_context &context, const void *source, void *bytes, std::int64_t byteCount) {
    CHECK(cudaMemcpyAsync(bytes, source, static_cast<std::size_t>(byteCount), cudaMemcpyDeviceToHost, context.stream));
    CHECK(cudaStreamSynchronize(context.stream));
}

} // namespace straightedge

ck_context::ck_context(int device) : device(device) {
    CHECK(cudaSetDevice(device));
    try {
        CHECK(cudaDeviceGetAttribute(&multiprocessorCount, cudaDevAttrMultiProcessorCount, device));
        keep_freed_memory();
        CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
        CHECK(cublasCreate(&blas));
        CHECK(cublasSetStream(blas, stream));
        CHECK(cublasLtCreate(&blasLt));
        CHECK(cusolverDnCreate(&solver));
        CHECK(cusolverDnSetStream(solver, stream));
        staging = std::make_unique<straightedge::Staging>(stream);
        plans = std::make_unique<straightedge::ProductPlans>(blasLt, stream);
    } catch (...) {
        close();
        throw;
    }
}

// Memory that was freed stays with the process, for the next call: asking the system for it takes longer than most
// kernels.
void ck_context::keep_freed_memory() const {
    cudaMemPool_t pool = nullptr;
    CHECK(cudaDeviceGetDefaultMemPool(&pool, device));
    std::uint64_t threshold = UINT64_MAX;
    CHECK(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &threshold));
}

ck_context::~ck_context() { close(); }

void ck_context::close() noexcept {
    // Whatever fails here has nobody left to tell.
    if (stream) (void)cudaStreamSynchronize(stream);
    plans.reset();
    staging.reset();
    if (solver) (void)cusolverDnDestroy(solver);
    if (blasLt) (void)cublasLtDestroy(blasLt);
    if (blas) (void)cublasDestroy(blas);
    if (stream) (void)cudaStreamDestroy(stream);
    stream = nullptr;
    blas = nullptr;
    blasLt = nullptr;
    solver = nullptr;
}
