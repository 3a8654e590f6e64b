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
    float scale;
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
    load_tile(operands.query, tile.query, tile.end, head * width, width, queries);

    float outputs[outputCount] = {};
    float largest = -INFINITY, sum = 0;
    const std::int64_t lastKey =
        min(static_cast<std::int64_t>(tile.query) + queryCount, static_cast<std::int64_t>(tile.end));
    for (std::int64_t firstKey = tile.begin; firstKey < lastKey; firstKey += keyCount) {
        __syncthreads();
        load_tile(operands.key, firstKey, tile.end, keyColumn, width, keys);
        load_tile(operands.value, firstKey, tile.end, keyColumn, width, values);
        __syncthreads();

        float scores[keyCount / lanesPerQuery];
        float largestHere = largest;
        for (int j = 0; j < keyCount / lanesPerQuery; ++j) {
            const int key = j * lanesPerQuery + member;
            float score = 0;
            for (int i = 0; i < width; ++i) score += queries[row * stride + i] * keys[key * stride + i];
            scores[j] = firstKey + key <= token ? score * operands.scale : -INFINITY;
            // Not fmaxf, which would drop a NaN.
            largestHere = scores[j] > largestHere || scores[j] != scores[j] ? scores[j] : largestHere;
        }
        largestHere = largest_of_query(largestHere);
        // Rows beyond the sequence have seen nothing yet, and stay so.
        const float rescaling = largest == -INFINITY ? 0.0f : expf(largest - largestHere);
        float sumHere = 0;
        for (int j = 0; j < keyCount / lanesPerQuery; ++j) {
            const int key = j * lanesPerQuery + member;
            const float weight = firstKey + key <= token ? expf(scores[j] - largestHere) : 0.0f;
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

void attention_f32(ck_context &context, ck_tensor query, ck_tensor key, ck_tensor value, const std::int32_t *lengths,
                   std::int64_t sequenceCount, ck_heads heads, ck_tensor result) {
    const std::vector<AttentionTile> tiles = attention_tiles(lengths, sequenceCount, queryCount);
    if (tiles.empty()) return;
    const Scratch places(context, tiles.data(), static_cast<std::int64_t>(tiles.size() * sizeof(AttentionTile)));
    const Operands operands{matrix<const float>(query),       matrix<const float>(key),
                            matrix<const float>(value),       matrix<float>(result),
                            places.as<const AttentionTile>(), heads.query_count / heads.key_count,
                            static_cast<int>(heads.width),    heads.scale};
    if (heads.width <= 64) {
        run<16>(context, operands, tiles.size(), heads.query_count);
    } else if (heads.width <= 128) {
        run<32>(context, operands, tiles.size(), heads.query_count);
    } else {
        run<64>(context, operands, tiles.size(), heads.query_count);
    }
}

} // namespace straightedge
