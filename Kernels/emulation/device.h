// The emulated device as a whole: its lock, its options, what it counts, and what it takes in.
#pragma once

#include "ckernels_emulation.h"
#include "include/cuda_runtime_api.h"

#include <functional>
#include <mutex>
#include <string>

namespace emulation {

// Every entry from the host holds it.
std::unique_lock<std::mutex> lock_device();

constexpr int mostLanesInBlock = 1024;
constexpr int mostLanesInBlockX = 1024, mostLanesInBlockY = 1024, mostLanesInBlockZ = 64;
constexpr int mostBlocksX = 2147483647, mostBlocksYZ = 65535;
constexpr std::size_t sharedByteCountByDefault = 48 * 1024, sharedByteCountByRequest = 227 * 1024;

const emulation_options &options();
// Empty, or which option has no meaning.
std::string configure(const emulation_options &options);
void reset_device();

// Called whenever the host is about to wait for the device, without the lock; by the thread that will wait.
void on_host_wait(void (*body)(void *context), void *context);
void announce_host_wait();

// The following expect the lock.

void count_synchronization(); // and fail where that is wanted
bool allocation_shall_fail();
bool host_allocation_shall_fail();
void read_counters(emulation_counters &counters);

// Grants a kernel that much dynamic shared memory.
void grant_shared_memory(const void *kernel, std::size_t byteCount);

// Guard bands, looked at whenever the host waits.
void check_guards();

// Work of cuBLAS and cuSOLVER. False where the device is broken, the stream unknown, or the call shall fail.
bool enqueue_library_call(cudaStream_t stream, std::function<void()> work);
// For use in such work: breaks the device where the range is not in one allocation.
bool require_device_range(const char *call, const char *operand, const void *address, std::size_t byteCount);

} // namespace emulation
