// The functions of cuda_runtime_api.h: each checks, then enqueues or waits.
#include "include/cuda_runtime_api.h"

#include "device.h"
#include "device_memory.h"
#include "failure.h"
#include "host_memory.h"
#include "streams.h"

#include <cstdio>
#include <cstring>
#include <memory>
#include <set>
#include <vector>

using namespace emulation;

struct CUevent_st {
    bool hasTiming;
    std::shared_ptr<Mark> mark; // null before the event is recorded
};

namespace {

// Never destroyed: see lock_device.
auto &events = *new std::set<cudaEvent_t>;
auto &pendingFrees = *new std::set<void *>; // given to cudaFreeAsync, not free yet

// Runs a call under the device's lock; a broken device answers every call with its error.
template <typename Call> cudaError_t guarded(Call call) {
    const auto lock = lock_device();
    if (sticky_error() != cudaSuccess) return remembered(sticky_error());
    return remembered(call());
}

// As `guarded`, for a call in which the host waits for the device.
template <typename Call> cudaError_t guarded_wait(Call call) {
    announce_host_wait();
    return guarded(call);
}

cudaError_t unknown_stream(const char *call) {
    return report(cudaErrorInvalidResourceHandle, "%s: the stream does not exist, or was destroyed", call);
}

cudaError_t unknown_event(const char *call) {
    return report(cudaErrorInvalidResourceHandle, "%s: the event does not exist, or was destroyed", call);
}

cudaError_t outcome_of_wait() {
    check_guards();
    return sticky_error();
}

} // namespace

// Memory

namespace {

cudaError_t allocate(const char *call, void **address, std::size_t byteCount) {
    if (address == nullptr) return report(cudaErrorInvalidValue, "%s: no place for the address", call);
    *address = nullptr;
    if (byteCount == 0) return cudaSuccess;
    if (allocation_shall_fail())
        return report(cudaErrorMemoryAllocation, "%s of %zu bytes failed, as the options ask", call, byteCount);
    *address = device_memory::allocate(byteCount);
    if (*address == nullptr) {
        streams::run_all(); // memory that cudaFreeAsync gives back on the way
        if (sticky_error() != cudaSuccess) return sticky_error();
        *address = device_memory::allocate(byteCount);
    }
    if (*address != nullptr) return cudaSuccess;
    return report(cudaErrorMemoryAllocation, "%s: %zu bytes wanted, %zu of %zu in use", call, byteCount,
                  device_memory::live_byte_count(), device_memory::limits().totalByteCount);
}

} // namespace

cudaError_t cudaMalloc(void **address, std::size_t byteCount) {
    return guarded([&] { return allocate("cudaMalloc", address, byteCount); });
}

// The memory is there when the stream comes to it, and has no value until then.
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t *pool, int) {
    *pool = nullptr;
    return cudaSuccess;
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void *) { return cudaSuccess; }

cudaError_t cudaMallocAsync(void **address, std::size_t byteCount, cudaStream_t stream) {
    return guarded([&] {
        if (!streams::exists(stream)) return unknown_stream("cudaMallocAsync");
        const cudaError_t error = allocate("cudaMallocAsync", address, byteCount);
        if (error == cudaSuccess && *address != nullptr)
            streams::enqueue(stream, [made = *address] { device_memory::poison(made); });
        return error;
    });
}

cudaError_t cudaFree(void *address) {
    announce_host_wait();
    const auto lock = lock_device();
    streams::run_all(); // cudaFree waits for the device
    check_guards();
    // Memory goes back on a broken device too, so that what leaks can be told from what was given back.
    const bool isKnown = address == nullptr || device_memory::release(address);
    if (sticky_error() != cudaSuccess) return remembered(sticky_error());
    if (isKnown) return remembered(cudaSuccess);
    return remembered(report(cudaErrorInvalidValue, "cudaFree: %p is no allocation, or was freed", address));
}

cudaError_t cudaFreeAsync(void *address, cudaStream_t stream) {
    const auto lock = lock_device();
    if (sticky_error() != cudaSuccess) {
        device_memory::release(address);
        pendingFrees.erase(address);
        return remembered(sticky_error());
    }
    if (address == nullptr) return cudaSuccess;
    if (!streams::exists(stream)) return remembered(unknown_stream("cudaFreeAsync"));
    if (!device_memory::is_allocation(address) || !pendingFrees.insert(address).second)
        return remembered(report(cudaErrorInvalidValue, "cudaFreeAsync: %p is no allocation, or was freed", address));
    // Held by whoever holds the work: work that is thrown away gives the memory back too.
    const std::shared_ptr<void> release(address, [](void *freed) {
        if (pendingFrees.erase(freed) != 0) device_memory::release(freed);
    });
    streams::enqueue(stream, [release] { check_guards(); });
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void **address, std::size_t byteCount, unsigned) {
    return guarded([&] {
        if (address == nullptr) return report(cudaErrorInvalidValue, "cudaMallocHost: no place for the address");
        *address = nullptr;
        if (byteCount == 0) return cudaSuccess;
        if (host_allocation_shall_fail())
            return report(cudaErrorMemoryAllocation, "cudaMallocHost of %zu bytes failed, as the options ask",
                          byteCount);
        *address = host_memory::allocate(byteCount);
        if (*address != nullptr) return cudaSuccess;
        return report(cudaErrorMemoryAllocation, "cudaMallocHost: the system has no %zu bytes", byteCount);
    });
}

cudaError_t cudaHostAlloc(void **address, std::size_t byteCount, unsigned flags) {
    return cudaMallocHost(address, byteCount, flags);
}

cudaError_t cudaFreeHost(void *address) {
    announce_host_wait();
    const auto lock = lock_device();
    streams::run_all();
    const bool isKnown = address == nullptr || host_memory::release(address);
    if (sticky_error() != cudaSuccess) return remembered(sticky_error());
    if (isKnown) return remembered(cudaSuccess);
    return remembered(report(cudaErrorInvalidValue, "cudaFreeHost: %p is no allocation, or was freed", address));
}

cudaError_t cudaMemGetInfo(std::size_t *freeByteCount, std::size_t *totalByteCount) {
    return guarded([&] {
        *totalByteCount = device_memory::limits().totalByteCount;
        const std::size_t used = device_memory::live_byte_count();
        *freeByteCount = *totalByteCount > used ? *totalByteCount - used : 0;
        return cudaSuccess;
    });
}

// Copies

namespace {

struct Copy {
    const char *call;
    char *target;
    std::size_t targetPitch;
    const char *source;
    std::size_t sourcePitch;
    std::size_t width, height;
    cudaMemcpyKind kind;

    std::size_t target_extent() const { return (height - 1) * targetPitch + width; }
    std::size_t source_extent() const { return (height - 1) * sourcePitch + width; }
    void run() const {
        for (std::size_t row = 0; row < height; ++row)
            std::memmove(target + row * targetPitch, source + row * sourcePitch, width);
    }
};

// Whether the address is where the kind of the copy says.
cudaError_t check_place(const Copy &copy, const char *side, const void *address, std::size_t byteCount, bool onDevice) {
    if (address == nullptr) return report(cudaErrorInvalidValue, "%s: the %s is null", copy.call, side);
    const bool isOnDevice = device_memory::is_device_address(address);
    if (isOnDevice != onDevice)
        return report(cudaErrorInvalidValue, "%s: the %s %p is %s memory, and the kind of the copy says otherwise",
                      copy.call, side, address, isOnDevice ? "device" : "host");
    std::string why;
    if (onDevice && !device_memory::contains(address, byteCount, &why))
        return report(cudaErrorInvalidValue, "%s: the %s: %s", copy.call, side, why.c_str());
    return cudaSuccess;
}

cudaError_t enqueue_copy(Copy copy, cudaStream_t stream, bool waits) {
    if (!streams::exists(stream)) return unknown_stream(copy.call);
    if (copy.kind < cudaMemcpyHostToHost || copy.kind > cudaMemcpyDefault)
        return report(cudaErrorInvalidMemcpyDirection, "%s: kind %d is none", copy.call, int(copy.kind));
    if (copy.width == 0 || copy.height == 0) return cudaSuccess;
    if (copy.height > 1 && (copy.width > copy.targetPitch || copy.width > copy.sourcePitch))
        return report(cudaErrorInvalidPitchValue, "%s: rows of %zu bytes at pitches %zu and %zu", copy.call, copy.width,
                      copy.targetPitch, copy.sourcePitch);
    const bool infers = copy.kind == cudaMemcpyDefault;
    const bool toDevice = infers ? device_memory::is_device_address(copy.target)
                                 : copy.kind == cudaMemcpyHostToDevice || copy.kind == cudaMemcpyDeviceToDevice;
    const bool fromDevice = infers ? device_memory::is_device_address(copy.source)
                                   : copy.kind == cudaMemcpyDeviceToHost || copy.kind == cudaMemcpyDeviceToDevice;
    cudaError_t error = check_place(copy, "target", copy.target, copy.target_extent(), toDevice);
    if (error == cudaSuccess) error = check_place(copy, "source", copy.source, copy.source_extent(), fromDevice);
    if (error != cudaSuccess) return error;

    // Pageable memory is staged: read before the call returns, and written before it returns.
    const bool isStaged = !fromDevice && !host_memory::is_pinned(copy.source);
    std::shared_ptr<std::vector<char>> staging;
    if (isStaged) {
        staging = std::make_shared<std::vector<char>>(copy.source, copy.source + copy.source_extent());
        copy.source = staging->data();
    }
    const auto mark = streams::enqueue(stream, [copy, staging] { copy.run(); });
    const bool isUnstagedResult = !toDevice && !host_memory::is_pinned(copy.target);
    if (isUnstagedResult || (waits && (!toDevice || !fromDevice))) {
        streams::run_until([&] { return mark->isDone; });
        return outcome_of_wait();
    }
    return cudaSuccess;
}

// Whether a copy to there is waited for, asynchronous or not.
bool is_pageable(const void *target) {
    const auto lock = lock_device();
    return !device_memory::is_device_address(target) && !host_memory::is_pinned(target);
}

cudaError_t enqueue_set(const char *call, void *target, int value, std::size_t byteCount, cudaStream_t stream) {
    if (!streams::exists(stream)) return unknown_stream(call);
    std::string why;
    if (byteCount != 0 && !device_memory::contains(target, byteCount, &why))
        return report(cudaErrorInvalidValue, "%s: %s", call, why.c_str());
    streams::enqueue(stream, [=] { std::memset(target, value, byteCount); });
    return cudaSuccess;
}

} // namespace

cudaError_t cudaMemcpy(void *target, const void *source, std::size_t byteCount, cudaMemcpyKind kind) {
    return guarded_wait([&] {
        return enqueue_copy({"cudaMemcpy", static_cast<char *>(target), byteCount, static_cast<const char *>(source),
                             byteCount, byteCount, 1, kind},
                            nullptr, true);
    });
}

cudaError_t cudaMemcpyAsync(void *target, const void *source, std::size_t byteCount, cudaMemcpyKind kind,
                            cudaStream_t stream) {
    if (is_pageable(target)) announce_host_wait();
    return guarded([&] {
        return enqueue_copy({"cudaMemcpyAsync", static_cast<char *>(target), byteCount,
                             static_cast<const char *>(source), byteCount, byteCount, 1, kind},
                            stream, false);
    });
}

cudaError_t cudaMemcpy2D(void *target, std::size_t targetPitch, const void *source, std::size_t sourcePitch,
                         std::size_t width, std::size_t height, cudaMemcpyKind kind) {
    return guarded_wait([&] {
        return enqueue_copy({"cudaMemcpy2D", static_cast<char *>(target), targetPitch,
                             static_cast<const char *>(source), sourcePitch, width, height, kind},
                            nullptr, true);
    });
}

cudaError_t cudaMemcpy2DAsync(void *target, std::size_t targetPitch, const void *source, std::size_t sourcePitch,
                              std::size_t width, std::size_t height, cudaMemcpyKind kind, cudaStream_t stream) {
    if (is_pageable(target)) announce_host_wait();
    return guarded([&] {
        return enqueue_copy({"cudaMemcpy2DAsync", static_cast<char *>(target), targetPitch,
                             static_cast<const char *>(source), sourcePitch, width, height, kind},
                            stream, false);
    });
}

cudaError_t cudaMemset(void *target, int value, std::size_t byteCount) {
    return guarded([&] { return enqueue_set("cudaMemset", target, value, byteCount, nullptr); });
}

cudaError_t cudaMemsetAsync(void *target, int value, std::size_t byteCount, cudaStream_t stream) {
    return guarded([&] { return enqueue_set("cudaMemsetAsync", target, value, byteCount, stream); });
}

// Streams

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags) {
    return guarded([&] {
        if (stream == nullptr || (flags != cudaStreamDefault && flags != cudaStreamNonBlocking))
            return report(cudaErrorInvalidValue, "cudaStreamCreateWithFlags: flags %u, or no place for the stream",
                          flags);
        *stream = streams::create(flags == cudaStreamDefault);
        return cudaSuccess;
    });
}

cudaError_t cudaStreamCreate(cudaStream_t *stream) { return cudaStreamCreateWithFlags(stream, cudaStreamDefault); }

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *stream, unsigned flags, int) {
    return cudaStreamCreateWithFlags(stream, flags);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    const auto lock = lock_device();
    const bool isKnown = streams::destroy(stream); // on a broken device too
    return remembered(isKnown ? cudaSuccess : unknown_stream("cudaStreamDestroy"));
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    return guarded_wait([&] {
        if (!streams::exists(stream)) return unknown_stream("cudaStreamSynchronize");
        count_synchronization();
        streams::run_until([&] { return streams::is_empty(stream); });
        return outcome_of_wait();
    });
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
    return guarded([&] {
        if (!streams::exists(stream)) return unknown_stream("cudaStreamQuery");
        streams::run_one();
        return streams::is_empty(stream) ? cudaSuccess : cudaErrorNotReady;
    });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
    return guarded([&] {
        if (!streams::exists(stream)) return unknown_stream("cudaStreamWaitEvent");
        if (events.count(event) == 0) return unknown_event("cudaStreamWaitEvent");
        // What is recorded later is not waited for.
        if (event->mark != nullptr) streams::enqueue_wait(stream, event->mark);
        return cudaSuccess;
    });
}

cudaError_t cudaDeviceSynchronize() {
    return guarded_wait([] {
        count_synchronization();
        streams::run_all();
        return outcome_of_wait();
    });
}

// Events

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags) {
    return guarded([&] {
        if (event == nullptr) return report(cudaErrorInvalidValue, "cudaEventCreate: no place for the event");
        *event = new CUevent_st{(flags & cudaEventDisableTiming) == 0, nullptr};
        events.insert(*event);
        return cudaSuccess;
    });
}

cudaError_t cudaEventCreate(cudaEvent_t *event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    return guarded([&] {
        if (!streams::exists(stream)) return unknown_stream("cudaEventRecord");
        if (events.count(event) == 0) return unknown_event("cudaEventRecord");
        event->mark = streams::enqueue(stream, nullptr);
        return cudaSuccess;
    });
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
    return guarded([&] {
        if (events.count(event) == 0) return unknown_event("cudaEventQuery");
        streams::run_one();
        return event->mark == nullptr || event->mark->isDone ? cudaSuccess : cudaErrorNotReady;
    });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    return guarded_wait([&] {
        if (events.count(event) == 0) return unknown_event("cudaEventSynchronize");
        count_synchronization();
        if (event->mark != nullptr) streams::run_until([&] { return event->mark->isDone; });
        return outcome_of_wait();
    });
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t end) {
    return guarded([&] {
        if (events.count(start) == 0 || events.count(end) == 0) return unknown_event("cudaEventElapsedTime");
        if (!start->hasTiming || !end->hasTiming || start->mark == nullptr || end->mark == nullptr)
            return report(cudaErrorInvalidResourceHandle,
                          "cudaEventElapsedTime: an event was never recorded, or made without timing");
        streams::run_one();
        if (!start->mark->isDone || !end->mark->isDone) return cudaErrorNotReady;
        *milliseconds = std::chrono::duration<float, std::milli>(end->mark->time - start->mark->time).count();
        return cudaSuccess;
    });
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    const auto lock = lock_device();
    if (events.erase(event) == 0) return remembered(unknown_event("cudaEventDestroy"));
    delete event;
    return remembered(cudaSuccess);
}

// The device

namespace {

cudaError_t check_device(const char *call, int device) {
    if (device == 0) return cudaSuccess;
    return report(cudaErrorInvalidDevice, "%s: device %d; the emulation has one, number 0", call, device);
}

constexpr int version = 13000;

} // namespace

cudaError_t cudaGetDeviceCount(int *count) {
    return guarded([&] {
        *count = 1;
        return cudaSuccess;
    });
}

cudaError_t cudaSetDevice(int device) {
    return guarded([&] { return check_device("cudaSetDevice", device); });
}

cudaError_t cudaGetDevice(int *device) {
    return guarded([&] {
        *device = 0;
        return cudaSuccess;
    });
}

// An A100's limits where kernels may rely on them; 227 KiB of shared memory as from compute capability 9.0.
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device) {
    return guarded([&] {
        const cudaError_t error = check_device("cudaGetDeviceProperties", device);
        if (error != cudaSuccess) return error;
        *properties = {};
        std::snprintf(properties->name, sizeof properties->name, "Emulated device");
        properties->totalGlobalMem = device_memory::limits().totalByteCount;
        properties->sharedMemPerBlock = sharedByteCountByDefault;
        properties->regsPerBlock = 65536;
        properties->warpSize = 32;
        properties->maxThreadsPerBlock = mostLanesInBlock;
        properties->maxThreadsDim[0] = mostLanesInBlockX;
        properties->maxThreadsDim[1] = mostLanesInBlockY;
        properties->maxThreadsDim[2] = mostLanesInBlockZ;
        properties->maxGridSize[0] = mostBlocksX;
        properties->maxGridSize[1] = properties->maxGridSize[2] = mostBlocksYZ;
        properties->major = 9;
        properties->multiProcessorCount = 4;
        properties->concurrentKernels = 1;
        properties->unifiedAddressing = 1;
        properties->l2CacheSize = 1 << 20;
        properties->maxThreadsPerMultiProcessor = 2048;
        properties->sharedMemPerMultiprocessor = sharedByteCountByRequest + 1024;
        properties->sharedMemPerBlockOptin = sharedByteCountByRequest;
        properties->memoryPoolsSupported = 1;
        return cudaSuccess;
    });
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device) {
    cudaDeviceProp properties;
    const cudaError_t error = cudaGetDeviceProperties(&properties, device);
    if (error != cudaSuccess) return error;
    switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
        *value = properties.maxThreadsPerBlock;
        return cudaSuccess;
    case cudaDevAttrMaxBlockDimX:
    case cudaDevAttrMaxBlockDimY:
    case cudaDevAttrMaxBlockDimZ:
        *value = properties.maxThreadsDim[attribute - cudaDevAttrMaxBlockDimX];
        return cudaSuccess;
    case cudaDevAttrMaxGridDimX:
    case cudaDevAttrMaxGridDimY:
    case cudaDevAttrMaxGridDimZ:
        *value = properties.maxGridSize[attribute - cudaDevAttrMaxGridDimX];
        return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlock:
        *value = int(properties.sharedMemPerBlock);
        return cudaSuccess;
    case cudaDevAttrWarpSize:
        *value = properties.warpSize;
        return cudaSuccess;
    case cudaDevAttrMultiProcessorCount:
        *value = properties.multiProcessorCount;
        return cudaSuccess;
    case cudaDevAttrConcurrentKernels:
        *value = properties.concurrentKernels;
        return cudaSuccess;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
        *value = properties.maxThreadsPerMultiProcessor;
        return cudaSuccess;
    case cudaDevAttrUnifiedAddressing:
        *value = properties.unifiedAddressing;
        return cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor:
        *value = properties.major;
        return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
        *value = properties.minor;
        return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
        *value = int(properties.sharedMemPerMultiprocessor);
        return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        *value = int(properties.sharedMemPerBlockOptin);
        return cudaSuccess;
    case cudaDevAttrMemoryPoolsSupported:
        *value = properties.memoryPoolsSupported;
        return cudaSuccess;
    }
    return guarded([&] {
        return report(cudaErrorInvalidValue, "cudaDeviceGetAttribute: attribute %d is not emulated", int(attribute));
    });
}

cudaError_t cudaDriverGetVersion(int *value) {
    return guarded([&] {
        *value = version;
        return cudaSuccess;
    });
}

cudaError_t cudaRuntimeGetVersion(int *value) { return cudaDriverGetVersion(value); }

cudaError_t cudaFuncSetAttribute(const void *kernel, cudaFuncAttribute attribute, int value) {
    return guarded([&] {
        if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaSuccess;
        if (value < 0 || std::size_t(value) > sharedByteCountByRequest)
            return report(cudaErrorInvalidValue, "cudaFuncSetAttribute: %d bytes of dynamic shared memory; at most %zu",
                          value, sharedByteCountByRequest);
        grant_shared_memory(kernel, std::size_t(value));
        return cudaSuccess;
    });
}
