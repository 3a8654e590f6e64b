// Lanes of a block: barriers, shuffles, votes, atomics, shared memory, and what a wrong use of them is called.
#include "check.h"

#include <chrono>

namespace {

constexpr unsigned wholeWarp = 0xffffffffu;

__device__ float sum_of_warp(float value) {
    for (int delta = 16; delta > 0; delta /= 2) value += __shfl_xor_sync(wholeWarp, value, delta);
    return value;
}

// sums[block] = the sum of the block's 256 values.
template <typename T> __global__ void __launch_bounds__(256) sum_blocks(const T *__restrict__ values, float *sums) {
    __shared__ float partial[8];
    const float sum = sum_of_warp(static_cast<float>(__ldg(&values[blockIdx.x * blockDim.x + threadIdx.x])));
    if (threadIdx.x % warpSize == 0) partial[threadIdx.x / warpSize] = sum;
    __syncthreads();
    if (threadIdx.x < 32) {
        const float all = sum_of_warp(threadIdx.x < 8 ? partial[threadIdx.x] : 0.0f);
        if (threadIdx.x == 0) sums[blockIdx.x] = all;
    }
}

// The tree of a textbook, in dynamic shared memory: nine barriers.
__global__ void sum_blocks_by_tree(const float *values, float *sums) {
    float *partial = dynamic_shared<float>();
    partial[threadIdx.x] = values[blockIdx.x * blockDim.x + threadIdx.x];
    __syncthreads();
    for (unsigned stride = blockDim.x / 2; stride > 0; stride /= 2) {
        if (threadIdx.x < stride) partial[threadIdx.x] += partial[threadIdx.x + stride];
        __syncthreads();
    }
    if (threadIdx.x == 0) sums[blockIdx.x] = partial[0];
}

// Wrong: lanes read their neighbour's value without a barrier.
__global__ void shift_without_barrier(const float *values, float *shifted) {
    __shared__ float row[256];
    row[threadIdx.x] = values[threadIdx.x];
    shifted[threadIdx.x] = row[(threadIdx.x + 1) % 256];
}

// Wrong: a warp's barrier where the block's is needed; what is read comes from another warp.
__global__ void shift_with_warp_barrier(const float *values, float *shifted) {
    __shared__ float row[256];
    row[threadIdx.x] = values[threadIdx.x];
    __syncwarp();
    shifted[threadIdx.x] = row[(threadIdx.x + 32) % 256];
}

__global__ void scale(float *values, float factor, int count) {
    const int place = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (place < count) values[place] *= factor;
}

std::vector<float> block_sums(int blockCount, void (*kernel)(const float *, float *), std::size_t sharedByteCount) {
    DeviceArray<float> values(numbers<float>(1, 256 * static_cast<std::size_t>(blockCount)));
    DeviceArray<float> sums(static_cast<std::size_t>(blockCount));
    CHECK(launch(kernel, blockCount, 256, sharedByteCount, nullptr, values, sums) == cudaSuccess);
    return sums.read();
}

} // namespace

TEST(reductions_give_the_right_sum_in_every_order) {
    constexpr int blockCount = 7;
    const std::vector<float> values = numbers<float>(1, 256 * blockCount);
    for (const bool byTree : {false, true}) {
        const auto results = under_every_order<float>([byTree] {
            return byTree ? block_sums(blockCount, sum_blocks_by_tree, 256 * sizeof(float))
                          : block_sums(blockCount, sum_blocks<float>, 0);
        });
        CHECK(all_equal(results));
        for (std::size_t block = 0; block < blockCount; ++block) {
            double sum = 0; // exact: multiples of 1/128
            for (std::size_t place = 0; place < 256; ++place) sum += static_cast<double>(values[block * 256 + place]);
            CHECK(results[0][block] == static_cast<float>(sum));
        }
    }
}

TEST(a_missing_barrier_shows_in_the_order_of_lanes) {
    for (const auto kernel : {shift_without_barrier, shift_with_warp_barrier}) {
        const auto results = under_every_order<float>([kernel] {
            DeviceArray<float> values(numbers<float>(2, 256)), shifted(256);
            CHECK(launch(kernel, 1, 256, 0, nullptr, values, shifted) == cudaSuccess);
            return shifted.read();
        });
        CHECK(!all_equal(results));
    }
}

namespace {

// Every kind of shuffle and vote; sixteen results a lane.
__global__ void exchange(int *results) {
    const unsigned lane = threadIdx.x;
    const int value = static_cast<int>(lane) * 3 + 1;
    int *own = results + lane * 16;
    own[0] = __shfl_sync(wholeWarp, value, 5);
    own[1] = __shfl_sync(wholeWarp, value, 9, 8);
    own[2] = __shfl_xor_sync(wholeWarp, value, 3);
    own[3] = __shfl_down_sync(wholeWarp, value, 4);
    own[4] = __shfl_down_sync(wholeWarp, value, 4, 8);
    own[5] = __shfl_up_sync(wholeWarp, value, 6);
    own[6] = __shfl_up_sync(wholeWarp, value, 6, 16);
    own[7] = static_cast<int>(__ballot_sync(wholeWarp, lane % 3 == 0));
    own[8] = __any_sync(wholeWarp, lane == 17);
    own[9] = __all_sync(wholeWarp, lane < 31);
    own[10] = __all_sync(wholeWarp, lane < 32);
    own[11] = static_cast<int>(__shfl_sync(wholeWarp, lane * 10000000000ull, 7) / 1000000000ull);
    own[12] = static_cast<int>(__shfl_xor_sync(wholeWarp, lane + 0.25, 1) * 4);
    own[13] = 0;
    if (lane < 16) own[13] = __shfl_down_sync(0x0000ffffu, value, 1, 16);
    if (lane >= 16) own[13] = __shfl_sync(0xffff0000u, value, 20);
    __syncwarp();
    own[14] = static_cast<int>(__shfl_xor_sync(wholeWarp, static_cast<float>(lane) * 0.5f, 2) * 2);
    own[15] = static_cast<int>(__shfl_up_sync(wholeWarp, lane, 1));
}

__global__ void vote_in_block(int *results) {
    const int lane = static_cast<int>(threadIdx.x);
    if (lane >= 90) return; // those who have returned are not waited for
    results[lane] =
        __syncthreads_count(lane % 2) * 100 + __syncthreads_or(lane == 70) * 10 + __syncthreads_and(lane < 80);
}

__global__ void count_atomically(int *sums, unsigned *most, float *total, double *wide) {
    atomicAdd(&sums[0], 2);
    atomicMax(&sums[1], static_cast<int>(threadIdx.x));
    atomicMin(&sums[2], -static_cast<int>(threadIdx.x));
    atomicCAS(&sums[3], 0, 7);
    atomicAdd(most, 1u);
    atomicAdd(total, 0.5f);
    atomicAdd(wide, 0.25);
}

__global__ void number_threads(uint3 *threads, uint3 *blocks) {
    const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    const unsigned lane = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    const unsigned place = block * blockDim.x * blockDim.y * blockDim.z + lane;
    threads[place] = make_uint3(threadIdx.x, threadIdx.y, threadIdx.z);
    blocks[place] = make_uint3(blockIdx.x, blockIdx.y, blockIdx.z);
}

} // namespace

TEST(shuffles_and_votes_follow_cuda) {
    const auto results = under_every_order<int>([] {
        DeviceArray<int> results(32 * 16);
        CHECK(launch(exchange, 1, 32, 0, nullptr, results) == cudaSuccess);
        return results.read();
    });
    CHECK(all_equal(results));
    const auto value = [](int lane) { return lane * 3 + 1; };
    for (int lane = 0; lane < 32; ++lane) {
        const int *own = results[0].data() + lane * 16;
        CHECK(own[0] == value(5));
        CHECK(own[1] == value(lane / 8 * 8 + 1));
        CHECK(own[2] == value(lane ^ 3));
        CHECK(own[3] == value(lane + 4 < 32 ? lane + 4 : lane));
        CHECK(own[4] == value(lane % 8 + 4 < 8 ? lane + 4 : lane));
        CHECK(own[5] == value(lane >= 6 ? lane - 6 : lane));
        CHECK(own[6] == value(lane % 16 >= 6 ? lane - 6 : lane));
        CHECK(static_cast<unsigned>(own[7]) == 0x49249249u);
        CHECK(own[8] == 1 && own[9] == 0 && own[10] == 1);
        CHECK(own[11] == 70);
        CHECK(own[12] == (lane ^ 1) * 4 + 1);
        CHECK(own[13] == (lane < 16 ? value(lane < 15 ? lane + 1 : lane) : value(20)));
        CHECK(own[14] == (lane ^ 2));
        CHECK(own[15] == (lane > 0 ? lane - 1 : 0));
    }
}

TEST(barriers_with_votes_leave_returned_lanes_out) {
    DeviceArray<int> results(96);
    CHECK(launch(vote_in_block, 1, 96, 0, nullptr, results) == cudaSuccess);
    const std::vector<int> votes = results.read();
    for (std::size_t lane = 0; lane < 90; ++lane) CHECK(votes[lane] == 45 * 100 + 10 + 0);
}

TEST(atomics_of_many_blocks_add_up) {
    DeviceArray<int> sums(std::vector<int>{0, -1, 1, 0});
    DeviceArray<unsigned> most(std::vector<unsigned>{0});
    DeviceArray<float> total(std::vector<float>{0});
    DeviceArray<double> wide(std::vector<double>{0});
    CHECK(launch(count_atomically, 50, 128, 0, nullptr, sums, most, total, wide) == cudaSuccess);
    CHECK((sums.read() == std::vector<int>{50 * 128 * 2, 127, -127, 7}));
    CHECK(most.read()[0] == 50 * 128);
    CHECK(total.read()[0] == 3200);
    CHECK(wide.read()[0] == 1600);
}

TEST(indices_count_in_three_dimensions) {
    const dim3 grid(3, 2, 2), block(4, 3, 2);
    DeviceArray<uint3> threads(288), blocks(288);
    CHECK(launch(number_threads, grid, block, 0, nullptr, threads, blocks) == cudaSuccess);
    const std::vector<uint3> thread = threads.read(), blockOf = blocks.read();
    for (unsigned place = 0; place < 288; ++place) {
        const unsigned lane = place % 24, number = place / 24;
        CHECK(thread[place].x == lane % 4 && thread[place].y == lane / 4 % 3 && thread[place].z == lane / 12);
        CHECK(blockOf[place].x == number % 3 && blockOf[place].y == number / 3 % 2 && blockOf[place].z == number / 6);
    }
}

namespace {

__global__ void read_shared_memory(float *values) {
    __shared__ float fixed[64];
    float *dynamic = dynamic_shared<float>();
    values[threadIdx.x] = threadIdx.x < 64 ? fixed[threadIdx.x] : dynamic[threadIdx.x - 64];
    __syncthreads();
    if (threadIdx.x < 64) fixed[threadIdx.x] = dynamic[threadIdx.x] = 1;
}

__global__ void overrun_shared_memory(float *) { dynamic_shared<float>()[threadIdx.x + 1] = 1; }

} // namespace

TEST(shared_memory_has_no_value_before_a_block_writes_it) {
    DeviceArray<float> values(128);
    for (int round = 0; round < 2; ++round) {
        CHECK(launch(read_shared_memory, 1, 128, 64 * sizeof(float), nullptr, values) == cudaSuccess);
        for (const float value : values.read()) CHECK(value != value);
    }
}

TEST(a_write_behind_dynamic_shared_memory_is_an_error) {
    DeviceArray<float> values(1);
    CHECK(launch(overrun_shared_memory, 1, 32, 32 * sizeof(float), nullptr, values) == cudaSuccess);
    CHECK(cudaDeviceSynchronize() == cudaErrorLaunchFailure);
    CHECK(message_has("overrun_shared_memory, block (0, 0, 0)") && message_has("offset 128"));
}

namespace {

// Wrong in one way each.
__global__ void diverge_at_barrier(float *) {
    if (threadIdx.x != 37)
        __syncthreads();
    else
        __syncwarp(0xffffffffu);
}
__global__ void mix_barriers(float *) {
    if (threadIdx.x < 32)
        __syncthreads();
    else
        __syncthreads_or(1);
}
__global__ void shuffle_with_absent_lane(float *values) {
    if (threadIdx.x != 3) values[threadIdx.x] = __shfl_sync(wholeWarp, 1.0f, 0);
}
__global__ void shuffle_without_oneself(float *values) { values[threadIdx.x] = __shfl_sync(0x0000ffffu, 1.0f, 0); }
__global__ void shuffle_from_unnamed_lane(float *values) {
    if (threadIdx.x < 16) values[threadIdx.x] = __shfl_sync(0x0000ffffu, 1.0f, 20);
}
__global__ void shuffle_with_two_masks(float *values) {
    if (threadIdx.x < 16)
        values[threadIdx.x] = __shfl_sync(wholeWarp, 1.0f, 0);
    else
        values[threadIdx.x] = __shfl_sync(0xffff0000u, 1.0f, 16);
}
__global__ void shuffle_in_half_a_warp(float *values) { values[threadIdx.x] = __shfl_sync(wholeWarp, 1.0f, 0); }

struct WrongKernel {
    void (*kernel)(float *);
    int laneCount;
    const char *place;
    const char *what;
};

} // namespace

TEST(what_can_never_go_on_names_kernel_block_and_lane) {
    const WrongKernel wrong[] = {
        {diverge_at_barrier, 64, "diverge_at_barrier, block (0, 0, 0), lane 37 (37, 0, 0)",
         "waits in __syncwarp with mask 0xffffffff for lane 32, which waits in __syncthreads"},
        {mix_barriers, 64, "mix_barriers, block (0, 0, 0), lane 0",
         "waits in __syncthreads for lane 32, which waits in __syncthreads_or"},
        {shuffle_with_absent_lane, 32, "shuffle_with_absent_lane, block (0, 0, 0), lane 0",
         "waits in __shfl_sync with mask 0xffffffff for lane 3, which has returned"},
        {shuffle_without_oneself, 32, "shuffle_without_oneself, block (0, 0, 0), lane 16",
         "does not name the lane itself"},
        {shuffle_from_unnamed_lane, 32, "shuffle_from_unnamed_lane, block (0, 0, 0), lane", "reads lane 20"},
        {shuffle_with_two_masks, 32, "shuffle_with_two_masks, block (0, 0, 0), lane 0",
         "waits in __shfl_sync with mask 0xffffffff for lane 16, which"},
        {shuffle_in_half_a_warp, 16, "shuffle_in_half_a_warp, block (0, 0, 0), lane 0",
         "for lane 16, which is not in the block"},
    };
    for (const WrongKernel &kernel : wrong) {
        emulation_device()->reset();
        DeviceArray<float> values(64);
        CHECK(launch(kernel.kernel, 1, kernel.laneCount, 0, nullptr, values) == cudaSuccess);
        CHECK(cudaDeviceSynchronize() == cudaErrorLaunchFailure);
        CHECK(message_has(kernel.place));
        CHECK(message_has(kernel.what));
        CHECK(std::strcmp(cudaGetErrorString(cudaErrorLaunchFailure), emulation_device()->message()) == 0);
        // Sticky: nothing works until the reset.
        CHECK(cudaGetLastError() == cudaErrorLaunchFailure);
        CHECK(cudaGetLastError() == cudaErrorLaunchFailure);
        CHECK(launch(scale, 1, 32, 0, nullptr, values, 1.0f, 32) == cudaErrorLaunchFailure);
    }
}

TEST(a_block_of_256_lanes_with_barriers_costs_less_than_a_millisecond) {
    constexpr int blockCount = 512;
    emulation_options options = plain_options();
    options.worker_count = 1;
    configure(options);
    DeviceArray<float> values(numbers<float>(1, 256 * blockCount)), sums(blockCount);
    const auto milliseconds_per_block = [&](const std::function<cudaError_t()> &run) {
        CHECK(run() == cudaSuccess); // makes the stacks
        CHECK(cudaDeviceSynchronize() == cudaSuccess);
        const auto start = std::chrono::steady_clock::now();
        CHECK(run() == cudaSuccess);
        CHECK(cudaDeviceSynchronize() == cudaSuccess);
        const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
        return elapsed.count() / blockCount;
    };
    const double shuffles =
        milliseconds_per_block([&] { return launch(sum_blocks<float>, blockCount, 256, 0, nullptr, values, sums); });
    const double tree = milliseconds_per_block(
        [&] { return launch(sum_blocks_by_tree, blockCount, 256, 1024, nullptr, values, sums); });
    const double plain = milliseconds_per_block(
        [&] { return launch(scale, blockCount, 256, 0, nullptr, values, 0.5f, 256 * blockCount); });
    std::printf(
        "milliseconds a block of 256 lanes on one thread: %.4f with 10 shuffles and a barrier, %.4f with 9 barriers, "
        "%.4f without\n",
        shuffles, tree, plain);
    CHECK(shuffles < 1 && tree < 1 && plain < 1);
}
