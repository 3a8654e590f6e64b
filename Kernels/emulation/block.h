// Runs the lanes of one block on the calling OS thread.
//
// Lanes are fibers, but a lane that never waits costs none: a runner (a fiber with a pooled stack) runs lane after lane
// on the same stack, and is given up to a lane only when that lane waits for others. Warps run as far as they can
// before the next warp gets its turn, so that what depends on a missing barrier differs between orders.
#pragma once

#include "kernel_symbol.h"
#include "lane.h"
#include "launch.h"
#include "order.h"

#include <boost/context/fiber.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace emulation {

class Runner;
class BlockRunner;

struct AsyncCopy {
    void *shared;
    const void *global;
    unsigned byteCount;
    unsigned sourceByteCount;
};

struct Lane {
    enum class State { runnable, in_collective, in_barrier, returned };

    LaneIndices indices;
    State state;
    Runner *runner; // null while the lane has not waited yet

    // What it waits for.
    const char *name;
    unsigned mask;
    void *operand;
    void (*combine)(WarpOperands operands);
    Returned returned;
    BlockBarrier barrier;
    int predicate;

    std::vector<AsyncCopy> copies;            // pending cp.async, oldest first
    std::vector<std::size_t> copyGroupCounts; // copies in each committed group
    std::size_t openCopyCount;                // copies not committed yet
};

// Belongs to one OS thread, on which it is made and used, and lives as long as the process.
class BlockRunner {
  public:
    BlockRunner();
    ~BlockRunner();
    BlockRunner(const BlockRunner &) = delete;
    BlockRunner &operator=(const BlockRunner &) = delete;

    // Runs block `index` of the launch. Empty, or what went wrong, naming kernel, block and lane.
    std::string run(const Launch &launch, uint3 index, emulation_order order, std::uint64_t seed);

    // The rest is for lanes.
    void warp_collective(const char *name, unsigned mask, void *operand, void (*combine)(WarpOperands operands),
                         Returned returned);
    int block_barrier(BlockBarrier kind, int predicate);
    [[noreturn]] void fail(const std::string &what);
    bool is_shared(const void *address, std::size_t byteCount) const;
    char *dynamic_shared() { return dynamicShared; }
    Lane &lane() { return *running; }
    // For signal handlers.
    const char *kernel_name() const { return kernelName; }

  private:
    friend class Runner;

    void prepare(uint3 index);
    void poison_shared_memory();
    void check_shared_guard();

    Lane *next_lane();
    Lane *next_in_warp(unsigned warp);
    void begin_round();
    bool release_collectives(unsigned warp);
    bool release_barrier();
    void diagnose_deadlock();
    void note_failure(const Lane *lane, const std::string &what);
    void finish(Lane &lane);
    void wait();
    void run_lanes(Runner &self);
    void switch_to(Runner *runner);
    Runner *idle_runner();

    // The thread's own current_lane, without the cost of finding it.
    const LaneIndices *&currentLane;
    const Launch *launch = nullptr;
    const char *kernelName = nullptr;
    emulation_order order = EMULATION_ORDER_ASCENDING;
    Random random{0};
    std::string failure;

    std::vector<Lane> lanes;
    unsigned laneCount = 0, liveLaneCount = 0;
    std::vector<unsigned> runnableCounts; // of each warp
    Order warpOrder, laneOrder;
    unsigned warpPlace = 0, lanePlace = 0;
    int barrierResult = 0;

    Lane *running = nullptr;
    std::vector<std::unique_ptr<Runner>> runners;
    std::vector<Runner *> idleRunners;
    Runner *currentRunner = nullptr; // null: the thread itself
    Runner *formerRunner = nullptr;
    boost::context::fiber threadContext;

    std::unique_ptr<char[]> sharedBuffer;
    char *dynamicShared = nullptr;
    SharedSegment segment; // of static shared memory
};

} // namespace emulation
