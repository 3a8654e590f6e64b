// Attention of either kind of operands, and the tiles that both go through.
#include "attention.h"

#include "operations.h"

#include <algorithm>
#include <limits>
#include <optional>

namespace straightedge {

std::int32_t Attention::window() const {
    return static_cast<std::int32_t>(std::min<std::int64_t>(rule.window, std::numeric_limits<std::int32_t>::max()));
}

std::vector<AttentionTile> Attention::tiles(int queryCount) const {
    std::vector<AttentionTile> tiles;
    std::int32_t begin = 0;
    for (std::int64_t i = 0; i < sequenceCount; ++i) {
        const std::int32_t end = begin + lengths[i];
        for (std::int32_t query = begin; query < end; query += queryCount) tiles.push_back({begin, end, query, 0});
        begin = end;
    }
    const auto keyCount = [window = window()](const AttentionTile &tile) {
        return std::min(tile.query - tile.begin, window);
    };
    std::stable_sort(tiles.begin(), tiles.end(),
                     [&](const AttentionTile &a, const AttentionTile &b) { return keyCount(a) > keyCount(b); });
    return tiles;
}

void attention(ck_context &context, ck_tensor query, ck_tensor key, ck_tensor value, const std::int32_t *lengths,
               std::int64_t sequenceCount, ck_heads heads, ck_attention_rule rule, const float *slopes,
               ck_tensor result) {
    if (heads.width > 256) {
        throw Failure{CK_DEVICE_FAILED, "attention: heads wider than 256 are not supported, and these are " +
                                            std::to_string(heads.width) + " wide"};
    }
    std::optional<Scratch> deviceSlopes;
    if (slopes != nullptr) {
        deviceSlopes.emplace(context, slopes, heads.query_count * static_cast<std::int64_t>(sizeof(float)));
    }
    const Attention call{query,  key,     value,
                         result, lengths, sequenceCount,
                         heads,  rule,    deviceSlopes ? deviceSlopes->as<const float>() : nullptr};
    const auto compute = query.type == CK_FLOAT32 ? attention_f32 : attention_on_tensor_cores;
    compute(context, call);
}

} // namespace straightedge
