// Failures on request: each comes back once it is due, and the fatal ones stay.
#include "check.h"

#include <cublas_v2.h>
#include <cusolverDn.h>

namespace {
__global__ void touch(float *values) { values[threadIdx.x] = 1; }
} // namespace

TEST(allocations_fail_on_request_and_work_again) {
    emulation_options options = plain_options();
    options.failing_allocation = 2;
    options.failing_host_allocation = 1;
    configure(options);
    void *first = nullptr, *second = nullptr, *pinned = nullptr;
    CHECK(cudaMalloc(&first, 16) == cudaSuccess);
    CHECK(cudaMallocAsync(&second, 16, nullptr) == cudaErrorMemoryAllocation && second == nullptr);
    CHECK(cudaMallocAsync(&second, 16, nullptr) == cudaSuccess);
    CHECK(cudaMallocHost(&pinned, 16) == cudaErrorMemoryAllocation && pinned == nullptr);
    CHECK(cudaMallocHost(&pinned, 16) == cudaSuccess);
    CHECK(cudaGetLastError() == cudaErrorMemoryAllocation);
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
    CHECK(cudaFree(first) == cudaSuccess && cudaFree(second) == cudaSuccess && cudaFreeHost(pinned) == cudaSuccess);
}

TEST(a_launch_fails_on_request_when_it_runs_and_breaks_the_device) {
    emulation_options options = plain_options();
    options.failing_launch = 3;
    configure(options);
    float *values = nullptr;
    CHECK(cudaMalloc(&values, 32 * sizeof(float)) == cudaSuccess);
    for (int round = 0; round < 4; ++round) CHECK(launch(touch, 1, 32, 0, nullptr, values) == cudaSuccess);
    CHECK(cudaGetLastError() == cudaSuccess);
    CHECK(cudaDeviceSynchronize() == cudaErrorLaunchFailure);
    CHECK(message_has("touch: launch 3 failed"));
    CHECK(launch(touch, 1, 32, 0, nullptr, values) == cudaErrorLaunchFailure);
    void *other = nullptr;
    CHECK(cudaMalloc(&other, 16) == cudaErrorLaunchFailure);
    CHECK(cudaGetLastError() == cudaErrorLaunchFailure && cudaGetLastError() == cudaErrorLaunchFailure);
    cublasHandle_t handle = nullptr;
    double one = 1;
    CHECK(cublasCreate(&handle) == CUBLAS_STATUS_SUCCESS);
    CHECK(cublasDscal(handle, 1, &one, reinterpret_cast<double *>(values), 1) == CUBLAS_STATUS_EXECUTION_FAILED);
    CHECK(cublasDestroy(handle) == CUBLAS_STATUS_SUCCESS);
    // The memory goes back all the same, so that leaks can be told.
    CHECK(cudaFree(values) == cudaErrorLaunchFailure);
    CHECK(counters().live_allocation_count == 0);
    emulation_device()->reset();
    CHECK(cudaDeviceSynchronize() == cudaSuccess && *emulation_device()->message() == 0);
}

TEST(a_synchronization_fails_on_request_and_breaks_the_device) {
    for (int kind = 0; kind < 3; ++kind) {
        emulation_device()->reset();
        emulation_options options = plain_options();
        options.failing_synchronization = 2;
        configure(options);
        cudaEvent_t event = nullptr;
        CHECK(cudaEventCreate(&event) == cudaSuccess);
        CHECK(cudaDeviceSynchronize() == cudaSuccess);
        const cudaError_t error = kind == 0   ? cudaDeviceSynchronize()
                                  : kind == 1 ? cudaStreamSynchronize(nullptr)
                                              : cudaEventSynchronize(event);
        CHECK(error == cudaErrorLaunchFailure);
        CHECK(message_has("synchronization 2 failed"));
        CHECK(cudaStreamSynchronize(nullptr) == cudaErrorLaunchFailure);
        CHECK(cudaEventDestroy(event) == cudaErrorLaunchFailure);
    }
}

TEST(a_library_call_fails_on_request) {
    emulation_options options = plain_options();
    options.failing_library_call = 2;
    configure(options);
    cublasHandle_t blas = nullptr;
    cusolverDnHandle_t solver = nullptr;
    CHECK(cublasCreate(&blas) == CUBLAS_STATUS_SUCCESS);
    CHECK(cusolverDnCreate(&solver) == CUSOLVER_STATUS_SUCCESS);
    DeviceArray<double> values(std::vector<double>{4.0});
    DeviceArray<double> work(64);
    DeviceArray<int> info(1);
    const double half = 0.5;
    CHECK(cublasDscal(blas, 1, &half, values, 1) == CUBLAS_STATUS_SUCCESS);
    CHECK(cusolverDnDpotrf(solver, CUBLAS_FILL_MODE_LOWER, 1, values, 1, work, 64, info) ==
          CUSOLVER_STATUS_EXECUTION_FAILED);
    CHECK(cublasDscal(blas, 1, &half, values, 1) == CUBLAS_STATUS_SUCCESS);
    CHECK(values.read()[0] == 1);
    CHECK(counters().library_call_count == 3);
    CHECK(cublasDestroy(blas) == CUBLAS_STATUS_SUCCESS && cusolverDnDestroy(solver) == CUSOLVER_STATUS_SUCCESS);
}
