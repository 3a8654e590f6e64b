// The one way to launch a kernel, on a GPU and in the emulation.
//
//     launch(scale, dim3(blockCount), dim3(256), 0, stream, values, factor, count)
//
// Under nvcc this is cudaLaunchKernelExC; where STRAIGHTEDGE_EMULATION is defined it enqueues the kernel on the
// emulated device. A bare <<<>>> never occurs, since g++ could not read it.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#if defined(STRAIGHTEDGE_EMULATION)
#include "emulation/launch.h"
#endif

// Enqueues `kernel` with `grid` blocks of `block` lanes and `sharedByteCount` bytes of dynamic shared memory. The
// arguments are converted to the kernel's parameter types and copied; what goes wrong while the kernel runs comes back
// from a later call, as CUDA documents.
template <typename... Parameters, typename... Arguments>
cudaError_t launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t sharedByteCount,
                   cudaStream_t stream, Arguments &&...arguments) {
    static_assert(sizeof...(Parameters) == sizeof...(Arguments), "as many arguments as the kernel has parameters");
    std::tuple<std::decay_t<Parameters>...> parameters(std::forward<Arguments>(arguments)...);

    // CUDA grants more dynamic shared memory than this only to kernels that ask for it.
    constexpr std::size_t sharedByteCountByDefault = 48 * 1024;
    if (sharedByteCount > sharedByteCountByDefault) {
        const cudaError_t error =
            cudaFuncSetAttribute(reinterpret_cast<const void *>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 static_cast<int>(sharedByteCount));
        if (error != cudaSuccess) return error;
    }

#if defined(STRAIGHTEDGE_EMULATION)
    return emulation::enqueue_kernel(kernel, grid, block, sharedByteCount, stream, parameters);
#else
    cudaLaunchConfig_t configuration{};
    configuration.gridDim = grid;
    configuration.blockDim = block;
    configuration.dynamicSmemBytes = sharedByteCount;
    configuration.stream = stream;
    return std::apply(
        [&](auto &...parameter) {
            void *addresses[] = {static_cast<void *>(&parameter)..., nullptr};
            return cudaLaunchKernelExC(&configuration, reinterpret_cast<const void *>(kernel), addresses);
        },
        parameters);
#endif
}

// The block's dynamic shared memory, `sharedByteCount` bytes of the launch, aligned to 16 bytes.
template <typename T> __device__ __forceinline__ T *dynamic_shared() {
    static_assert(alignof(T) <= 16, "dynamic shared memory is aligned to 16 bytes");
#if defined(STRAIGHTEDGE_EMULATION)
    return static_cast<T *>(emulation::dynamic_shared_memory());
#else
    extern __shared__ __align__(16) unsigned char dynamic_shared_bytes[];
    return reinterpret_cast<T *>(dynamic_shared_bytes);
#endif
}
