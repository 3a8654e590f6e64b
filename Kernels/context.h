// What one device needs between two calls, and how a call fails.
#pragma once

#include "ckernels.h"

#include <cublasLt.h>
#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <cusolverDn.h>

#include <cstddef>
#include <cstdint>
#include <map>
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
class KeptArrays;
class ProductPlans;
class Transfers;

// A stream in whose order work is done, and pinned memory through which the host's bytes reach the device and come
// back.
struct Queue {
    explicit Queue(std::mutex &mutex);
    ~Queue();
    Queue(const Queue &) = delete;
    Queue &operator=(const Queue &) = delete;
    void open();
    // Waits for the work, and gives back what there is.
    void close() noexcept;

    // Held while work is enqueued, never while the host waits for the device.
    std::mutex &mutex;
    int multiprocessorCount = 1;
    cudaStream_t stream = nullptr;
    std::unique_ptr<Staging> staging;
};

// Lets other threads enqueue while this one, which holds the mutex, waits for the device.
class Waiting {
  public:
    explicit Waiting(Queue &queue) : mutex(queue.mutex) { mutex.unlock(); }
    ~Waiting() { mutex.lock(); }
    Waiting(const Waiting &) = delete;
    Waiting &operator=(const Waiting &) = delete;

  private:
    std::mutex &mutex;
};

} // namespace straightedge

// The queue in whose order a device computes, with the libraries that enqueue on it, and what is brought in beside it.
struct ck_context : straightedge::Queue {
    explicit ck_context(int device);
    ~ck_context();
    ck_context(const ck_context &) = delete;
    ck_context &operator=(const ck_context &) = delete;

    const int device;
    cublasHandle_t blas = nullptr;
    cublasLtHandle_t blasLt = nullptr;
    cusolverDnHandle_t solver = nullptr;
    std::unique_ptr<straightedge::KeptArrays> keptArrays;
    std::unique_ptr<straightedge::ProductPlans> plans;
    // Null until something is brought in beside the computing.
    std::unique_ptr<straightedge::Transfers> transfers;
    // Pinned memory that was taken for callers, and its bytes.
    std::map<std::uintptr_t, std::size_t> pinned;
    bool is_pinned(const void *bytes, std::int64_t byteCount) const;
    // Calls are enqueued one at a time.
    std::mutex enqueueing;
    void keep_freed_memory() const;
    // Gives back what there is.
    void close() noexcept;

    // A device that failed answers nothing any more; what it said first is what it says again.
    std::string lostBecause;
};

namespace straightedge {

// Device memory for the length of a call; given back in the order of the queue.
class Scratch {
  public:
    Scratch(Queue &queue, std::int64_t byteCount);
    // A copy of host memory.
    Scratch(Queue &queue, const void *bytes, std::int64_t byteCount);
    ~Scratch();
    Scratch(const Scratch &) = delete;
    Scratch &operator=(const Scratch &) = delete;

    template <typename T> T *as() const { return static_cast<T *>(address); }

  private:
    Queue &queue;
    void *address = nullptr;
};

// Waits for the work that was enqueued.
void synchronize(Queue &queue);

// Copies device memory to the host, after all work before it.
void read_back(Queue &queue, const void *source, void *bytes, std::int64_t byteCount);

} // namespace straightedge
