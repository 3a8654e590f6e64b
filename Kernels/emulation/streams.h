// Streams are queues. Their work runs when the host waits, in an order that CUDA allows and the options choose.
#pragma once

#include "ckernels_emulation.h"
#include "include/cuda_runtime_api.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace emulation {

// What an event recorded: a point in a stream's queue.
struct Mark {
    bool isDone = false;
    std::chrono::steady_clock::time_point time;
};

} // namespace emulation

namespace emulation::streams {

void set_order(emulation_order order, std::uint64_t seed);

cudaStream_t create(bool isBlocking);
// The stream's work still runs.
bool destroy(cudaStream_t stream);
bool exists(cudaStream_t stream);
bool is_empty(cudaStream_t stream);
std::size_t pending_count();

// The mark is done once the work has run.
std::shared_ptr<Mark> enqueue(cudaStream_t stream, std::function<void()> work);
void enqueue_wait(cudaStream_t stream, std::shared_ptr<Mark> mark);

// Runs work until the condition holds, nothing is left, or the device broke, at which what is pending is thrown away.
void run_until(const std::function<bool()> &condition);
void run_all();
// Runs one piece of work, if there is any: time passes while the host asks.
void run_one();

// Forgets streams and work.
void reset();

} // namespace emulation::streams
