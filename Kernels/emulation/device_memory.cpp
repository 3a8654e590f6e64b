#include "device_memory.h"

#include "failure.h"
#include "fault.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sys/mman.h>

namespace emulation::device_memory {

namespace {

constexpr std::size_t alignment = 256; // cudaMalloc's
constexpr unsigned char guardByte = 0xa5;
constexpr unsigned char poisonByte = 0xff; // NaN in every floating-point type

struct Allocation {
    std::size_t byteCount;
    std::size_t number;
    std::size_t guardByteCount;
    std::size_t blockByteCount; // with guards and padding

    char *block(char *address) const { return address - guardByteCount; }
    // What lies behind the last byte is guard up to the block's end.
    std::size_t trailingByteCount() const { return blockByteCount - guardByteCount - byteCount; }
};

constexpr std::size_t arenaByteCount = std::size_t(1) << 36; // of addresses, not of memory
// Opening and closing the memory takes time for every page: it is done in units of large ones.
constexpr std::size_t pageByteCount = std::size_t(2) << 20;
Limits current;
char *arena = nullptr;
std::size_t usedEnd = 0; // offset behind the last block ever used
// Never destroyed: see lock_device.
auto &allocations = *new std::map<char *, Allocation>;
auto &holes = *new std::map<std::size_t, std::size_t>; // offset, length: freed blocks
int accessDepth = 0;
std::size_t liveByteCount = 0, peakByteCount = 0, madeCount = 0;

std::size_t rounded_up(std::size_t value, std::size_t unit) { return (value + unit - 1) / unit * unit; }

bool reserve_arena() {
    if (arena != nullptr) return true;
    void *range =
        mmap(nullptr, arenaByteCount + pageByteCount, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) return false;
    arena = reinterpret_cast<char *>(rounded_up(reinterpret_cast<std::size_t>(range), pageByteCount));
    (void)madvise(arena, arenaByteCount, MADV_HUGEPAGE);
    explain_faults();
    return true;
}

void set_protection(int protection) {
    if (arena == nullptr || usedEnd == 0) return;
    if (mprotect(arena, rounded_up(usedEnd, pageByteCount), protection) != 0) {
        std::fputs("emulation: mprotect of device memory failed; is the limit of mappings reached?\n", stderr);
        std::abort();
    }
}

// The offset of a block of that length: the first hole that holds it, or fresh addresses.
std::size_t take_block(std::size_t byteCount) {
    for (auto hole = holes.begin(); hole != holes.end(); ++hole) {
        if (hole->second < byteCount) continue;
        const std::size_t offset = hole->first, rest = hole->second - byteCount;
        holes.erase(hole);
        if (rest != 0) holes[offset + byteCount] = rest;
        return offset;
    }
    const std::size_t offset = usedEnd;
    usedEnd += byteCount;
    // The fresh pages take on the state of the others.
    if (accessDepth > 0 || current.isOpen) set_protection(PROT_READ | PROT_WRITE);
    return offset;
}

void give_block(std::size_t offset, std::size_t byteCount) {
    auto next = holes.lower_bound(offset);
    if (next != holes.end() && offset + byteCount == next->first) {
        byteCount += next->second;
        next = holes.erase(next);
    }
    if (next != holes.begin()) {
        auto former = std::prev(next);
        if (former->first + former->second == offset) {
            former->second += byteCount;
            return;
        }
    }
    holes[offset] = byteCount;
}

} // namespace

void set_limits(const Limits &limits) {
    if (limits.isOpen != current.isOpen && accessDepth == 0) {
        set_protection(limits.isOpen ? PROT_READ | PROT_WRITE : PROT_NONE);
    }
    current = limits;
}

const Limits &limits() { return current; }

Access::Access() {
    if (accessDepth++ == 0 && !current.isOpen) set_protection(PROT_READ | PROT_WRITE);
}

Access::~Access() {
    if (--accessDepth == 0 && !current.isOpen) set_protection(PROT_NONE);
}

void *allocate(std::size_t byteCount) {
    if (byteCount > current.totalByteCount || liveByteCount > current.totalByteCount - byteCount) return nullptr;
    if (!reserve_arena()) return nullptr;
    Allocation allocation{byteCount, ++madeCount, current.guardByteCount, 0};
    allocation.blockByteCount = rounded_up(byteCount, alignment) + 2 * current.guardByteCount;
    if (usedEnd + allocation.blockByteCount > arenaByteCount) return nullptr;
    const Access access;
    char *block = arena + take_block(allocation.blockByteCount);
    char *address = block + allocation.guardByteCount;
    std::memset(block, guardByte, allocation.guardByteCount);
    std::memset(address, poisonByte, byteCount);
    std::memset(address + byteCount, guardByte, allocation.trailingByteCount());
    allocations[address] = allocation;
    liveByteCount += byteCount;
    peakByteCount = std::max(peakByteCount, liveByteCount);
    return address;
}

void poison(void *address) {
    const auto found = allocations.find(static_cast<char *>(address));
    if (found == allocations.end()) return;
    const Access access;
    std::memset(address, poisonByte, found->second.byteCount);
}

bool release(void *address) {
    const auto found = allocations.find(static_cast<char *>(address));
    if (found == allocations.end()) return false;
    const Allocation &allocation = found->second;
    char *block = allocation.block(found->first);
    {
        // What is used after its release reads NaN.
        const Access access;
        std::memset(block, poisonByte, allocation.blockByteCount);
    }
    give_block(std::size_t(block - arena), allocation.blockByteCount);
    liveByteCount -= allocation.byteCount;
    allocations.erase(found);
    return true;
}

void release_all() {
    allocations.clear();
    holes.clear();
    liveByteCount = 0;
    if (arena == nullptr) return;
    set_protection(PROT_NONE);
    madvise(arena, rounded_up(usedEnd, pageByteCount), MADV_DONTNEED);
    usedEnd = 0;
}

bool is_device_address(const void *address) {
    const char *byte = static_cast<const char *>(address);
    return arena != nullptr && byte >= arena && byte < arena + arenaByteCount;
}

bool is_allocation(const void *address) {
    return allocations.count(static_cast<char *>(const_cast<void *>(address))) != 0;
}

Place place_of(const void *address) {
    char *byte = static_cast<char *>(const_cast<void *>(address));
    auto next = allocations.upper_bound(byte);
    if (next == allocations.begin()) return {};
    --next;
    return {next->second.number, next->second.byteCount, std::size_t(byte - next->first)};
}

bool contains(const void *address, std::size_t byteCount, std::string *why) {
    const Place place = place_of(address);
    if (!is_device_address(address) || place.number == 0) {
        *why = formatted("%p is not device memory", address);
        return false;
    }
    if (place.offset <= place.byteCount && byteCount <= place.byteCount - place.offset) return true;
    *why = formatted("%zu bytes at offset %zu leave allocation %zu of %zu bytes", byteCount, place.offset, place.number,
                     place.byteCount);
    return false;
}

std::string guard_violation() {
    if (allocations.empty()) return {};
    const Access access;
    const auto first_bad = [](const char *bytes, std::size_t count) {
        std::size_t place = 0;
        while (place < count && static_cast<unsigned char>(bytes[place]) == guardByte) ++place;
        return place;
    };
    for (const auto &[address, allocation] : allocations) {
        const std::size_t before = first_bad(allocation.block(address), allocation.guardByteCount);
        if (before < allocation.guardByteCount)
            return formatted(
                "allocation %zu of %zu bytes was overwritten at offset -%zu: a write ran out of its bounds",
                allocation.number, allocation.byteCount, allocation.guardByteCount - before);
        const std::size_t behind = first_bad(address + allocation.byteCount, allocation.trailingByteCount());
        if (behind < allocation.trailingByteCount())
            return formatted("allocation %zu of %zu bytes was overwritten at offset %zu: a write ran out of its bounds",
                             allocation.number, allocation.byteCount, allocation.byteCount + behind);
    }
    return {};
}

std::size_t live_count() { return allocations.size(); }
std::size_t live_byte_count() { return liveByteCount; }
std::size_t peak_byte_count() { return peakByteCount; }
std::size_t allocation_count() { return madeCount; }

void forget_counts() {
    madeCount = 0;
    peakByteCount = liveByteCount;
}

} // namespace emulation::device_memory
