// What tensor_core.h calls in the emulation.
#pragma once

#include "lane.h"

#include <cstdint>

namespace emulation {

void mma_m16n8k16_bf16(float (&sums)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]);
void mma_m16n8k16_f16(float (&sums)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]);
void mma_m16n8k8_tf32(float (&sums)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]);
std::uint32_t float_to_tf32(float value);

// `matrices` has `count` elements.
void ldmatrix(std::uint32_t *matrices, unsigned count, const void *row, bool isTransposed);

} // namespace emulation
