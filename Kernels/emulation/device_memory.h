// Device memory: one range of addresses, closed to the host, in which every allocation stands between guard bands.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace emulation::device_memory {

struct Limits {
    std::size_t totalByteCount = std::size_t(2) << 30;
    std::size_t guardByteCount = 512;
    bool isOpen = false;
};
void set_limits(const Limits &limits);
const Limits &limits();

// Opens device memory to this process while it lives. Nests.
class Access {
  public:
    Access();
    ~Access();
    Access(const Access &) = delete;
    Access &operator=(const Access &) = delete;
};

// Null where the device's memory does not suffice. Fresh memory is NaN in every type.
void *allocate(std::size_t byteCount);
// Fills an allocation anew with NaN, as at the moment when cudaMallocAsync takes effect.
void poison(void *address);
// False where `address` is not the start of an allocation.
bool release(void *address);
void release_all();

bool is_device_address(const void *address);
// The allocation that holds the address or lies before it; number 0 where there is none. Safe in a signal handler.
struct Place {
    std::size_t number = 0;
    std::size_t byteCount = 0;
    std::size_t offset = 0;
};
Place place_of(const void *address);
bool is_allocation(const void *address);
// Whether the whole range lies in one allocation. `why` names what is wrong otherwise.
bool contains(const void *address, std::size_t byteCount, std::string *why);

// Looks at the guard bands of every allocation; describes the first violation, or is empty.
std::string guard_violation();

std::size_t live_count();
std::size_t live_byte_count();
std::size_t peak_byte_count();
std::size_t allocation_count();
void forget_counts();

} // namespace emulation::device_memory
