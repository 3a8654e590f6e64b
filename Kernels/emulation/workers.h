// The OS threads that run the blocks of a grid.
#pragma once

#include "ckernels_emulation.h"
#include "launch.h"

#include <cstdint>
#include <string>

namespace emulation {

// Runs every block of the launch on `workerCount` threads (0: one per core, at most 4). Empty, or the first failure in
// the order of blocks.
std::string run_grid(const Launch &launch, emulation_order order, std::uint64_t seed, int workerCount);

} // namespace emulation
