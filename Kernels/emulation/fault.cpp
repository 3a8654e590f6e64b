#include "fault.h"

#include "block.h"
#include "device_memory.h"

#include <csignal>
#include <cstdint>
#include <cstring>
#include <unistd.h>

namespace emulation {

namespace {

struct sigaction formerSegv, formerBus;

// One line of text, put together without what a signal handler may not call.
class Line {
  public:
    Line &operator<<(const char *part) {
        while (*part != 0 && length < sizeof text) text[length++] = *part++;
        return *this;
    }
    Line &operator<<(std::uint64_t value) { return number(value, 10); }
    Line &operator<<(const void *address) {
        return (*this << "0x").number(reinterpret_cast<std::uintptr_t>(address), 16);
    }
    Line &operator<<(const uint3 &index) {
        return *this << "(" << index.x << ", " << index.y << ", " << index.z << ")";
    }
    void write_to(int descriptor) const {
        const ssize_t written = write(descriptor, text, length);
        (void)written;
    }

  private:
    Line &operator<<(unsigned value) { return number(value, 10); }
    Line &number(std::uint64_t value, unsigned base) {
        char digits[24];
        char *digit = digits + sizeof digits - 1;
        *digit = 0;
        do {
            *--digit = "0123456789abcdef"[value % base];
        } while ((value /= base) != 0);
        return *this << static_cast<const char *>(digit);
    }

    char text[512];
    std::size_t length = 0;
};

void explain(int signal, siginfo_t *info, void *) {
    Line line;
    if (current_lane != nullptr) {
        line << "emulation: " << current_lane->runner->kernel_name() << ", block " << current_lane->block << ", lane "
             << current_lane->thread << ": touched " << static_cast<const void *>(info->si_addr)
             << ", which is not its memory (or its stack overflowed)\n";
    } else if (device_memory::is_device_address(info->si_addr)) {
        const device_memory::Place place = device_memory::place_of(info->si_addr);
        line << "emulation: host dereference of device memory at " << static_cast<const void *>(info->si_addr);
        if (place.number != 0)
            line << (place.offset < place.byteCount ? ", in" : ", behind") << " allocation "
                 << std::uint64_t(place.number) << " of " << std::uint64_t(place.byteCount) << " bytes, offset "
                 << std::uint64_t(place.offset);
        line << "; copy with cudaMemcpy, or touch it in a kernel\n";
    }
    line.write_to(STDERR_FILENO);
    // The instruction faults again on return, under the former handler.
    sigaction(signal, signal == SIGBUS ? &formerBus : &formerSegv, nullptr);
}

} // namespace

void explain_faults() {
    static bool isInstalled = false;
    if (isInstalled) return;
    isInstalled = true;
    struct sigaction action {};
    action.sa_sigaction = explain;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, &formerSegv);
    sigaction(SIGBUS, &action, &formerBus);
}

} // namespace emulation
