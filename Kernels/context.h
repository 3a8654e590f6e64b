// What one device needs between two calls, and how a call fails.
#pragma once

#include "ckernels.h"

#include <cublasLt.h>
#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <cusolverDn.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

namespace straightedge {

// A call that could not be done, in words. Thrown inside the library, and turned into a status where it ends.
struct Failure {
    ck_status status;
    std::string text;
};

void check(cudaError_t error, const char *expression);
void check(cublasStatus_t status, const char *expression);
void check(cusolverStatus_t status, const char *expression);

// Every foreign call is checked where it is made, and named.
#define CHECK(expression) ::straightedge::check((expression), #expression)

class Staging;
class ProductPlans;

} // namespace straightedge

// A stream in whose order all work of a device is done, with the libraries that enqueue on it.
struct ck_context {
    explicit ck_context(int device);
    ~ck_context();
    ck_context(const ck_context &) = delete;
    ck_context &operator=(const ck_context &) = delete;

    const int device;
    int multiprocessorCount = 1;
    cudaStream_t stream = nullptr;
    cublasHandle_t blas = nullptr;
    cublasLtHandle_t blasLt = nullptr;
    cusolverDnHandle_t solver = nullptr;
    std::unique_ptr<straightedge::Staging> staging;
    std::unique_ptr<straightedge::ProductPlans> plans;
    // Calls are enqueued one at a time.
    std::mutex mutex;
    void keep_freed_memory() const;
    // Gives back what there is.
    void close() noexcept;

    // A device that failed answers nothing any more; what it said first is what it says again.
    std::string lostBecause;
};

namespace straightedge {

// Device memory for the length of a call; given back in the order of the stream.
class Scratch {
  public:
    Scratch(ck_context &context, std::int64_t byteCount);
    // A copy of host memory.
    Scratch(ck_context &context, const void *bytes, std::int64_t byteCount);
    ~Scratch();
    Scratch(const Scratch &) = delete;
    Scratch &operator=(const Scratch &) = delete;

    template <typename T> T *as() const { return static_cast<T *>(address); }

  private:
    ck_context &context;
    void *address = nullptr;
};

// Copies device memory to the host, after all work before it.
void read_back(ck_context &context, const void *source, void *bytes, std::int64_t byteCount);

} // namespace straightedge
