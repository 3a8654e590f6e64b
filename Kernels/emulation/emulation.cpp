#include "ckernels_emulation.h"

#include "device.h"
#include "failure.h"

#include <algorithm>
#include <cstring>

namespace emulation {

namespace {

std::int32_t configure_device(const emulation_options *options) {
    const auto lock = lock_device();
    const std::string wrong = options == nullptr ? "no options" : configure(*options);
    if (wrong.empty()) return 0;
    report(cudaErrorInvalidValue, "emulation: %s", wrong.c_str());
    return 1;
}

void reset() {
    const auto lock = lock_device();
    reset_device();
}

// Fills as much as the caller's structure holds, which may be older or newer.
void read(emulation_counters *counters) {
    const auto lock = lock_device();
    emulation_counters all{};
    const std::uint64_t byteCount = std::min<std::uint64_t>(counters->struct_size, sizeof all);
    read_counters(all);
    all.struct_size = counters->struct_size;
    std::memcpy(counters, &all, byteCount);
}

const char *message() {
    const auto lock = lock_device();
    return failure_message().c_str();
}

} // namespace

} // namespace emulation

__attribute__((visibility("default"))) const emulation_api *emulation_get_api(std::uint32_t abi_version) {
    static const emulation_api api{EMULATION_ABI_VERSION,  sizeof(emulation_api), emulation::configure_device,
                                   emulation::reset,       emulation::read,       emulation::message,
                                   emulation::on_host_wait};
    return abi_version == EMULATION_ABI_VERSION ? &api : nullptr;
}
