// Streams and events: what they order, what they leave open, and when work runs.
#include "check.h"

namespace {

__global__ void set(float *values, float value) { values[threadIdx.x] = value; }
__global__ void add(float *values, const float *others) { values[threadIdx.x] += others[threadIdx.x]; }

// One stream makes what another one uses. Right where the event is waited for.
std::vector<float> hand_over(bool waits) {
    cudaStream_t maker = nullptr, user = nullptr;
    cudaEvent_t made = nullptr;
    CHECK(cudaStreamCreateWithFlags(&maker, cudaStreamNonBlocking) == cudaSuccess);
    CHECK(cudaStreamCreateWithFlags(&user, cudaStreamNonBlocking) == cudaSuccess);
    CHECK(cudaEventCreateWithFlags(&made, cudaEventDisableTiming) == cudaSuccess);
    DeviceArray<float> values(std::vector<float>(32, 1.0f)), sums(std::vector<float>(32, 1.0f));
    CHECK(launch(set, 1, 32, 0, maker, values, 2.0f) == cudaSuccess);
    CHECK(cudaEventRecord(made, maker) == cudaSuccess);
    if (waits) CHECK(cudaStreamWaitEvent(user, made) == cudaSuccess);
    CHECK(launch(add, 1, 32, 0, user, sums, values) == cudaSuccess);
    CHECK(cudaStreamSynchronize(user) == cudaSuccess);
    const std::vector<float> result = sums.read();
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
    CHECK(cudaStreamDestroy(maker) == cudaSuccess && cudaStreamDestroy(user) == cudaSuccess);
    CHECK(cudaEventDestroy(made) == cudaSuccess);
    return result;
}

std::vector<std::vector<float>> under_every_stream_order(bool waits) {
    std::vector<std::vector<float>> results;
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
        emulation_options options = plain_options();
        options.stream_order = EMULATION_ORDER_SEEDED;
        options.seed = seed;
        configure(options);
        results.push_back(hand_over(waits));
    }
    for (const emulation_order order : {EMULATION_ORDER_ASCENDING, EMULATION_ORDER_DESCENDING}) {
        emulation_options options = plain_options();
        options.stream_order = order;
        configure(options);
        results.push_back(hand_over(waits));
    }
    return results;
}

} // namespace

TEST(a_missing_wait_shows_in_the_order_of_streams) {
    const auto right = under_every_stream_order(true), wrong = under_every_stream_order(false);
    CHECK(all_equal(right));
    for (const float value : right[0]) CHECK(value == 3);
    CHECK(!all_equal(wrong));
    // Seeds alone find it too.
    CHECK(!all_equal(std::vector<std::vector<float>>(wrong.begin(), wrong.begin() + 8)));
}

TEST(work_runs_when_the_host_waits) {
    float *pinned = nullptr;
    cudaStream_t stream = nullptr;
    CHECK(cudaMallocHost(&pinned, 32 * sizeof(float)) == cudaSuccess);
    CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
    DeviceArray<float> values(32);
    pinned[0] = 0;
    CHECK(launch(set, 1, 32, 0, stream, values, 5.0f) == cudaSuccess);
    CHECK(cudaMemcpyAsync(pinned, values, 32 * sizeof(float), cudaMemcpyDeviceToHost, stream) == cudaSuccess);
    CHECK(pinned[0] == 0);
    CHECK(counters().pending_operation_count == 2);
    int polls = 0;
    while (cudaStreamQuery(stream) == cudaErrorNotReady) ++polls;
    CHECK(polls > 0 && pinned[0] == 5);
    CHECK(cudaPeekAtLastError() == cudaSuccess);
    CHECK(cudaStreamDestroy(stream) == cudaSuccess && cudaFreeHost(pinned) == cudaSuccess);
}

TEST(a_destroyed_stream_still_does_its_work) {
    cudaStream_t stream = nullptr;
    CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
    DeviceArray<float> values(std::vector<float>(32, 0.0f));
    CHECK(launch(set, 1, 32, 0, stream, values, 5.0f) == cudaSuccess);
    CHECK(cudaStreamDestroy(stream) == cudaSuccess);
    CHECK(cudaStreamDestroy(stream) == cudaErrorInvalidResourceHandle);
    CHECK(launch(set, 1, 32, 0, stream, values, 6.0f) == cudaErrorInvalidResourceHandle);
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
    CHECK(values.read()[31] == 5);
}

TEST(the_default_stream_waits_for_blocking_streams) {
    emulation_options options = plain_options();
    options.stream_order = EMULATION_ORDER_DESCENDING; // would run the newest stream first
    configure(options);
    cudaStream_t stream = nullptr;
    CHECK(cudaStreamCreate(&stream) == cudaSuccess);
    DeviceArray<float> values(32), sums(32);
    CHECK(launch(set, 1, 32, 0, nullptr, values, 1.0f) == cudaSuccess);
    CHECK(launch(set, 1, 32, 0, nullptr, sums, 10.0f) == cudaSuccess);
    CHECK(launch(add, 1, 32, 0, stream, sums, values) == cudaSuccess);
    CHECK(launch(add, 1, 32, 0, nullptr, sums, sums) == cudaSuccess);
    CHECK(cudaStreamSynchronize(stream) == cudaSuccess);
    CHECK(sums.read()[0] == 22);
    CHECK(cudaStreamDestroy(stream) == cudaSuccess);
}

TEST(events_tell_what_is_done_and_how_long_it_took) {
    cudaEvent_t start = nullptr, end = nullptr;
    CHECK(cudaEventCreate(&start) == cudaSuccess && cudaEventCreate(&end) == cudaSuccess);
    float milliseconds = -1;
    CHECK(cudaEventElapsedTime(&milliseconds, start, end) == cudaErrorInvalidResourceHandle);
    CHECK(cudaEventSynchronize(start) == cudaSuccess); // never recorded
    DeviceArray<float> values(32);
    CHECK(cudaEventRecord(start) == cudaSuccess);
    CHECK(launch(set, 1, 32, 0, nullptr, values, 1.0f) == cudaSuccess);
    CHECK(cudaEventRecord(end) == cudaSuccess);
    CHECK(cudaEventElapsedTime(&milliseconds, start, end) == cudaErrorNotReady);
    CHECK(cudaEventSynchronize(end) == cudaSuccess);
    CHECK(cudaEventQuery(end) == cudaSuccess);
    CHECK(cudaEventElapsedTime(&milliseconds, start, end) == cudaSuccess);
    CHECK(milliseconds > 0);
    CHECK(cudaEventDestroy(start) == cudaSuccess && cudaEventDestroy(end) == cudaSuccess);
    CHECK(cudaEventDestroy(end) == cudaErrorInvalidResourceHandle);
}

TEST(memory_of_a_stream_has_no_value_for_another_before_its_time) {
    emulation_options options = plain_options();
    options.stream_order = EMULATION_ORDER_DESCENDING;
    configure(options);
    cudaStream_t maker = nullptr, user = nullptr;
    CHECK(cudaStreamCreateWithFlags(&maker, cudaStreamNonBlocking) == cudaSuccess);
    CHECK(cudaStreamCreateWithFlags(&user, cudaStreamNonBlocking) == cudaSuccess);
    float *values = nullptr;
    CHECK(cudaMallocAsync(&values, 32 * sizeof(float), maker) == cudaSuccess);
    CHECK(launch(set, 1, 32, 0, user, values, 1.0f) == cudaSuccess); // wrong: no wait for the allocation
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
    float seen = 0;
    CHECK(cudaMemcpy(&seen, values, sizeof seen, cudaMemcpyDeviceToHost) == cudaSuccess);
    CHECK(seen != seen);
    CHECK(cudaFreeAsync(values, maker) == cudaSuccess);
    CHECK(cudaStreamDestroy(maker) == cudaSuccess && cudaStreamDestroy(user) == cudaSuccess);
}
