#include "host_memory.h"

#include <cstdlib>
#include <cstring>
#include <map>

namespace emulation::host_memory {

namespace {
auto &allocations = *new std::map<char *, std::size_t>; // never destroyed: see lock_device
std::size_t liveByteCount = 0, madeCount = 0;
} // namespace

void *allocate(std::size_t byteCount) {
    constexpr std::size_t page = 4096;
    void *address = std::aligned_alloc(page, (byteCount + page - 1) / page * page);
    if (address == nullptr) return nullptr;
    std::memset(address, 0xff, byteCount); // NaN: fresh memory has no value
    allocations[static_cast<char *>(address)] = byteCount;
    liveByteCount += byteCount;
    ++madeCount;
    return address;
}

bool release(void *address) {
    const auto found = allocations.find(static_cast<char *>(address));
    if (found == allocations.end()) return false;
    liveByteCount -= found->second;
    allocations.erase(found);
    std::free(address);
    return true;
}

void release_all() {
    for (const auto &[address, byteCount] : allocations) std::free(address);
    allocations.clear();
    liveByteCount = 0;
}

bool is_pinned(const void *address) {
    char *byte = static_cast<char *>(const_cast<void *>(address));
    auto next = allocations.upper_bound(byte);
    if (next == allocations.begin()) return false;
    --next;
    return byte < next->first + next->second;
}

std::size_t live_count() { return allocations.size(); }
std::size_t live_byte_count() { return liveByteCount; }
std::size_t allocation_count() { return madeCount; }
void forget_counts() { madeCount = 0; }

} // namespace emulation::host_memory
