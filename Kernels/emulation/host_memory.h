// Page-locked host memory: plain memory that is counted, so that leaks show.
#pragma once

#include <cstddef>

namespace emulation::host_memory {

void *allocate(std::size_t byteCount); // null where there is none
bool release(void *address);           // false where `address` is not the start of an allocation
void release_all();
bool is_pinned(const void *address);

std::size_t live_count();
std::size_t live_byte_count();
std::size_t allocation_count();
void forget_counts();

} // namespace emulation::host_memory
