// What a warp's shuffles and votes compute once its lanes have come together.
#include "include/device_functions.h"

namespace emulation {

void combine_shuffles(WarpOperands operands) {
    for (unsigned lane = 0; lane < unsigned(warpSize); ++lane) {
        if (operands[lane] == nullptr) continue;
        Shuffle &shuffle = *static_cast<Shuffle *>(operands[lane]);
        const unsigned source = shuffle.source % unsigned(warpSize);
        if (operands[source] == nullptr)
            fail_lane("lane %u of the warp reads lane %u by a shuffle whose mask does not name that lane", lane,
                      source);
        shuffle.result = static_cast<const Shuffle *>(operands[source])->bits;
    }
}

void combine_votes(WarpOperands operands) {
    unsigned ballot = 0;
    for (unsigned lane = 0; lane < unsigned(warpSize); ++lane)
        if (operands[lane] != nullptr && static_cast<const Vote *>(operands[lane])->predicate) ballot |= 1u << lane;
    for (void *operand : operands)
        if (operand != nullptr) static_cast<Vote *>(operand)->ballot = ballot;
}

} // namespace emulation
