#include "block.h"

#include "failure.h"
#include "kernel_symbol.h"

#include <algorithm>
#include <boost/context/protected_fixedsize_stack.hpp>
#include <cstring>

namespace emulation {

__thread const LaneIndices *current_lane = nullptr;

namespace {

constexpr unsigned lanesPerWarp = 32;
constexpr unsigned mostLanes = 1024;
constexpr std::size_t stackByteCount = 128 * 1024;
constexpr std::size_t sharedByteCountAtMost = 227 * 1024;
constexpr std::size_t sharedGuardByteCount = 1024;
constexpr unsigned char guardByte = 0xa5;
constexpr unsigned char poisonByte = 0xff; // NaN in every floating-point type

// Unwinds a lane whose block failed; never leaves run_lanes.
struct Abandoned {};

} // namespace

// A fiber that runs lanes, one after the other, for as long as the process lives.
class Runner {
  public:
    explicit Runner(BlockRunner &block)
        : context(std::allocator_arg, boost::context::protected_fixedsize_stack(stackByteCount),
                  [this, &block](boost::context::fiber &&from) -> boost::context::fiber {
                      note_former(block, std::move(from));
                      for (;;) block.run_lanes(*this);
                  }) {}

    // Keeps the context of whoever switched here.
    static void note_former(BlockRunner &block, boost::context::fiber &&from) {
        (block.formerRunner != nullptr ? block.formerRunner->context : block.threadContext) = std::move(from);
    }

    boost::context::fiber context;
    Lane *assigned = nullptr;
};

BlockRunner::BlockRunner()
    : currentLane(current_lane), sharedBuffer(new char[sharedByteCountAtMost + sharedGuardByteCount + 16]) {
    const auto address = reinterpret_cast<std::uintptr_t>(sharedBuffer.get());
    dynamicShared = sharedBuffer.get() + (16 - address % 16) % 16;
    lanes.resize(mostLanes);
    runnableCounts.resize(mostLanes / lanesPerWarp);
}

std::string BlockRunner::run(const Launch &launched, uint3 index, emulation_order laneOrdering, std::uint64_t seed) {
    launch = &launched;
    order = laneOrdering;
    random = Random(seed);
    failure.clear();
    kernelName = kernel_symbol(launched.kernel).name.c_str();
    prepare(index);
    poison_shared_memory();
    if (Lane *first = next_lane()) {
        Runner *runner = idle_runner();
        runner->assigned = first;
        switch_to(runner);
    }
    currentLane = nullptr;
    check_shared_guard();
    return failure;
}

BlockRunner::~BlockRunner() = default;

void BlockRunner::prepare(uint3 index) {
    const dim3 size = launch->block;
    laneCount = liveLaneCount = size.x * size.y * size.z;
    std::fill(runnableCounts.begin(), runnableCounts.end(), 0u);
    for (unsigned number = 0; number < laneCount; ++number) {
        Lane &lane = lanes[number];
        lane.indices = {{number % size.x, number / size.x % size.y, number / (size.x * size.y)},
                        index,
                        size,
                        launch->grid,
                        number,
                        this};
        lane.state = Lane::State::runnable;
        lane.runner = nullptr;
        lane.copies.clear();
        lane.copyGroupCounts.clear();
        lane.openCopyCount = 0;
        ++runnableCounts[number / lanesPerWarp];
    }
    begin_round();
}

// Shared memory has no value before the block writes one.
void BlockRunner::poison_shared_memory() {
    std::memset(dynamicShared, poisonByte, launch->sharedByteCount);
    std::memset(dynamicShared + launch->sharedByteCount, guardByte, sharedGuardByteCount);
    const KernelSymbol &symbol = kernel_symbol(launch->kernel);
    if (segment.address == nullptr) segment = shared_segment();
    for (const SharedArray &array : symbol.sharedArrays)
        std::memset(segment.address + array.offset, poisonByte, array.byteCount);
}

void BlockRunner::check_shared_guard() {
    const char *guard = dynamicShared + launch->sharedByteCount;
    const char *bad = std::find_if(guard, guard + sharedGuardByteCount,
                                   [](char byte) { return static_cast<unsigned char>(byte) != guardByte; });
    if (bad == guard + sharedGuardByteCount) return;
    note_failure(nullptr,
                 formatted("dynamic shared memory of %zu bytes was overwritten at offset %zu; launch with more",
                           launch->sharedByteCount, std::size_t(bad - dynamicShared)));
}

// Whose turn it is

// The next lane that can run; null when all have returned.
Lane *BlockRunner::next_lane() {
    for (;;) {
        const unsigned warpCount = (laneCount + lanesPerWarp - 1) / lanesPerWarp;
        while (warpPlace < warpCount) {
            const unsigned warp = unsigned(warpOrder[warpPlace]);
            if (Lane *lane = next_in_warp(warp)) return lane;
            ++warpPlace;
            lanePlace = 0;
        }
        if (liveLaneCount == 0) return nullptr;
        // Every warp waits: for all others at the block's barrier, or for lanes that never come.
        if (failure.empty() && !release_barrier()) diagnose_deadlock();
        begin_round();
    }
}

Lane *BlockRunner::next_in_warp(unsigned warp) {
    const unsigned first = warp * lanesPerWarp, count = std::min(lanesPerWarp, laneCount - first);
    for (;;) {
        if (runnableCounts[warp] == 0) {
            if (!release_collectives(warp)) return nullptr;
            lanePlace = 0;
        }
        if (lanePlace == 0) laneOrder = Order(order, count, random);
        while (lanePlace < count) {
            Lane &lane = lanes[first + laneOrder[lanePlace++]];
            if (lane.state == Lane::State::runnable) return &lane;
        }
        lanePlace = 0;
    }
}

void BlockRunner::begin_round() {
    warpOrder = Order(order, (laneCount + lanesPerWarp - 1) / lanesPerWarp, random);
    warpPlace = lanePlace = 0;
}

// Lets the lanes go on whose collective is complete. They all wait by now, so what is not complete never will be.
bool BlockRunner::release_collectives(unsigned warp) {
    const unsigned first = warp * lanesPerWarp, count = std::min(lanesPerWarp, laneCount - first);
    bool hasReleased = false;
    for (unsigned leader = 0; leader < count; ++leader) {
        Lane &lane = lanes[first + leader];
        if (lane.state != Lane::State::in_collective) continue;
        void *operands[lanesPerWarp] = {};
        unsigned come = 0, gone = 0;
        for (unsigned other = 0; other < lanesPerWarp; ++other) {
            if ((lane.mask >> other & 1u) == 0) continue;
            if (other >= count || lanes[first + other].state == Lane::State::returned) {
                gone |= 1u << other;
                continue;
            }
            const Lane &peer = lanes[first + other];
            if (peer.state != Lane::State::in_collective || peer.name != lane.name || peer.mask != lane.mask) continue;
            come |= 1u << other;
            operands[other] = peer.operand;
        }
        const unsigned expected = lane.returned == Returned::are_left_out ? lane.mask & ~gone : lane.mask;
        if (come != expected) continue;
        if (lane.combine != nullptr) {
            running = &lane; // who speaks if it fails
            currentLane = &lane.indices;
            try {
                lane.combine(operands);
            } catch (const Abandoned &) {
                return true; // every lane is runnable now, to unwind
            }
        }
        for (unsigned other = 0; other < count; ++other)
            if (come >> other & 1u) lanes[first + other].state = Lane::State::runnable;
        runnableCounts[warp] += unsigned(__builtin_popcount(come));
        hasReleased = true;
    }
    return hasReleased;
}

// Opens the block's barrier where every lane that lives waits at it.
bool BlockRunner::release_barrier() {
    int any = 0, all = 1, count = 0;
    const Lane *leader = nullptr;
    for (unsigned number = 0; number < laneCount; ++number) {
        const Lane &lane = lanes[number];
        if (lane.state == Lane::State::returned) continue;
        if (lane.state != Lane::State::in_barrier) return false;
        if (leader == nullptr) leader = &lane;
        if (lane.barrier != leader->barrier) return false;
        any |= lane.predicate != 0;
        all &= lane.predicate != 0;
        count += lane.predicate != 0;
    }
    switch (leader->barrier) {
    case BlockBarrier::plain:
        barrierResult = 0;
        break;
    case BlockBarrier::any:
        barrierResult = any;
        break;
    case BlockBarrier::all:
        barrierResult = all;
        break;
    case BlockBarrier::count:
        barrierResult = count;
        break;
    }
    for (unsigned number = 0; number < laneCount; ++number) {
        if (lanes[number].state != Lane::State::in_barrier) continue;
        lanes[number].state = Lane::State::runnable;
        ++runnableCounts[number / lanesPerWarp];
    }
    return true;
}

// Failures

void BlockRunner::diagnose_deadlock() {
    const auto name = [](const Lane &lane) {
        constexpr const char *barriers[] = {"__syncthreads", "__syncthreads_or", "__syncthreads_and",
                                            "__syncthreads_count"};
        return lane.state == Lane::State::in_barrier ? barriers[int(lane.barrier)] : lane.name;
    };
    // A warp's collective is the narrower wait, and so the likelier mistake.
    const Lane *waiting = nullptr;
    for (unsigned number = 0; number < laneCount; ++number) {
        const Lane &lane = lanes[number];
        if (lane.state == Lane::State::returned) continue;
        if (waiting == nullptr ||
            (waiting->state != Lane::State::in_collective && lane.state == Lane::State::in_collective))
            waiting = &lane;
    }
    const bool waitsForWarp = waiting->state == Lane::State::in_collective;
    const unsigned first = waitsForWarp ? waiting->indices.number / lanesPerWarp * lanesPerWarp : 0;
    const unsigned end = waitsForWarp ? first + lanesPerWarp : laneCount;
    for (unsigned number = first; number < end; ++number) {
        if (waitsForWarp && (waiting->mask >> (number - first) & 1u) == 0) continue;
        const bool exists = number < laneCount;
        const Lane &other = lanes[number];
        const bool isGone = !exists || other.state == Lane::State::returned;
        if (isGone && (!waitsForWarp || waiting->returned == Returned::are_left_out)) continue;
        if (!isGone && other.state == waiting->state && name(other) == name(*waiting) &&
            (!waitsForWarp || other.mask == waiting->mask))
            continue;
        std::string where = !exists  ? "is not in the block"
                            : isGone ? "has returned"
                                     : formatted("waits in %s", name(other));
        if (exists && !isGone && other.state == Lane::State::in_collective)
            where += formatted(" with mask 0x%08x", other.mask);
        const std::string mask = waitsForWarp ? formatted(" with mask 0x%08x", waiting->mask) : "";
        note_failure(waiting, formatted("waits in %s%s for lane %u, which %s", name(*waiting), mask.c_str(), number,
                                        where.c_str()));
        return;
    }
    note_failure(waiting, formatted("waits in %s for lanes that never come", name(*waiting)));
}

// Keeps the first failure and wakes every lane that has a stack, so that it unwinds.
void BlockRunner::note_failure(const Lane *lane, const std::string &what) {
    if (!failure.empty()) return;
    const uint3 block = lanes[0].indices.block;
    failure = formatted("%s, block (%u, %u, %u)", kernelName, block.x, block.y, block.z);
    if (lane != nullptr) {
        const uint3 thread = lane->indices.thread;
        failure += formatted(", lane %u (%u, %u, %u)", lane->indices.number, thread.x, thread.y, thread.z);
    }
    failure += ": " + what;
    for (unsigned number = 0; number < laneCount; ++number) {
        Lane &waiting = lanes[number];
        if (waiting.state != Lane::State::in_barrier && waiting.state != Lane::State::in_collective) continue;
        waiting.state = Lane::State::runnable;
        ++runnableCounts[number / lanesPerWarp];
    }
}

void BlockRunner::fail(const std::string &what) {
    note_failure(running, what);
    throw Abandoned();
}

// Waiting

void BlockRunner::warp_collective(const char *name, unsigned mask, void *operand,
                                  void (*combine)(WarpOperands operands), Returned returned) {
    Lane &lane = *running;
    if ((mask >> (lane.indices.number % lanesPerWarp) & 1u) == 0)
        fail(formatted("calls %s with mask 0x%08x, which does not name the lane itself", name, mask));
    lane.name = name;
    lane.mask = mask;
    lane.operand = operand;
    lane.combine = combine;
    lane.returned = returned;
    lane.state = Lane::State::in_collective;
    wait();
}

int BlockRunner::block_barrier(BlockBarrier kind, int predicate) {
    Lane &lane = *running;
    lane.barrier = kind;
    lane.predicate = predicate;
    lane.state = Lane::State::in_barrier;
    wait();
    return barrierResult;
}

// Gives the thread to other lanes until the running one can go on. The runner under it is the lane's own from here.
void BlockRunner::wait() {
    Lane &self = *running;
    self.runner = currentRunner;
    --runnableCounts[self.indices.number / lanesPerWarp];
    Lane *next = next_lane();
    if (next != &self) {
        Runner *target = next->runner;
        if (target == nullptr) {
            target = idle_runner();
            target->assigned = next;
        }
        switch_to(target);
    }
    running = &self;
    currentLane = &self.indices;
    if (!failure.empty()) throw Abandoned();
}

void BlockRunner::finish(Lane &lane) {
    lane.state = Lane::State::returned;
    lane.runner = nullptr;
    --runnableCounts[lane.indices.number / lanesPerWarp];
    --liveLaneCount;
}

// The body of a runner: its assigned lane, then whatever lane comes next and has no stack yet.
void BlockRunner::run_lanes(Runner &self) {
    Lane *lane = self.assigned;
    while (lane != nullptr && lane->runner == nullptr) {
        running = lane;
        currentLane = &lane->indices;
        if (failure.empty()) {
            try {
                launch->body();
            } catch (const Abandoned &) {
                // The block is failing; the lane is done.
            }
        }
        finish(*lane);
        lane = next_lane();
    }
    idleRunners.push_back(&self);
    switch_to(lane != nullptr ? lane->runner : nullptr);
}

// Fibers

void BlockRunner::switch_to(Runner *target) {
    Runner *self = currentRunner;
    formerRunner = self;
    currentRunner = target;
    boost::context::fiber &context = target != nullptr ? target->context : threadContext;
    boost::context::fiber from = std::move(context).resume();
    // Back here: whoever switched noted itself as the former.
    currentRunner = self;
    Runner::note_former(*this, std::move(from));
}

Runner *BlockRunner::idle_runner() {
    if (idleRunners.empty()) {
        runners.push_back(std::make_unique<Runner>(*this));
        return runners.back().get();
    }
    Runner *runner = idleRunners.back();
    idleRunners.pop_back();
    return runner;
}

bool BlockRunner::is_shared(const void *address, std::size_t byteCount) const {
    const char *first = static_cast<const char *>(address);
    if (first >= dynamicShared && first + byteCount <= dynamicShared + launch->sharedByteCount) return true;
    return segment.address != nullptr && first >= segment.address &&
           first + byteCount <= segment.address + segment.byteCount;
}

// What lanes call

void warp_collective(const char *name, unsigned mask, void *operand, void (*combine)(WarpOperands operands),
                     Returned returned) {
    current_lane->runner->warp_collective(name, mask, operand, combine, returned);
}

int block_barrier(BlockBarrier kind, int predicate) { return current_lane->runner->block_barrier(kind, predicate); }

void fail_lane(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const std::string what = formatted_list(format, arguments);
    va_end(arguments);
    current_lane->runner->fail(what);
}

void *dynamic_shared_memory() { return current_lane->runner->dynamic_shared(); }

bool is_shared_memory(const void *address, std::size_t byteCount) {
    return current_lane->runner->is_shared(address, byteCount);
}

} // namespace emulation
