// cp.async: copies that a lane enqueues, and that happen when it waits.
#include "block.h"

#include <cstring>

namespace emulation {

void copy_async(void *shared, const void *global, unsigned byteCount, unsigned sourceByteCount) {
    if (byteCount != 4 && byteCount != 8 && byteCount != 16)
        fail_lane("cp.async copies 4, 8 or 16 bytes, not %u", byteCount);
    if (sourceByteCount > byteCount)
        fail_lane("cp.async of %u bytes takes at most that many from its source, not %u", byteCount, sourceByteCount);
    if (reinterpret_cast<std::uintptr_t>(shared) % byteCount != 0)
        fail_lane("cp.async to %p, which is not aligned to %u bytes", shared, byteCount);
    if (reinterpret_cast<std::uintptr_t>(global) % byteCount != 0)
        fail_lane("cp.async from %p, which is not aligned to %u bytes", global, byteCount);
    if (!is_shared_memory(shared, byteCount)) fail_lane("cp.async to %p, which is not shared memory", shared);
    Lane &lane = current_lane->runner->lane();
    lane.copies.push_back({shared, global, byteCount, sourceByteCount});
    ++lane.openCopyCount;
}

void copy_async_commit() {
    Lane &lane = current_lane->runner->lane();
    lane.copyGroupCounts.push_back(lane.openCopyCount);
    lane.openCopyCount = 0;
}

// Copies happen here and no sooner, so that a kernel that forgets to wait reads what was there before.
void copy_async_wait(unsigned pendingGroupCount) {
    Lane &lane = current_lane->runner->lane();
    while (lane.copyGroupCounts.size() > pendingGroupCount) {
        const std::size_t count = lane.copyGroupCounts.front();
        lane.copyGroupCounts.erase(lane.copyGroupCounts.begin());
        for (std::size_t i = 0; i < count; ++i) {
            const AsyncCopy &copy = lane.copies[i];
            char *shared = static_cast<char *>(copy.shared);
            if (copy.sourceByteCount != 0) std::memcpy(shared, copy.global, copy.sourceByteCount);
            std::memset(shared + copy.sourceByteCount, 0, copy.byteCount - copy.sourceByteCount);
        }
        lane.copies.erase(lane.copies.begin(), lane.copies.begin() + std::ptrdiff_t(count));
    }
}

} // namespace emulation
