// Attention of either kind of operands, and the tiles that both go through.
#include "attention.h"

#include "operations.h"

#include <algorithm>

namespace straightedge {

std::vector<AttentionTile> attention_tiles(const std::int32_t *lengths, std::int64_t sequenceCount, int queryCount) {
    std::vector<AttentionTile> tiles;
    std::int32_t begin = 0;
    for (std::int64_t i = 0; i < sequenceCount; ++i) {
        const std::int32_t end = begin + lengths[i];
        for (std::int32_t query = begin; query < end; query += queryCount) tiles.push_back({begin, end, query, 0});
        begin = end;
    }
    std::stable_sort(tiles.begin(), tiles.end(), [](const AttentionTile &a, const AttentionTile &b) {
        return a.query - a.begin > b.query - b.begin;
    });
    return tiles;
}

void attention(ck_context &context, ck_tensor query, ck_tensor key, ck_tensor value, const std::int32_t *lengths,
               std::int64_t sequenceCount, ck_heads heads, ck_tensor result) {
    if (heads.width > 256) {
        throw Failure{CK_DEVICE_FAILED, "attention: heads wider than 256 are not supported, and these are " +
                                            std::to_string(heads.width) + " wide"};
    }
    const auto compute = query.type == CK_FLOAT32 ? attention_f32 : attention_on_tensor_cores;
    compute(context, query, key, value, lengths, sequenceCount, heads, result);
}

} // namespace straightedge
