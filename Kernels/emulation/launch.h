// How launch() hands a kernel to the emulated device.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <tuple>
#include <type_traits>
#include <vector>

namespace emulation {

struct Launch {
    const void *kernel;
    dim3 grid;
    dim3 block;
    std::size_t sharedByteCount;
    // Runs the kernel's body once, for the current lane.
    std::function<void()> body;
    // Every argument that is a pointer, with its place among the arguments, counted from 0.
    std::vector<std::pair<std::size_t, const void *>> pointers;
};

cudaError_t enqueue_launch(Launch launch, cudaStream_t stream);

template <typename... Parameters, typename Tuple>
cudaError_t enqueue_kernel(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t sharedByteCount,
                           cudaStream_t stream, const Tuple &parameters) {
    Launch launch{reinterpret_cast<const void *>(kernel), grid, block, sharedByteCount, {}, {}};
    std::apply(
        [&launch](const auto &...parameter) {
            std::size_t place = 0;
            const auto note = [&](const auto &value) {
                using Value = std::decay_t<decltype(value)>;
                if constexpr (std::is_pointer_v<Value> && !std::is_function_v<std::remove_pointer_t<Value>>)
                    launch.pointers.emplace_back(place, static_cast<const void *>(value));
                ++place;
            };
            (note(parameter), ...);
            (void)note;
        },
        parameters);
    launch.body = [kernel, parameters] { std::apply(kernel, parameters); };
    return enqueue_launch(std::move(launch), stream);
}

} // namespace emulation
