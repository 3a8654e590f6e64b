#include "workers.h"

#include "block.h"
#include "fault.h"
#include "order.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace emulation {

namespace {

// One grid's work, shared by the threads that run it.
struct Grid {
    const Launch &launch;
    emulation_order order;
    std::uint64_t seed;
    Order blocks;
    std::uint64_t blockCount;
    std::atomic<std::uint64_t> nextPlace{0};

    std::mutex mutex;
    std::uint64_t failedPlace = UINT64_MAX;
    std::string failure;
};

void run_blocks(Grid &grid, BlockRunner &runner) {
    const dim3 size = grid.launch.grid;
    for (;;) {
        const std::uint64_t place = grid.nextPlace++;
        if (place >= grid.blockCount) return;
        const std::uint64_t block = grid.blocks[place];
        const uint3 index{unsigned(block % size.x), unsigned(block / size.x % size.y),
                          unsigned(block / (std::uint64_t(size.x) * size.y))};
        const std::string failure = runner.run(grid.launch, index, grid.order, Random(grid.seed + block).next());
        if (failure.empty()) continue;
        const std::lock_guard<std::mutex> lock(grid.mutex);
        if (place < grid.failedPlace) {
            grid.failedPlace = place;
            grid.failure = failure;
        }
        grid.nextPlace = grid.blockCount; // nobody starts another block
    }
}

// The signal handler that explains a kernel's fault cannot use the lane's stack, which may be what overflowed.
void install_signal_stack() {
    stack_t stack{};
    stack.ss_size = 64 * 1024;
    stack.ss_sp = std::malloc(stack.ss_size);
    sigaltstack(&stack, nullptr);
}

class Workers {
  public:
    void run(Grid &grid, unsigned count) {
        explain_faults();
        std::unique_lock<std::mutex> lock(mutex);
        while (startedCount < count) std::thread(&Workers::work, this, startedCount++).detach();
        current = &grid;
        wantedCount = busyCount = count;
        ++generation;
        hasWork.notify_all();
        isDone.wait(lock, [this] { return busyCount == 0; });
        current = nullptr;
    }

  private:
    void work(unsigned number) {
        install_signal_stack();
        BlockRunner runner;
        std::uint64_t seen = 0;
        std::unique_lock<std::mutex> lock(mutex);
        for (;;) {
            hasWork.wait(lock, [&] { return generation != seen; });
            seen = generation;
            if (number >= wantedCount) continue;
            lock.unlock();
            run_blocks(*current, runner);
            lock.lock();
            if (--busyCount == 0) isDone.notify_one();
        }
    }

    std::mutex mutex;
    std::condition_variable hasWork, isDone;
    unsigned startedCount = 0, wantedCount = 0, busyCount = 0;
    std::uint64_t generation = 0;
    Grid *current = nullptr;
};

// Never destroyed: its threads live as long as the process.
Workers &workers() {
    static Workers *const all = new Workers;
    return *all;
}

} // namespace

std::string run_grid(const Launch &launch, emulation_order order, std::uint64_t seed, int workerCount) {
    Random random(seed);
    const std::uint64_t blockCount = std::uint64_t(launch.grid.x) * launch.grid.y * launch.grid.z;
    Grid grid{launch, order, seed, Order(order, blockCount, random), blockCount, {}, {}, UINT64_MAX, {}};
    const unsigned wanted =
        workerCount > 0 ? unsigned(workerCount) : std::min(4u, std::max(1u, std::thread::hardware_concurrency()));
    workers().run(grid, unsigned(std::min<std::uint64_t>(wanted, blockCount)));
    return grid.failure;
}

} // namespace emulation
