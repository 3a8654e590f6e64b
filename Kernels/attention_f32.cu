// Causal grouped-query attention over packed sequences in one pass, with float32 operands.
//
// A block takes the queries of one tile of one sequence and one head, and goes over the keys in tiles. Of each row it
// keeps the largest score so far and the sum of exponentials, and rescales what it has gathered when a larger score
// comes (Milakov and Gimelshein 2018; Dao 2022): no matrix of scores is ever in memory.
#include "attention.h"
#include "tensors.h"

namespace straightedge {
namespace {

// Queries of a block, keys of a step, and lanes that share one query.
constexpr int queryCount = 32;
constexpr int keyCount = 32;
constexpr int lanesPerQuery = 4;
constexpr int laneCount = queryCount * lanesPerQuery;

struct Operands {
    Matrix<const float> query;
    Matrix<const float> key;
    Matrix<const float> value;
    Matrix<float> result;
    const AttentionTile *tiles;
    std::int64_t groupCount;
    int width;
    int window;
    float scale;
    // 0 where there is none.
    float softCap;
    // Of each query head; null where there are none.
    const float *slopes;
};

// Floats of shared memory between two rows: one more than the width, so that lanes of a column meet different banks.
__host__ __device__ __forceinline__ int row_stride(int width) { return width + 1; }

std::size_t shared_byte_count(int width) {
    return sizeof(float) * (3 * queryCount * static_cast<std::size_t>(row_stride(width)) + queryCount * (keyCount + 1));
}

// Rows first..<first + 32 of one head into shared memory, zeros beyond `end`.
__device__ __forceinline__ void load_tile(Matrix<const float> source, std::int64_t first, std::int64_t end,
                                          std::int64_t column, int width, float *tile) {
    for (int i = threadIdx.x; i < queryCount * width; i += laneCount) {
        const int row = i / width, place = i % width;
        tile[row * row_stride(width) + place] = first + row < end ? source.row(first + row)[column + place] : 0.0f;
    }
}

__device__ __forceinline__ float largest_of_query(float value) {
    for (int offset = 1; offset < lanesPerQuery; offset *= 2) {
        value = fmaxf(value, __shfl_xor_sync(0xFFFFFFFFu, value, offset));
    }
    return value;
}

__device__ __forceinline__ float sum_of_query(float value) {
    for (int offset = 1; offset < lanesPerQuery; offset *= 2) value += __shfl_xor_sync(0xFFFFFFFFu, value, offset);
    return value;
}

// The score of a product of a query and a key, `distance` tokens before it.
__device__ __forceinline__ float score_of(float product, std::int64_t distance, float slope, const Operands &operands) {
    float score = product * operands.scale;
    if (operands.softCap != 0) score = operands.softCap * tanhf(score / operands.softCap);
    if (operands.slopes != nullptr) score -= slope * static_cast<float>(distance);
    return score;
}

// `outputCount` is at least a lane's share of the head's width.
template <int outputCount> __global__ void __launch_bounds__(laneCount) attention(Operands operands) {
    const int width = operands.width, stride = row_stride(width);
    float *const queries = dynamic_shared<float>();
    float *const keys = queries + queryCount * stride;
    float *const values = keys + keyCount * stride;
    float *const weights = values + keyCount * stride;

    const AttentionTile tile = operands.tiles[blockIdx.x];
    const std::int64_t head = blockIdx.y;
    const std::int64_t keyColumn = head / operands.groupCount * width;
    const int row = threadIdx.x / lanesPerQuery, member = threadIdx.x % lanesPerQuery;
    const std::int64_t token = tile.query + row;
    const float slope = operands.slopes != nullptr ? operands.slopes[head] : 0;
    load_tile(operands.query, tile.query, tile.end, head * width, width, queries);

    float outputs[outputCount] = {};
    float largest = -INFINITY, sum = 0;
    // From the first key that the first query sees.
    std::int64_t firstKey = max(static_cast<std::int64_t>(tile.begin), std::int64_t{tile.query} - operands.window + 1);
    const std::int64_t lastKey = min(std::int64_t{tile.query} + queryCount, static_cast<std::int64_t>(tile.end));
    for (; firstKey < lastKey; firstKey += keyCount) {
        const auto is_seen = [&](int key) {
            return firstKey + key <= token && token - (firstKey + key) < operands.window;
        };
        __syncthreads();
        load_tile(operands.key, firstKey, tile.end, keyColumn, width, keys);
        load_tile(operands.value, firstKey, tile.end, keyColumn, width, values);
        __syncthreads();

        float scores[keyCount / lanesPerQuery];
        float largestHere = largest;
        for (int j = 0; j < keyCount / lanesPerQuery; ++j) {
            const int key = j * lanesPerQuery + member;
            float product = 0;
            for (int i = 0; i < width; ++i) product += queries[row * stride + i] * keys[key * stride + i];
            scores[j] = is_seen(key) ? score_of(product, token - (firstKey + key), slope, operands) : -INFINITY;
            // Not fmaxf, which would drop a NaN.
            largestHere = scores[j] > largestHere || scores[j] != scores[j] ? scores[j] : largestHere;
        }
        largestHere = largest_of_query(largestHere);
        // A row may have seen nothing yet.
        const float rescaling = largest == -INFINITY ? 0.0f : expf(largest - largestHere);
        float sumHere = 0;
        for (int j = 0; j < keyCount / lanesPerQuery; ++j) {
            const int key = j * lanesPerQuery + member;
            const float weight = is_seen(key) ? expf(scores[j] - largestHere) : 0.0f;
            weights[row * (keyCount + 1) + key] = weight;
            sumHere += weight;
        }
        sum = sum * rescaling + sum_of_query(sumHere);
        largest = largestHere;
        // A query's weights are written and read by lanes of one warp.
        __syncwarp();
        for (int i = 0; i < outputCount; ++i) {
            const int place = i * lanesPerQuery + member;
            if (place >= width) continue;
            float output = outputs[i] * rescaling;
            for (int key = 0; key < keyCount; ++key) {
                output += weights[row * (keyCount + 1) + key] * values[key * stride + place];
            }
            outputs[i] = output;
        }
    }
    if (token >= tile.end) return;
    float *result = operands.result.row(token) + head * width;
    for (int i = 0; i < outputCount; ++i) {
        const int place = i * lanesPerQuery + member;
        if (place < width) result[place] = outputs[i] / sum;
    }
}

template <int outputCount>
void run(ck_context &context, const Operands &operands, std::size_t tileCount, std::int64_t headCount) {
    CHECK(launch(attention<outputCount>, dim3(static_cast<unsigned>(tileCount), static_cast<unsigned>(headCount)),
                 dim3(laneCount), shared_byte_count(operands.width), context.stream, operands));
}

} // namespace

void attention_f32(ck_context &context, const Attention &call) {
    const ck_heads heads = call.heads;
    const std::vector<AttentionTile> tiles = call.tiles(queryCount);
    if (tiles.empty()) return;
    const Scratch places(context, tiles.data(), static_cast<std::int64_t>(tiles.size() * sizeof(AttentionTile)));
    const Operands operands{matrix<const float>(call.query),
                            matrix<const float>(call.key),
                            matrix<const float>(call.value),
                            matrix<float>(call.result),
                            places.as<const AttentionTile>(),
                            heads.query_count / heads.key_count,
                            static_cast<int>(heads.width),
                            call.window(),
                            call.rule.scale,
                            call.rule.soft_cap,
                            call.slopes};
    if (heads.width <= 64) {
        run<16>(context, operands, tiles.size(), heads.query_count);
    } else if (heads.width <= 128) {
        run<32>(context, operands, tiles.size(), heads.query_count);
    } else {
        run<64>(context, operands, tiles.size(), heads.query_count);
    }
}

} // namespace straightedge
