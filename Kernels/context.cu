// Contexts: what they hold, and how failures become statuses.
#include "context.h"

#include "kept_arrays.h"
#include "product_plans.h"
#include "staging.h"
#include "transfers.h"

#include <cstring>
#include <iterator>

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

Queue::Queue(std::mutex &mutex) : mutex(mutex) {}

Queue::~Queue() { close(); }

void Queue::open() {
    CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    staging = std::make_unique<Staging>(*this);
}

void Queue::close() noexcept {
    // Whatever fails here has nobody left to tell.
    if (stream) (void)cudaStreamSynchronize(stream);
    staging.reset();
    if (stream) (void)cudaStreamDestroy(stream);
    stream = nullptr;
}

Scratch::Scratch(Queue &queue, std::int64_t byteCount) : queue(queue) {
    if (byteCount > 0) CHECK(cudaMallocAsync(&address, static_cast<std::size_t>(byteCount), queue.stream));
}

Scratch::Scratch(Queue &queue, const void *bytes, std::int64_t byteCount) : Scratch(queue, byteCount) {
    queue.staging->upload(bytes, byteCount, address);
}

Scratch::~Scratch() {
    if (address) (void)cudaFreeAsync(address, queue.stream);
}

void synchronize(Queue &queue) {
    const Waiting waiting(queue);
    CHECK(cudaStreamSynchronize(queue.stream));
}

void read_back(Queue &queue, const void *source, void *bytes, std::int64_t byteCount) {
    queue.staging->download(source, byteCount, bytes);
}

} // namespace straightedge

ck_context::ck_context(int device) : Queue(enqueueing), device(device) {
    CHECK(cudaSetDevice(device));
    try {
        CHECK(cudaDeviceGetAttribute(&multiprocessorCount, cudaDevAttrMultiProcessorCount, device));
        keep_freed_memory();
        open();
        CHECK(cublasCreate(&blas));
        CHECK(cublasSetStream(blas, stream));
        CHECK(cublasLtCreate(&blasLt));
        CHECK(cusolverDnCreate(&solver));
        CHECK(cusolverDnSetStream(solver, stream));
        keptArrays = std::make_unique<straightedge::KeptArrays>(*this);
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

bool ck_context::is_pinned(const void *bytes, std::int64_t byteCount) const {
    const auto address = reinterpret_cast<std::uintptr_t>(bytes);
    const auto next = pinned.upper_bound(address);
    if (next == pinned.begin()) return false;
    const auto &[begin, pinnedByteCount] = *std::prev(next);
    return address - begin + static_cast<std::size_t>(byteCount) <= pinnedByteCount;
}

ck_context::~ck_context() { close(); }

void ck_context::close() noexcept {
    transfers.reset();
    if (stream) (void)cudaStreamSynchronize(stream);
    plans.reset();
    keptArrays.reset();
    if (solver) (void)cusolverDnDestroy(solver);
    if (blasLt) (void)cublasLtDestroy(blasLt);
    if (blas) (void)cublasDestroy(blas);
    Queue::close();
    blas = nullptr;
    blasLt = nullptr;
    solver = nullptr;
}
