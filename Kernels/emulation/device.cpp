#include "device.h"

#include "device_memory.h"
#include "failure.h"
#include "host_memory.h"
#include "kernel_symbol.h"
#include "launch.h"
#include "streams.h"
#include "workers.h"

#include <algorithm>
#include <cstring>
#include <map>

namespace emulation {

namespace {

emulation_options current{};
// Counted since the last reset, and since the last configure for the failures to come.
std::uint64_t launchCount = 0, launchCountAtStart = 0;
std::uint64_t libraryCallCount = 0, libraryCallCountAtStart = 0;
std::uint64_t synchronizationCount = 0, synchronizationCountAtStart = 0;
std::uint64_t allocationAttempts = 0, hostAllocationAttempts = 0;
auto &grantedSharedMemory = *new std::map<const void *, std::size_t>; // never destroyed: see lock_device

std::function<void()> hostWaitBody;

void restart_failures() {
    launchCountAtStart = launchCount;
    libraryCallCountAtStart = libraryCallCount;
    synchronizationCountAtStart = synchronizationCount;
    allocationAttempts = hostAllocationAttempts = 0;
}

std::string unlawful_pointer(const Launch &launch) {
    for (const auto &[place, address] : launch.pointers) {
        if (address == nullptr || device_memory::is_device_address(address) || host_memory::is_pinned(address))
            continue;
        return formatted("%s: argument %zu, %p, is neither device memory nor page-locked; copy to the device first",
                         kernel_symbol(launch.kernel).name.c_str(), place, address);
    }
    return {};
}

void run_launch(const Launch &launch, std::uint64_t number) {
    const std::string &name = kernel_symbol(launch.kernel).name;
    if (number - launchCountAtStart == current.failing_launch)
        return break_device(cudaErrorLaunchFailure,
                            formatted("%s: launch %llu failed, as the options ask", name.c_str(),
                                      static_cast<unsigned long long>(number - launchCountAtStart)));
    const std::string pointer = unlawful_pointer(launch);
    if (!pointer.empty()) return break_device(cudaErrorIllegalAddress, pointer);
    const std::string failure =
        run_grid(launch, emulation_order(current.lane_order), current.seed + number, current.worker_count);
    if (!failure.empty()) break_device(cudaErrorLaunchFailure, failure);
}

bool within(unsigned value, int most) { return value >= 1 && value <= unsigned(most); }

cudaError_t check_launch(const Launch &launch) {
    const KernelSymbol &symbol = kernel_symbol(launch.kernel);
    const char *name = symbol.name.c_str();
    const dim3 grid = launch.grid, block = launch.block;
    if (!within(block.x, mostLanesInBlockX) || !within(block.y, mostLanesInBlockY) ||
        !within(block.z, mostLanesInBlockZ) || block.x * block.y * block.z > unsigned(mostLanesInBlock))
        return report(cudaErrorInvalidConfiguration,
                      "%s: a block of %u x %u x %u lanes; each must be at least 1, and all at most %d", name, block.x,
                      block.y, block.z, mostLanesInBlock);
    if (!within(grid.x, mostBlocksX) || !within(grid.y, mostBlocksYZ) || !within(grid.z, mostBlocksYZ))
        return report(cudaErrorInvalidConfiguration,
                      "%s: a grid of %u x %u x %u blocks; each must be at least 1, and at most %d, %d, %d", name,
                      grid.x, grid.y, grid.z, mostBlocksX, mostBlocksYZ, mostBlocksYZ);
    if (symbol.sharedByteCount > sharedByteCountByDefault)
        return report(cudaErrorInvalidValue, "%s: %zu bytes of static shared memory; at most %zu, use dynamic_shared",
                      name, symbol.sharedByteCount, sharedByteCountByDefault);
    const auto granted = grantedSharedMemory.find(launch.kernel);
    const std::size_t most = granted == grantedSharedMemory.end()
                                 ? sharedByteCountByDefault - symbol.sharedByteCount
                                 : std::max(granted->second, sharedByteCountByDefault - symbol.sharedByteCount);
    if (launch.sharedByteCount > most || launch.sharedByteCount + symbol.sharedByteCount > sharedByteCountByRequest)
        return report(
            cudaErrorInvalidValue,
            "%s: %zu bytes of dynamic and %zu of static shared memory; at most %zu, and %zu by cudaFuncSetAttribute",
            name, launch.sharedByteCount, symbol.sharedByteCount, sharedByteCountByDefault, sharedByteCountByRequest);
    return cudaSuccess;
}

} // namespace

std::unique_lock<std::mutex> lock_device() {
    // Like all state of the device it is never destroyed: objects that free memory at exit may come after any order.
    static std::mutex *const mutex = new std::mutex;
    return std::unique_lock<std::mutex>(*mutex);
}

const emulation_options &options() { return current; }

void on_host_wait(void (*body)(void *context), void *context) {
    const auto lock = lock_device();
    hostWaitBody = body == nullptr ? std::function<void()>() : [=] { body(context); };
}

void announce_host_wait() {
    std::function<void()> body;
    {
        const auto lock = lock_device();
        body = hostWaitBody;
    }
    if (body) body();
}

std::string configure(const emulation_options &wanted) {
    if (wanted.struct_size != sizeof(emulation_options))
        return formatted("struct_size is %llu, not %zu: the caller was built with another version of its header",
                         static_cast<unsigned long long>(wanted.struct_size), sizeof(emulation_options));
    const auto is_order = [](std::int32_t value) {
        return value >= EMULATION_ORDER_ASCENDING && value <= EMULATION_ORDER_SEEDED;
    };
    if (!is_order(wanted.lane_order)) return formatted("lane_order %d is no order", wanted.lane_order);
    if (!is_order(wanted.stream_order)) return formatted("stream_order %d is no order", wanted.stream_order);
    if (wanted.worker_count < 0 || wanted.worker_count > 64)
        return formatted("worker_count %d is not in 0...64", wanted.worker_count);
    if (wanted.guard_byte_count > (std::uint64_t(1) << 20))
        return formatted("guard_byte_count %llu is more than 1 MiB",
                         static_cast<unsigned long long>(wanted.guard_byte_count));
    streams::run_all();
    current = wanted;
    device_memory::Limits limits;
    if (wanted.device_memory_byte_count != 0) limits.totalByteCount = wanted.device_memory_byte_count;
    if (wanted.guard_byte_count != 0) limits.guardByteCount = (wanted.guard_byte_count + 255) / 256 * 256;
    limits.isOpen = wanted.leaves_memory_open != 0;
    device_memory::set_limits(limits);
    streams::set_order(emulation_order(wanted.stream_order), wanted.seed);
    restart_failures();
    return {};
}

void reset_device() {
    streams::reset();
    device_memory::release_all();
    device_memory::forget_counts();
    host_memory::release_all();
    host_memory::forget_counts();
    forget_failures();
    grantedSharedMemory.clear();
    launchCount = libraryCallCount = synchronizationCount = 0;
    restart_failures();
    current.failing_allocation = current.failing_host_allocation = current.failing_launch = 0;
    current.failing_synchronization = current.failing_library_call = 0;
}

void count_synchronization() {
    ++synchronizationCount;
    const std::uint64_t number = synchronizationCount - synchronizationCountAtStart;
    if (number == current.failing_synchronization)
        break_device(cudaErrorLaunchFailure, formatted("synchronization %llu failed, as the options ask",
                                                       static_cast<unsigned long long>(number)));
}

bool allocation_shall_fail() { return ++allocationAttempts == current.failing_allocation; }
bool host_allocation_shall_fail() { return ++hostAllocationAttempts == current.failing_host_allocation; }

void read_counters(emulation_counters &counters) {
    counters.allocation_count = device_memory::allocation_count();
    counters.live_allocation_count = device_memory::live_count();
    counters.live_byte_count = device_memory::live_byte_count();
    counters.peak_byte_count = device_memory::peak_byte_count();
    counters.host_allocation_count = host_memory::allocation_count();
    counters.live_host_allocation_count = host_memory::live_count();
    counters.live_host_byte_count = host_memory::live_byte_count();
    counters.launch_count = launchCount;
    counters.library_call_count = libraryCallCount;
    counters.synchronization_count = synchronizationCount;
    counters.pending_operation_count = streams::pending_count();
}

void grant_shared_memory(const void *kernel, std::size_t byteCount) { grantedSharedMemory[kernel] = byteCount; }

void check_guards() {
    if (sticky_error() != cudaSuccess) return;
    const std::string violation = device_memory::guard_violation();
    if (!violation.empty()) break_device(cudaErrorIllegalAddress, violation);
}

cudaError_t enqueue_launch(Launch launch, cudaStream_t stream) {
    const auto lock = lock_device();
    if (sticky_error() != cudaSuccess) return remembered(sticky_error());
    const cudaError_t error = check_launch(launch);
    if (error != cudaSuccess) return remembered(error);
    if (!streams::exists(stream))
        return remembered(report(cudaErrorInvalidResourceHandle, "%s: launched on a stream that does not exist",
                                 kernel_symbol(launch.kernel).name.c_str()));
    const std::uint64_t number = ++launchCount;
    streams::enqueue(stream, [launch = std::move(launch), number] { run_launch(launch, number); });
    return cudaSuccess;
}

bool enqueue_library_call(cudaStream_t stream, std::function<void()> work) {
    if (sticky_error() != cudaSuccess || !streams::exists(stream)) return false;
    ++libraryCallCount;
    if (libraryCallCount - libraryCallCountAtStart == current.failing_library_call) return false;
    streams::enqueue(stream, std::move(work));
    return true;
}

bool require_device_range(const char *call, const char *operand, const void *address, std::size_t byteCount) {
    if (byteCount == 0) return true;
    std::string why;
    if (device_memory::contains(address, byteCount, &why)) return true;
    break_device(cudaErrorIllegalAddress, formatted("%s: %s: %s", call, operand, why.c_str()));
    return false;
}

} // namespace emulation
