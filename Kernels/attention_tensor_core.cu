// Causal grouped-query attention over packed sequences in one pass, with float16 or bfloat16 operands on tensor cores.
//
// As in FlashAttention-2 (Dao 2023) each warp keeps some queries of one head, and for them the largest score so far,
// the sum of exponentials and the outputs in float32, in registers. Keys and values come in tiles through shared
// memory, the next tile while one is worked on. Weights are rounded to the operands' type between the two products, and
// never leave the registers. Tiles that no query of the block sees are not visited, and only tiles that some query sees
// in part are masked.
#include "attention.h"
#include "tensor_core.h"
#include "tensors.h"

#include <cfloat>
#include <cmath>
#include <cstring>

namespace straightedge {
namespace {

constexpr int warpCount = 4;
constexpr int laneCount = warpCount * warpLaneCount;
constexpr float log2OfE = 1.44269504f;
// Rows of a fragment of queries, and keys of a step of the second product.
constexpr int fragmentCount = 16;
// Elements of the 16 bytes in which shared memory is filled and read.
constexpr int chunkElementCount = 8;

// The shares of work for heads that are padded to `width`; shared memory stays below the 99 KiB of the smallest GPUs.
template <int width> struct Shares {
    // Fragments of 16 queries of a warp; two halve what is read of keys and values, while registers suffice.
    static constexpr int fragmentsPerWarp = width <= 128 ? 2 : 1;
    static constexpr int queriesPerWarp = fragmentsPerWarp * fragmentCount;
    static constexpr int queryCount = queriesPerWarp * warpCount;
    static constexpr int keyCount = width <= 128 ? 64 : 32;
    static constexpr std::size_t sharedElementCount = width * (queryCount + 4 * keyCount);
};

// How products of queries and keys become exponents of 2, which are `weightScale` times what is compared.
struct ScoreRule {
    // Tokens that a query sees, with itself.
    int window;
    // score ← cap · tanh(score · capScale) where `cap` is not 0.
    float cap;
    float capScale;
    // score ← score · slopeScale + slope · (key - query) where there are slopes, of each query head.
    const float *slopes;
    float slopeScale;
    // Positive.
    float weightScale;
};

template <typename T> struct Operands {
    Matrix<const T> query;
    Matrix<const T> key;
    Matrix<const T> value;
    Matrix<T> result;
    const AttentionTile *tiles;
    int headCount;
    int groupCount;
    int width;
    ScoreRule rule;
    bool negatesQueries;
    // Rows of whole chunks that begin at whole chunks.
    bool operandsAreAligned;
    bool resultIsAligned;
};

// MARK: Types

template <typename T> struct Arithmetic;

template <> struct Arithmetic<__nv_bfloat16> {
    static constexpr std::uint32_t exponentMask = 0x7F80u;
    static constexpr float weightExponent = 0;

    static __device__ __forceinline__ void multiply(float (&sums)[4], const std::uint32_t (&a)[4],
                                                    const std::uint32_t (&b)[2]) {
        mma_m16n8k16_bf16(sums, a, b);
    }
    static __device__ __forceinline__ __nv_bfloat162 pair(float low, float high) {
        return __floats2bfloat162_rn(low, high);
    }
};

template <> struct Arithmetic<__half> {
    static constexpr std::uint32_t exponentMask = 0x7C00u;
    // Weights are taken times 2^8, so that small ones are not lost below float16's range.
    static constexpr float weightExponent = 8;

    static __device__ __forceinline__ void multiply(float (&sums)[4], const std::uint32_t (&a)[4],
                                                    const std::uint32_t (&b)[2]) {
        mma_m16n8k16_f16(sums, a, b);
    }
    static __device__ __forceinline__ __half2 pair(float low, float high) { return __floats2half2_rn(low, high); }
};

// Two numbers rounded, the first in the lower half.
template <typename T> __device__ __forceinline__ std::uint32_t packed(float low, float high) {
    const auto pair = Arithmetic<T>::pair(low, high);
    std::uint32_t bits;
    static_assert(sizeof pair == sizeof bits, "two numbers of 16 bits");
    std::memcpy(&bits, &pair, sizeof bits);
    return bits;
}

// Whether one of two numbers is infinite or NaN.
template <typename T> __device__ __forceinline__ bool has_non_finite(std::uint32_t bits) {
    constexpr std::uint32_t mask = Arithmetic<T>::exponentMask;
    return (bits & mask) == mask || (bits >> 16 & mask) == mask;
}

// The lane's number in its warp, read anew: what is computed from it is not kept in registers between two tiles.
__device__ __forceinline__ int lane_number() {
#if defined(STRAIGHTEDGE_EMULATION)
    return threadIdx.x % warpLaneCount;
#else
    int result;
    asm volatile("mov.u32 %0, %%laneid;" : "=r"(result));
    return result;
#endif
}

// 2^x within about two units in the last place of float32; 0 below 2^-126.
__device__ __forceinline__ float power_of_two(float x) {
#if defined(STRAIGHTEDGE_EMULATION)
    return exp2f(x);
#else
    float result;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
#endif
}

// 1 / x within one unit in the last place of float32; 0 of infinity.
__device__ __forceinline__ float reciprocal(float x) {
#if defined(STRAIGHTEDGE_EMULATION)
    return 1 / x;
#else
    float result;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
#endif
}

// tanh(x) within 2^-18 of itself.
__device__ __forceinline__ float hyperbolic_tangent(float x) {
    const float square = x * x;
    const float series = x * (1 + square * (square * (2.0f / 15) - 1.0f / 3));
    return fabsf(x) < 0.125f ? series : 1 - 2 * reciprocal(1 + power_of_two(x * 2.88539008f));
}

// MARK: Shared memory

// Rows of chunks without padding. A row's chunks change places among each other such that chunks of one number from
// eight consecutive rows lie in different banks, whatever the row's length.
template <typename T, int width> struct SharedRows {
    static constexpr int chunkCount = width / chunkElementCount;

    T *elements;

    __device__ __forceinline__ T *chunk(int row, int number) const {
        constexpr int exchangedCount = chunkCount % 8 == 0 ? 8 : chunkCount % 4 == 0 ? 4 : 2;
        static_assert(chunkCount % exchangedCount == 0, "heads are padded to whole fragments");
        const int place = number ^ (row / (8 / exchangedCount) % exchangedCount);
        return elements + (row * chunkCount + place) * chunkElementCount;
    }
};

// Starts to fill `rowCount` rows with rows `first`... of one head; zeros beyond row `end` and the head's width.
template <int rowCount, typename T, int width>
__device__ __forceinline__ void load_rows(SharedRows<T, width> rows, Matrix<const T> source, std::int64_t first,
                                          std::int64_t end, std::int64_t column, int headWidth, bool isAligned) {
    constexpr int chunkCount = SharedRows<T, width>::chunkCount;
#pragma unroll 1
    for (int i = threadIdx.x; i < rowCount * chunkCount; i += laneCount) {
        const int row = i / chunkCount, number = i % chunkCount;
        const int elementCount = first + row < end ? headWidth - number * chunkElementCount : 0;
        T *const chunk = rows.chunk(row, number);
        const T *const elements =
            elementCount > 0 ? source.row(first + row) + column + number * chunkElementCount : source.elements;
        if (isAligned) {
            copy_async<16>(chunk, elements, elementCount > 0 ? 16 : 0);
        } else {
            for (int j = 0; j < chunkElementCount; ++j) chunk[j] = j < elementCount ? elements[j] : from_float<T>(0);
        }
    }
}

// Changes the signs of what this lane loaded.
template <int rowCount, typename T, int width> __device__ __forceinline__ void negate_rows(SharedRows<T, width> rows) {
    constexpr int chunkCount = SharedRows<T, width>::chunkCount;
    for (int i = threadIdx.x; i < rowCount * chunkCount; i += laneCount) {
        T *const chunk = rows.chunk(i / chunkCount, i % chunkCount);
        for (int j = 0; j < chunkElementCount; ++j) chunk[j] = from_float<T>(-to_float(chunk[j]));
    }
}

// MARK: A warp and a tile of keys

// What a warp has gathered for its queries, in the layout of the products' sums: of fragment f and row half h, this
// lane has query 16 * f + 8 * h + lane / 4.
template <int width> struct Gathered {
    static constexpr int fragmentsPerWarp = Shares<width>::fragmentsPerWarp;

    float outputs[fragmentsPerWarp][width / 8][4];
    // A weight is 2^(scale · score - offset), of the row's largest score 2^weightExponent, and of -∞ always 0: offsets
    // are finite where scores are. Sums are of this lane's columns.
    float offsets[fragmentsPerWarp][2];
    float sums[fragmentsPerWarp][2];
};

template <typename T>
__device__ __forceinline__ void multiply_pair(float (&low)[4], float (&high)[4], const std::uint32_t (&a)[4],
                                              const std::uint32_t (&b)[4]) {
    const std::uint32_t first[2] = {b[0], b[1]}, second[2] = {b[2], b[3]};
    Arithmetic<T>::multiply(low, a, first);
    Arithmetic<T>::multiply(high, a, second);
}

// Queries and keys that follow each other, counted from the sequence's start.
struct Meeting {
    int firstQuery;
    int queryCount;
    int firstKey;
    int keyCount;

    // Whether no query sees a key.
    __device__ __forceinline__ bool is_hidden(int window) const {
        return firstKey >= firstQuery + queryCount || firstQuery - (firstKey + keyCount - 1) >= window;
    }
    // Whether every query sees every key.
    __device__ __forceinline__ bool is_seen(int window) const {
        return firstKey + keyCount - 1 <= firstQuery && firstQuery + queryCount - 1 - firstKey < window;
    }
};

// A query sees the `window` keys at distances 0, 1, ..., and none behind it.
__device__ __forceinline__ bool sees(int query, int key, int window) {
    return static_cast<unsigned>(query - key) < static_cast<unsigned>(window);
}

// scores = queries · keysᵀ, but for those that are hidden.
template <bool isMasked, typename T, int width>
__device__ __forceinline__ void
multiply_by_keys(float (&scores)[Shares<width>::fragmentsPerWarp][Shares<width>::keyCount / 8][4],
                 SharedRows<T, width> queries, SharedRows<T, width> keys, int firstQuery, int firstKey, int window) {
    using Share = Shares<width>;
    const int lane = lane_number();
#pragma unroll
    for (int i = 0; i < width / 16; ++i) {
        std::uint32_t a[Share::fragmentsPerWarp][4];
#pragma unroll
        for (int f = 0; f < Share::fragmentsPerWarp; ++f) {
            ldmatrix_x4(a[f], queries.chunk(f * fragmentCount + lane % 16, 2 * i + lane / 16));
        }
#pragma unroll
        for (int step = 0; step < Share::keyCount / 16; ++step) {
            const int key = firstKey + 16 * step;
            if (isMasked && Meeting{firstQuery, Share::queriesPerWarp, key, 16}.is_hidden(window)) continue;
            std::uint32_t b[4];
            ldmatrix_x4(b, keys.chunk(16 * step + lane % 8 + lane / 16 * 8, 2 * i + lane / 8 % 2));
#pragma unroll
            for (int f = 0; f < Share::fragmentsPerWarp; ++f) {
                const int query = firstQuery + fragmentCount * f;
                if (isMasked && Meeting{query, fragmentCount, key, 16}.is_hidden(window)) continue;
                multiply_pair<T>(scores[f][2 * step], scores[f][2 * step + 1], a[f], b);
            }
        }
    }
}

// score ← body(score, distance), the distance of the query from the key.
template <typename Body, int fragmentsPerWarp, int columnCount>
__device__ __forceinline__ void replace_scores(float (&scores)[fragmentsPerWarp][columnCount][4], int firstQuery,
                                               int firstKey, Body body) {
    const int lane = threadIdx.x % warpLaneCount;
    const int first = firstQuery + lane / 4 - (firstKey + lane % 4 * 2);
#pragma unroll
    for (int f = 0; f < fragmentsPerWarp; ++f) {
#pragma unroll
        for (int j = 0; j < columnCount; ++j) {
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                scores[f][j][e] = body(scores[f][j][e], first + fragmentCount * f + e / 2 * 8 - (8 * j + e % 2));
            }
        }
    }
}

// Caps and slopes the scores where the rule does, and hides what is not seen behind -∞.
template <bool isMasked, int fragmentsPerWarp, int columnCount>
__device__ __forceinline__ void apply(const ScoreRule &rule, const float &slope,
                                      float (&scores)[fragmentsPerWarp][columnCount][4], int firstQuery, int firstKey) {
    if (rule.cap != 0) {
        replace_scores(scores, firstQuery, firstKey,
                       [&](float score, int) { return rule.cap * hyperbolic_tangent(score * rule.capScale); });
    }
    if (rule.slopes != nullptr) {
        replace_scores(scores, firstQuery, firstKey, [&](float score, int distance) {
            return score * rule.slopeScale - slope * static_cast<float>(distance);
        });
    }
    if constexpr (isMasked) {
        replace_scores(scores, firstQuery, firstKey,
                       [&](float score, int distance) { return sees(distance, 0, rule.window) ? score : -INFINITY; });
    }
}

// weights = 2^(scale · (score - largest)), rounded, and what was gathered rescaled where `largest` grew. The sums of
// the first product lie in registers just as the second wants its left operand.
template <typename T, int width>
__device__ __forceinline__ void
weigh(const float (&scores)[Shares<width>::fragmentsPerWarp][Shares<width>::keyCount / 8][4], Gathered<width> &gathered,
      float scale, std::uint32_t (&weights)[Shares<width>::fragmentsPerWarp][Shares<width>::keyCount / 16][4]) {
    using Share = Shares<width>;
    float rescalings[Share::fragmentsPerWarp][2];
    bool haveGrown = false;
#pragma unroll
    for (int f = 0; f < Share::fragmentsPerWarp; ++f) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
            // A NaN may be passed over: its own weight is one, and so is then the row.
            float largest = -INFINITY;
#pragma unroll
            for (int j = 0; j < Share::keyCount / 8; ++j) {
                largest = fmaxf(largest, fmaxf(scores[f][j][2 * h], scores[f][j][2 * h + 1]));
            }
            largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFFu, largest, 1));
            largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFFu, largest, 2));
            const float before = gathered.offsets[f][h];
            gathered.offsets[f][h] = fmaxf(before, largest * scale - Arithmetic<T>::weightExponent);
            rescalings[f][h] = power_of_two(before - gathered.offsets[f][h]);
            haveGrown = haveGrown || rescalings[f][h] != 1;
        }
    }
    // Seldom after the first tiles.
    if (__any_sync(0xFFFFFFFFu, haveGrown)) {
#pragma unroll
        for (int f = 0; f < Share::fragmentsPerWarp; ++f) {
#pragma unroll
            for (int h = 0; h < 2; ++h) {
                gathered.sums[f][h] *= rescalings[f][h];
#pragma unroll
                for (int n = 0; n < width / 8; ++n) {
                    gathered.outputs[f][n][2 * h] *= rescalings[f][h];
                    gathered.outputs[f][n][2 * h + 1] *= rescalings[f][h];
                }
            }
        }
    }
#pragma unroll
    for (int f = 0; f < Share::fragmentsPerWarp; ++f) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
#pragma unroll
            for (int j = 0; j < Share::keyCount / 8; ++j) {
                const float low = power_of_two(scores[f][j][2 * h] * scale - gathered.offsets[f][h]);
                const float high = power_of_two(scores[f][j][2 * h + 1] * scale - gathered.offsets[f][h]);
                gathered.sums[f][h] += low + high;
                weights[f][j / 2][j % 2 * 2 + h] = packed<T>(low, high);
            }
        }
    }
}

// A pair of neighbouring 16-bit elements of which only the one in place `index`, 0 or 1, is kept, if any.
__device__ __forceinline__ std::uint32_t only(std::uint32_t pair, int index) {
    return index == 0 ? pair & 0xFFFFu : index == 1 ? pair & 0xFFFF0000u : 0;
}

// As multiply_pair, for sixteen queries and keys of which some do not see each other, `distance` between the first: a
// hidden infinity or NaN, times a weight of 0, must not reach the query. Where there is one the keys are taken one by
// one.
template <typename T>
__device__ __forceinline__ void multiply_visible(float (&low)[4], float (&high)[4], const std::uint32_t (&a)[4],
                                                 const std::uint32_t (&b)[4], int distance, int window) {
    const bool isSpecial =
        has_non_finite<T>(b[0]) || has_non_finite<T>(b[1]) || has_non_finite<T>(b[2]) || has_non_finite<T>(b[3]);
    if (!__any_sync(0xFFFFFFFFu, isSpecial)) {
        multiply_pair<T>(low, high, a, b);
        return;
    }
    const int lane = threadIdx.x % warpLaneCount;
#pragma unroll 1
    for (int key = 0; key < 16; ++key) {
        const int first = key - lane % 4 * 2, second = first - 8;
        const std::uint32_t keyA[4] = {only(a[0], first), only(a[1], first), only(a[2], second), only(a[3], second)};
        const std::uint32_t keyB[4] = {only(b[0], first), only(b[1], second), only(b[2], first), only(b[3], second)};
        float lowSums[4] = {low[0], low[1], low[2], low[3]}, highSums[4] = {high[0], high[1], high[2], high[3]};
        multiply_pair<T>(lowSums, highSums, keyA, keyB);
#pragma unroll
        for (int e = 0; e < 4; ++e) {
            if (!sees(distance + lane / 4 + e / 2 * 8, key, window)) continue;
            low[e] = lowSums[e];
            high[e] = highSums[e];
        }
    }
}

// outputs += weights · values.
template <bool isMasked, typename T, int width>
__device__ __forceinline__ void
add_values(const std::uint32_t (&weights)[Shares<width>::fragmentsPerWarp][Shares<width>::keyCount / 16][4],
           Gathered<width> &gathered, SharedRows<T, width> values, int firstQuery, int firstKey, int window) {
    using Share = Shares<width>;
    const int lane = lane_number();
#pragma unroll
    for (int step = 0; step < Share::keyCount / 16; ++step) {
        const int key = firstKey + 16 * step;
        if (isMasked && Meeting{firstQuery, Share::queriesPerWarp, key, 16}.is_hidden(window)) continue;
#pragma unroll
        for (int n = 0; n < width / 16; ++n) {
            std::uint32_t b[4];
            ldmatrix_x4_transposed(b, values.chunk(16 * step + lane % 16, 2 * n + lane / 16));
#pragma unroll
            for (int f = 0; f < Share::fragmentsPerWarp; ++f) {
                float(&low)[4] = gathered.outputs[f][2 * n];
                float(&high)[4] = gathered.outputs[f][2 * n + 1];
                const Meeting meeting{firstQuery + fragmentCount * f, fragmentCount, key, 16};
                if (isMasked && meeting.is_hidden(window)) continue;
                if (isMasked && !meeting.is_seen(window)) {
                    multiply_visible<T>(low, high, weights[f][step], b, meeting.firstQuery - key, window);
                } else {
                    multiply_pair<T>(low, high, weights[f][step], b);
                }
            }
        }
    }
}

template <bool isMasked, typename T, int width>
__device__ __forceinline__ void attend(Gathered<width> &gathered, SharedRows<T, width> queries,
                                       SharedRows<T, width> keys, SharedRows<T, width> values, int firstQuery,
                                       int firstKey, const ScoreRule &rule, const float &slope) {
    float scores[Shares<width>::fragmentsPerWarp][Shares<width>::keyCount / 8][4] = {};
    multiply_by_keys<isMasked>(scores, queries, keys, firstQuery, firstKey, rule.window);
    apply<isMasked>(rule, slope, scores, firstQuery, firstKey);
    std::uint32_t weights[Shares<width>::fragmentsPerWarp][Shares<width>::keyCount / 16][4];
    weigh<T>(scores, gathered, rule.weightScale, weights);
    add_values<isMasked>(weights, gathered, values, firstQuery, firstKey, rule.window);
}

// MARK: The end of a warp

// Divides by the sums, and stores the rows before `end` by way of the warp's own rows of shared memory.
template <typename T, int width>
__device__ __forceinline__ void store(Gathered<width> &gathered, SharedRows<T, width> rows, Matrix<T> result,
                                      std::int64_t first, std::int64_t end, std::int64_t column, int headWidth,
                                      bool isAligned) {
    const int lane = threadIdx.x % warpLaneCount;
    // The queries have been read.
    __syncwarp();
#pragma unroll
    for (int f = 0; f < Shares<width>::fragmentsPerWarp; ++f) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
            float sum = gathered.sums[f][h];
            sum += __shfl_xor_sync(0xFFFFFFFFu, sum, 1);
            sum += __shfl_xor_sync(0xFFFFFFFFu, sum, 2);
            const float factor = 1 / sum;
#pragma unroll
            for (int n = 0; n < width / 8; ++n) {
                const float(&outputs)[4] = gathered.outputs[f][n];
                const std::uint32_t pair = packed<T>(outputs[2 * h] * factor, outputs[2 * h + 1] * factor);
                T *const chunk = rows.chunk(f * fragmentCount + lane / 4 + 8 * h, n);
                std::memcpy(chunk + lane % 4 * 2, &pair, sizeof pair);
            }
        }
    }
    __syncwarp();
    constexpr int chunkCount = SharedRows<T, width>::chunkCount;
    for (int i = lane; i < Shares<width>::queriesPerWarp * chunkCount; i += warpLaneCount) {
        const int row = i / chunkCount, number = i % chunkCount;
        const int elementCount = headWidth - number * chunkElementCount;
        if (first + row >= end || elementCount <= 0) continue;
        const T *const chunk = rows.chunk(row, number);
        T *const elements = result.row(first + row) + column + number * chunkElementCount;
        if (isAligned) {
            *reinterpret_cast<uint4 *>(elements) = *reinterpret_cast<const uint4 *>(chunk);
        } else {
            for (int j = 0; j < chunkElementCount && j < elementCount; ++j) elements[j] = chunk[j];
        }
    }
}

// MARK: Kernel and launch

// What a block computes. It lies in shared memory, as registers are scarce.
struct Work {
    AttentionTile tile;
    // Counted from the sequence's start.
    int queryEnd;
    int keyEnd;
    int queryColumn;
    int keyColumn;
    // Of exponents of 2.
    float slope;
};

template <typename T> __device__ Work work_of_block(const Operands<T> &operands, int queryCount) {
    const AttentionTile tile = operands.tiles[static_cast<int>(blockIdx.x) / operands.headCount];
    const int head = static_cast<int>(blockIdx.x) % operands.headCount;
    const int queryEnd = tile.end - tile.begin;
    return {tile,
            queryEnd,
            min(tile.query - tile.begin + queryCount, queryEnd),
            head * operands.width,
            head / operands.groupCount * operands.width,
            operands.rule.slopes != nullptr ? operands.rule.slopes[head] * log2OfE : 0};
}

// Two blocks on a multiprocessor, one of which computes while the other waits.
template <typename T, int width> __global__ void __launch_bounds__(laneCount, 2) attention(Operands<T> operands) {
    using Share = Shares<width>;
    const SharedRows<T, width> queries{dynamic_shared<T>()};
    Work &work = *reinterpret_cast<Work *>(queries.elements + Share::sharedElementCount);
    if (threadIdx.x == 0) work = work_of_block(operands, Share::queryCount);
    __syncthreads();

    // Of a tile, in one of two places by turns.
    const auto keys = [&](int firstKey) {
        const int buffer = (firstKey & Share::keyCount) != 0;
        return SharedRows<T, width>{queries.elements + (Share::queryCount + 2 * buffer * Share::keyCount) * width};
    };
    const auto values = [&](int firstKey) {
        return SharedRows<T, width>{keys(firstKey).elements + Share::keyCount * width};
    };
    const auto load_tile = [&](int firstKey) {
        load_rows<Share::keyCount>(keys(firstKey), operands.key, std::int64_t{work.tile.begin} + firstKey,
                                   work.tile.end, work.keyColumn, operands.width, operands.operandsAreAligned);
        load_rows<Share::keyCount>(values(firstKey), operands.value, std::int64_t{work.tile.begin} + firstKey,
                                   work.tile.end, work.keyColumn, operands.width, operands.operandsAreAligned);
        copy_async_commit_group();
    };

    const int warp = threadIdx.x / warpLaneCount;
    const SharedRows<T, width> ownQueries{queries.elements + warp * Share::queriesPerWarp * width};
    const ScoreRule &rule = operands.rule;
    // Counted from the sequence's start.
    const int firstBlockQuery = work.tile.query - work.tile.begin;
    const int firstQuery = firstBlockQuery + warp * Share::queriesPerWarp;
    const int keyBegin = max(firstBlockQuery - rule.window + 1, 0) / Share::keyCount * Share::keyCount;

    load_rows<Share::queryCount>(queries, operands.query, work.tile.query, work.tile.end, work.queryColumn,
                                 operands.width, operands.operandsAreAligned);
    load_tile(keyBegin);
    if (operands.negatesQueries) {
        copy_async_wait_group<0>();
        negate_rows<Share::queryCount>(queries);
    }

    Gathered<width> gathered = {};
#pragma unroll
    for (int f = 0; f < Share::fragmentsPerWarp; ++f) gathered.offsets[f][0] = gathered.offsets[f][1] = -FLT_MAX;
    for (int firstKey = keyBegin; firstKey < work.keyEnd; firstKey += Share::keyCount) {
        copy_async_wait_group<0>();
        // The tile is there for all, and the one before it has been read by all.
        __syncthreads();
        if (firstKey + Share::keyCount < work.keyEnd) load_tile(firstKey + Share::keyCount);
        const Meeting meeting{firstQuery, Share::queriesPerWarp, firstKey, Share::keyCount};
        // Warps without queries, or none that sees the tile, only load.
        if (firstQuery >= work.queryEnd || meeting.is_hidden(rule.window)) continue;
        if (meeting.is_seen(rule.window)) {
            attend<false>(gathered, ownQueries, keys(firstKey), values(firstKey), firstQuery, firstKey, rule,
                          work.slope);
        } else {
            attend<true>(gathered, ownQueries, keys(firstKey), values(firstKey), firstQuery, firstKey, rule,
                         work.slope);
        }
    }
    if (firstQuery >= work.queryEnd) return;
    store(gathered, ownQueries, operands.result, std::int64_t{work.tile.begin} + firstQuery, work.tile.end,
          work.queryColumn, operands.width, operands.resultIsAligned);
}

// Whether every row of every head is made of whole chunks at addresses of whole chunks.
bool is_aligned(const ck_tensor &tensor, std::int64_t headWidth) {
    return tensor.address % 16 == 0 && tensor.leading % chunkElementCount == 0 && headWidth % chunkElementCount == 0;
}

template <typename T, int width> void run(ck_context &context, const Attention &call, Operands<T> operands) {
    using Share = Shares<width>;
    const std::vector<AttentionTile> tiles = call.tiles(Share::queryCount);
    if (tiles.empty()) return;
    const Scratch places(context, tiles.data(), static_cast<std::int64_t>(tiles.size() * sizeof(AttentionTile)));
    operands.tiles = places.as<const AttentionTile>();
    constexpr std::size_t sharedByteCount = sizeof(T) * Share::sharedElementCount + sizeof(Work);
    const dim3 grid(static_cast<unsigned>(static_cast<std::int64_t>(tiles.size()) * operands.headCount));
    CHECK(launch(attention<T, width>, grid, dim3(laneCount), sharedByteCount, context.stream, operands));
}

// Negative scales change the signs of the queries.
ScoreRule score_rule(const Attention &call) {
    const float scale = std::fabs(call.rule.scale), cap = call.rule.soft_cap;
    // Scores are products until they are capped or sloped, and then exponents. A scale of 0 is taken as next to
    // nothing, which keeps -∞ what it is.
    const float productScale = std::fmax(scale * log2OfE, FLT_MIN);
    return {call.window(), std::fmin(cap * log2OfE, FLT_MAX), cap == 0 ? 0.0f : std::fmin(scale / cap, FLT_MAX),
            call.slopes,   cap == 0 ? productScale : 1,       cap == 0 && call.slopes == nullptr ? productScale : 1};
}

template <typename T> void run(ck_context &context, const Attention &call) {
    const ck_heads heads = call.heads;
    const Operands<T> operands{matrix<const T>(call.query),
                               matrix<const T>(call.key),
                               matrix<const T>(call.value),
                               matrix<T>(call.result),
                               nullptr,
                               static_cast<int>(heads.query_count),
                               static_cast<int>(heads.query_count / heads.key_count),
                               static_cast<int>(heads.width),
                               score_rule(call),
                               call.rule.scale < 0,
                               is_aligned(call.query, heads.width) && is_aligned(call.key, heads.width) &&
                                   is_aligned(call.value, heads.width),
                               is_aligned(call.result, heads.width)};
    if (heads.width <= 64) {
        run<T, 64>(context, call, operands);
    } else if (heads.width <= 96) {
        run<T, 96>(context, call, operands);
    } else if (heads.width <= 128) {
        run<T, 128>(context, call, operands);
    } else {
        run<T, 256>(context, call, operands);
    }
}

} // namespace

void attention_on_tensor_cores(ck_context &context, const Attention &call) {
    if (call.query.type == CK_BFLOAT16) {
        run<__nv_bfloat16>(context, call);
    } else {
        run<__half>(context, call);
    }
}

} // namespace straightedge
