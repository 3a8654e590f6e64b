// What the two kernels of attention share: the tiles of queries of packed sequences, and who takes which operands.
#pragma once

#include "context.h"

#include <cstdint>
#include <vector>

namespace straightedge {

// Where a tile's sequence begins, where it ends, and the tile's first query; rows of the packed tokens.
struct AttentionTile {
    std::int32_t begin;
    std::int32_t end;
    std::int32_t query;
    std::int32_t padding;
};

// One call's arguments; `slopes` lie on the device.
struct Attention {
    ck_tensor query;
    ck_tensor key;
    ck_tensor value;
    ck_tensor result;
    const std::int32_t *lengths;
    std::int64_t sequenceCount;
    ck_heads heads;
    ck_attention_rule rule;
    const float *slopes;

    // At most what a position can be.
    std::int32_t window() const;
    // All queries in tiles of `queryCount`, those with the most keys first: what is begun last is done soon.
    std::vector<AttentionTile> tiles(int queryCount) const;
};

// Operands of float32, and of float16 or bfloat16; heads are at most 256 wide.
void attention_f32(ck_context &, const Attention &);
void attention_on_tensor_cores(ck_context &, const Attention &);

} // namespace straightedge
