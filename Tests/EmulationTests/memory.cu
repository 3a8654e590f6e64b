// Device memory: bounds, fresh and freed memory, copies, the host's reach, and how much there is.
#include "check.h"

#include <csignal>
#include <cstdlib>
#include <sys/wait.h>
#include <unistd.h>

namespace {

__global__ void fill(float *values, int first, int count) {
    const int place = first + static_cast<int>(threadIdx.x);
    if (place < count) values[place] = 1;
}

__global__ void copy(const float *source, float *target) { target[threadIdx.x] = source[threadIdx.x]; }

} // namespace

TEST(writes_out_of_bounds_are_found_at_the_next_wait) {
    for (const int offset : {-1, 100}) {
        emulation_device()->reset();
        DeviceArray<float> before(50), values(100), behind(50);
        CHECK(launch(fill, 1, 1, 0, nullptr, values, offset, 1000) == cudaSuccess);
        CHECK(cudaDeviceSynchronize() == cudaErrorIllegalAddress);
        CHECK(message_has("allocation 2 of 400 bytes"));
        CHECK(message_has(offset < 0 ? "offset -4:" : "offset 400:"));
        CHECK(cudaDeviceSynchronize() == cudaErrorIllegalAddress);
    }
}

TEST(fresh_and_freed_memory_is_not_a_number) {
    float *values = nullptr;
    CHECK(cudaMalloc(&values, 32 * sizeof(float)) == cudaSuccess);
    DeviceArray<float> seen(32);
    CHECK(launch(copy, 1, 32, 0, nullptr, values, seen) == cudaSuccess);
    for (const float value : seen.read()) CHECK(value != value);
    CHECK(launch(fill, 1, 32, 0, nullptr, values, 0, 32) == cudaSuccess);
    CHECK(cudaFree(values) == cudaSuccess);
    CHECK(launch(copy, 1, 32, 0, nullptr, values, seen) == cudaSuccess);
    for (const float value : seen.read()) CHECK(value != value);
    CHECK(cudaFree(values) == cudaErrorInvalidValue);
}

namespace {

// What a child process leaves that runs `body`: its standard error and the signal that ended it.
struct Ending {
    std::string text;
    int signal = 0;
};

Ending ending_of(const std::function<void()> &body) {
    int channel[2];
    CHECK(pipe(channel) == 0);
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child == 0) {
        dup2(channel[1], STDERR_FILENO);
        body();
        _exit(0);
    }
    close(channel[1]);
    Ending ending;
    char piece[256];
    for (ssize_t length; (length = read(channel[0], piece, sizeof piece)) > 0;)
        ending.text.append(piece, static_cast<std::size_t>(length));
    close(channel[0]);
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    if (WIFSIGNALED(status)) ending.signal = WTERMSIG(status);
    return ending;
}

} // namespace

TEST(the_host_cannot_touch_device_memory) {
    DeviceArray<float> values(std::vector<float>(32, 1.0f));
    const Ending ending = ending_of([&] {
        volatile float *address = values;
        address[3] = address[3] + 1;
    });
    CHECK(ending.signal == SIGSEGV);
    char address[64];
    std::snprintf(address, sizeof address, "0x%zx", reinterpret_cast<std::size_t>(static_cast<float *>(values) + 3));
    CHECK(ending.text ==
          std::string("emulation: host dereference of device memory at ") + address +
              ", in allocation 1 of 128 bytes, offset 12; copy with cudaMemcpy, or touch it in a kernel\n");
    CHECK(values.read()[3] == 1.0f);
}

// A child of fork has none of the threads that run kernels, so this one starts the program anew, in which it faults.
TEST(a_fault_in_a_kernel_names_kernel_block_and_lane) {
    constexpr const char *asksForFault = "EMULATION_TESTS_FAULT";
    if (std::getenv(asksForFault) != nullptr) {
        CHECK(launch(fill, 3, 32, 0, nullptr, static_cast<float *>(nullptr), 0, 1) == cudaSuccess);
        CHECK(cudaDeviceSynchronize() == cudaSuccess);
        return;
    }
    const Ending ending = ending_of([&] {
        setenv(asksForFault, "1", 1);
        execl("/proc/self/exe", "emulation-tests", "a_fault_in_a_kernel", static_cast<char *>(nullptr));
    });
    CHECK(ending.signal == SIGSEGV);
    CHECK(ending.text.find("emulation: fill, block (") == 0);
    CHECK(ending.text.find("), lane (0, 0, 0): touched 0x0, which is not its memory") != std::string::npos);
}

TEST(a_kernel_gets_no_plain_host_memory) {
    float value = 1;
    DeviceArray<float> seen(1);
    CHECK(launch(copy, 1, 1, 0, nullptr, &value, seen) == cudaSuccess);
    CHECK(cudaDeviceSynchronize() == cudaErrorIllegalAddress);
    CHECK(message_has("copy: argument 0"));
    emulation_device()->reset();
    float *pinned = nullptr;
    CHECK(cudaMallocHost(&pinned, sizeof(float)) == cudaSuccess);
    *pinned = 3;
    DeviceArray<float> target(1);
    CHECK(launch(copy, 1, 1, 0, nullptr, pinned, target) == cudaSuccess);
    CHECK(target.read()[0] == 3);
    CHECK(cudaFreeHost(pinned) == cudaSuccess);
}

TEST(memory_is_counted_and_can_run_out) {
    emulation_options options = plain_options();
    options.device_memory_byte_count = 1000;
    configure(options);
    void *first = nullptr, *second = nullptr, *pinned = nullptr;
    CHECK(cudaMalloc(&first, 600) == cudaSuccess);
    CHECK(cudaMalloc(&second, 401) == cudaErrorMemoryAllocation);
    CHECK(message_has("401 bytes wanted, 600 of 1000 in use"));
    CHECK(second == nullptr);
    CHECK(cudaMalloc(&second, 400) == cudaSuccess);
    std::size_t freeByteCount = 1, totalByteCount = 0;
    CHECK(cudaMemGetInfo(&freeByteCount, &totalByteCount) == cudaSuccess);
    CHECK(freeByteCount == 0 && totalByteCount == 1000);
    CHECK(cudaMallocHost(&pinned, 10) == cudaSuccess);
    emulation_counters now = counters();
    CHECK(now.allocation_count == 2 && now.live_allocation_count == 2 && now.live_byte_count == 1000);
    CHECK(now.live_host_allocation_count == 1 && now.live_host_byte_count == 10);
    CHECK(cudaFree(first) == cudaSuccess && cudaFree(second) == cudaSuccess && cudaFreeHost(pinned) == cudaSuccess);
    now = counters();
    CHECK(now.live_allocation_count == 0 && now.live_byte_count == 0 && now.peak_byte_count == 1000);
    CHECK(now.live_host_allocation_count == 0 && now.host_allocation_count == 1);
    // What is on its way back is waited for before memory is short.
    CHECK(cudaMallocAsync(&first, 1000, nullptr) == cudaSuccess && cudaFreeAsync(first, nullptr) == cudaSuccess);
    CHECK(cudaFreeAsync(first, nullptr) == cudaErrorInvalidValue);
    CHECK(cudaMalloc(&second, 1000) == cudaSuccess);
    CHECK(cudaFree(second) == cudaSuccess);
}

TEST(freed_addresses_serve_again) {
    void *first = nullptr;
    CHECK(cudaMalloc(&first, 5000) == cudaSuccess);
    void *other = nullptr;
    CHECK(cudaMalloc(&other, 100) == cudaSuccess);
    for (int round = 0; round < 100; ++round) {
        CHECK(cudaFree(first) == cudaSuccess);
        void *next = nullptr;
        CHECK(cudaMalloc(&next, 5000) == cudaSuccess);
        CHECK(next == first);
    }
    CHECK(cudaFree(other) == cudaSuccess && cudaFree(first) == cudaSuccess);
}

TEST(copies_move_rows_between_pitches) {
    std::vector<float> source = numbers<float>(3, 5 * 7);
    DeviceArray<float> device(std::vector<float>(4 * 9, -1.0f));
    CHECK(cudaMemcpy2DAsync(device, 9 * 4, source.data(), 7 * 4, 6 * 4, 4, cudaMemcpyHostToDevice, nullptr) ==
          cudaSuccess);
    const std::vector<float> expected = source;
    source.assign(source.size(), 0); // pageable memory was read at the call
    std::vector<float> all = device.read(), back(4 * 6, 0.0f);
    CHECK(cudaMemcpy2D(back.data(), 6 * 4, device, 9 * 4, 6 * 4, 4, cudaMemcpyDeviceToHost) == cudaSuccess);
    for (std::size_t row = 0; row < 4; ++row)
        for (std::size_t column = 0; column < 9; ++column) {
            CHECK(all[row * 9 + column] == (column < 6 ? expected[row * 7 + column] : -1.0f));
            if (column < 6) CHECK(back[row * 6 + column] == expected[row * 7 + column]);
        }
    CHECK(cudaMemset(device, 0, 9 * 4) == cudaSuccess);
    CHECK(device.read()[8] == 0 && device.read()[9] == all[9]);
}

TEST(copies_that_leave_their_memory_are_refused) {
    DeviceArray<float> device(10);
    std::vector<float> host(20);
    CHECK(cudaMemcpy(device, host.data(), 44, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
    CHECK(message_has("44 bytes at offset 0 leave allocation 1 of 40 bytes"));
    CHECK(cudaMemcpy(device + 5, host.data(), 24, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
    CHECK(cudaMemcpy(host.data(), device, 40, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
    CHECK(cudaMemcpy(device, host.data(), 40, cudaMemcpyDeviceToDevice) == cudaErrorInvalidValue);
    CHECK(cudaMemset(device, 0, 41) == cudaErrorInvalidValue);
    CHECK(cudaMemcpy2D(device, 4, host.data(), 8, 8, 2, cudaMemcpyHostToDevice) == cudaErrorInvalidPitchValue);
    CHECK(cudaMemcpy(device, host.data(), 40, cudaMemcpyDefault) == cudaSuccess);
}
