// CUDA's limits of a launch.
#include "check.h"

namespace {

__global__ void touch(float *) {}

__global__ void touch_dynamic(float *values) {
    unsigned char *bytes = dynamic_shared<unsigned char>();
    bytes[threadIdx.x] = 1;
    values[threadIdx.x] = 1;
}

#if defined(STRAIGHTEDGE_EMULATION)
// More than ptxas would take.
__global__ void hold_too_much(float *values) {
    __shared__ float tile[49 * 256];
    tile[threadIdx.x] = 1;
    __syncthreads();
    values[threadIdx.x] = tile[threadIdx.x ^ 1];
}
extern "C" __global__ void hold_too_much_in_c(float *values) {
    __shared__ float tile[49 * 256];
    tile[threadIdx.x] = 1;
    __syncthreads();
    values[threadIdx.x] = tile[threadIdx.x ^ 1];
}
#endif

} // namespace

TEST(launches_outside_the_limits_are_refused) {
    DeviceArray<float> values(1024);
    const dim3 wrongBlocks[] = {0, 1025, dim3(1, 1025), dim3(1, 1, 65), dim3(32, 33)};
    for (const dim3 block : wrongBlocks)
        CHECK(launch(touch, 1, block, 0, nullptr, values) == cudaErrorInvalidConfiguration);
    const dim3 wrongGrids[] = {0, dim3(1, 65536), dim3(1, 1, 65536), 0x80000000u};
    for (const dim3 grid : wrongGrids)
        CHECK(launch(touch, grid, 32, 0, nullptr, values) == cudaErrorInvalidConfiguration);
    // Not sticky, and told once.
    CHECK(cudaGetLastError() == cudaErrorInvalidConfiguration);
    CHECK(cudaGetLastError() == cudaSuccess);
    CHECK(launch(touch, 1, 1024, 0, nullptr, values) == cudaSuccess);
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
}

TEST(shared_memory_is_granted_up_to_227_KiB) {
    DeviceArray<float> values(32);
    CHECK(launch(touch_dynamic, 1, 32, 48 * 1024, nullptr, values) == cudaSuccess);
    CHECK(launch(touch_dynamic, 1, 32, 227 * 1024, nullptr, values) == cudaSuccess);
    CHECK(launch(touch_dynamic, 1, 32, 227 * 1024 + 1, nullptr, values) == cudaErrorInvalidValue);
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
#if defined(STRAIGHTEDGE_EMULATION)
    CHECK(launch(hold_too_much, 1, 32, 0, nullptr, values) == cudaErrorInvalidValue);
    CHECK(message_has("hold_too_much: 50176 bytes of static shared memory"));
    CHECK(launch(hold_too_much_in_c, 1, 32, 0, nullptr, values) == cudaErrorInvalidValue);
    // Without launch()'s request, which a plain launch would lack.
    emulation::Launch plain{reinterpret_cast<const void *>(touch), 1, 32, 48 * 1024 + 1, [] {}, {}};
    CHECK(emulation::enqueue_launch(plain, nullptr) == cudaErrorInvalidValue);
#endif
}

TEST(options_without_meaning_are_refused) {
    emulation_options options = plain_options();
    options.lane_order = 3;
    CHECK(emulation_device()->configure(&options) == 1);
    CHECK(message_has("lane_order 3"));
    options = plain_options();
    options.struct_size = 8;
    CHECK(emulation_device()->configure(&options) == 1);
    CHECK(emulation_get_api(EMULATION_ABI_VERSION + 1) == nullptr);
}
