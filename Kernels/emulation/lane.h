// What a lane (a CUDA thread) sees of the emulation: where it is, and how it waits for others.
//
// Device code reaches these through the stand-ins for NVIDIA's headers, never directly.
#pragma once

#include "include/vector_types.h"

#include <cstddef>

namespace emulation {

class BlockRunner;

// The indices that CUDA's built-in variables show, and who runs the lane.
struct LaneIndices {
    uint3 thread;
    uint3 block;
    dim3 blockSize;
    dim3 gridSize;
    unsigned number; // in the block
    BlockRunner *runner;
};

// The lane that this OS thread runs at present; null outside kernels. The one thread-local variable of the runtime: in
// a library that is opened at run time each use of one is a call. `__thread`, not `thread_local`, which would be two.
extern __thread const LaneIndices *current_lane;

// Whether a collective goes on without those lanes of its mask that have returned from the kernel.
enum class Returned { are_left_out, are_missed };

// The operands of a warp's lanes, indexed by lane; null where a lane takes no part.
using WarpOperands = void *const (&)[32];

// Waits until the lanes of `mask` have come with the same `name` and mask. One of them then runs `combine` for all.
// `name` is compared by address: pass the same string literal object.
void warp_collective(const char *name, unsigned mask, void *operand, void (*combine)(WarpOperands operands),
                     Returned returned);

// Waits for the lanes of the block. The result is the OR, the AND or the number of the lanes' predicates.
enum class BlockBarrier { plain, any, all, count };
int block_barrier(BlockBarrier kind, int predicate);

// The lane's number in its warp.
inline unsigned lane_in_warp() { return current_lane->number % 32; }

// Ends the launch with an error at this lane. printf's format.
[[noreturn]] void fail_lane(const char *format, ...) __attribute__((format(printf, 1, 2)));

// The block's dynamic shared memory, and whether a range lies in shared memory at all.
void *dynamic_shared_memory();
bool is_shared_memory(const void *address, std::size_t byteCount);

// cp.async: enqueues a copy that happens when the lane waits for its group, not before.
void copy_async(void *shared, const void *global, unsigned byteCount, unsigned sourceByteCount);
void copy_async_commit();
void copy_async_wait(unsigned pendingGroupCount);

} // namespace emulation
