// Normalization row by row, in groups of columns: by the root mean square, or by mean and variance.
//
// A group stays in registers from its statistics to the result: of a part of a warp, of a warp or of a block, whichever
// holds it in a few vectors a lane. Groups that are too wide, or not in vectors, are read again from the caches.
//
// The mean of a layer norm is found twice, the second time from the differences to the first: far from zero one sum
// would have lost the digits of the variance.
#include "operations.h"
#include "vectors.h"

#include <type_traits>

namespace straightedge {
namespace {

struct Norm {
    const float *weight;
    const float *bias;
    std::int64_t groupWidth;
    float epsilon;
    bool isLayer;
    bool accumulates;
};

// The groups of one launch, the lanes of each, and the groups of a row.
struct Groups {
    Divisor perRow;
    std::uint32_t count;
    int laneCount;
};

constexpr int blockWarpCount = blockLaneCount / warpLaneCount;

// The lanes that share a group of the row: in each of them, their sums. Without `isBlock` they are a power of two of
// neighbours in a warp.
template <bool isBlock> class Team {
  public:
    __device__ explicit Team(int laneCount) : laneCount(isBlock ? blockLaneCount : laneCount) {}

    __device__ __forceinline__ std::uint32_t group() const {
        if (isBlock) return blockIdx.x;
        return blockIdx.x * (blockLaneCount / laneCount) + threadIdx.x / laneCount;
    }

    __device__ __forceinline__ int member() const { return threadIdx.x & (laneCount - 1); }

    __device__ __forceinline__ void sum(float &a, float &b) const {
        for (int offset = (isBlock ? warpLaneCount : laneCount) / 2; offset > 0; offset /= 2) {
            a += __shfl_xor_sync(0xFFFFFFFFu, a, offset);
            b += __shfl_xor_sync(0xFFFFFFFFu, b, offset);
        }
        if constexpr (isBlock) {
            __shared__ float parts[2][blockWarpCount];
            // What an earlier sum left there has been read.
            __syncthreads();
            if (threadIdx.x % warpLaneCount == 0) {
                parts[0][threadIdx.x / warpLaneCount] = a;
                parts[1][threadIdx.x / warpLaneCount] = b;
            }
            __syncthreads();
            a = b = 0;
            for (int i = 0; i < blockWarpCount; ++i) {
                a += parts[0][i];
                b += parts[1][i];
            }
        }
    }

    const int laneCount;
};

// What is taken away from each element, in two parts, and what the rest is multiplied by.
struct Statistics {
    float mean = 0;
    float rest = 0;
    float factor = 0;

    __device__ __forceinline__ float value(float x) const { return (x - mean - rest) * factor; }
};

// `forEach(body)` calls `body(x)` for the elements of the group that are this lane's.
template <typename Lanes, typename ForEach>
__device__ __forceinline__ Statistics statistics(const Norm &norm, const Lanes &team, ForEach forEach) {
    const float count = static_cast<float>(norm.groupWidth);
    Statistics result;
    float sum = 0, squares = 0;
    if (norm.isLayer) {
        forEach([&](float x) { sum += x; });
        team.sum(sum, squares);
        result.mean = sum / count;
    }
    sum = squares = 0;
    forEach([&](float x) {
        const float difference = x - result.mean;
        sum += difference;
        squares += difference * difference;
    });
    team.sum(sum, squares);
    if (norm.isLayer) result.rest = sum / count;
    const float variance = squares / count - result.rest * result.rest;
    // A NaN stays one.
    result.factor = 1.0f / sqrtf((variance < 0 ? 0.0f : variance) + norm.epsilon);
    return result;
}

// `count` vectors a lane; a result of x's type may be x.
template <typename From, typename To, int count, bool isBlock>
__global__ void __launch_bounds__(blockLaneCount)
    normalize_in_registers(Matrix<const From> x, Norm norm, Groups groups, Matrix<To> result) {
    constexpr int width = vectorWidth<From>;
    const Team<isBlock> team(groups.laneCount);
    const std::uint32_t group = team.group(), row = groups.perRow.quotient(group);
    const std::int64_t begin = (group - row * groups.perRow.divisor) * norm.groupWidth;
    // All lanes of a warp take part in its sums.
    const int end = group < groups.count ? static_cast<int>(norm.groupWidth) : 0;
    const int first = team.member() * width, step = team.laneCount * width;
    const From *input = x.row(row) + begin;
    Vector<From, width> values[count];
#pragma unroll
    for (int i = 0; i < count; ++i) {
        if (first + i * step < end) values[i] = Vector<From, width>::load(input + first + i * step);
    }
    const Statistics found = statistics(norm, team, [&](auto body) {
#pragma unroll
        for (int i = 0; i < count; ++i) {
            if (first + i * step >= end) continue;
            for (int j = 0; j < width; ++j) body(values[i].at(j));
        }
    });
    To *output = result.row(row) + begin;
#pragma unroll
    for (int i = 0; i < count; ++i) {
        const int column = first + i * step;
        if (column >= end) continue;
        const auto weights = Vector<float, width>::load(norm.weight + begin + column);
        Vector<float, width> normed;
        for (int j = 0; j < width; ++j) normed.elements[j] = found.value(values[i].at(j)) * weights.elements[j];
        if (norm.bias) {
            const auto addends = Vector<float, width>::load(norm.bias + begin + column);
            for (int j = 0; j < width; ++j) normed.elements[j] += addends.elements[j];
        }
        if (norm.accumulates) {
            const auto addends = Vector<To, width>::load(output + column);
            for (int j = 0; j < width; ++j) normed.elements[j] += addends.at(j);
        }
        Vector<To, width> rounded;
        for (int j = 0; j < width; ++j) rounded.set(j, normed.elements[j]);
        rounded.store(output + column);
    }
}

// Any width and any address.
template <typename From, typename To, bool isBlock>
__global__ void __launch_bounds__(blockLaneCount)
    normalize_in_memory(Matrix<const From> x, Norm norm, Groups groups, Matrix<To> result) {
    const Team<isBlock> team(groups.laneCount);
    const std::uint32_t group = team.group(), row = groups.perRow.quotient(group);
    const std::int64_t begin = (group - row * groups.perRow.divisor) * norm.groupWidth;
    const std::int64_t end = group < groups.count ? norm.groupWidth : 0;
    const From *input = x.row(row) + begin;
    const Statistics found = statistics(norm, team, [&](auto body) {
        for (std::int64_t i = team.member(); i < end; i += team.laneCount) body(to_float(input[i]));
    });
    To *output = result.row(row) + begin;
    for (std::int64_t i = team.member(); i < end; i += team.laneCount) {
        float value = found.value(to_float(input[i])) * norm.weight[begin + i];
        if (norm.bias) value += norm.bias[begin + i];
        if (norm.accumulates) value += to_float(output[i]);
        output[i] = from_float<To>(value);
    }
}

// Rows of one launch, and the kernel's shape: the smallest power of two of lanes that holds a group in `count` items of
// each, at most a warp; or a block.
template <typename Kernel, typename From, typename To>
void launch_groups(ck_context &context, Kernel kernel, int laneCount, Matrix<const From> x, const Norm &norm,
                   Matrix<To> result) {
    const std::int64_t perRow = x.columns / norm.groupWidth, rowLimit = std::max<std::int64_t>(1, (1 << 30) / perRow);
    for (std::int64_t row = 0; row < x.rows; row += rowLimit) {
        const std::int64_t count = std::min(rowLimit, x.rows - row) * perRow, perBlock = blockLaneCount / laneCount;
        const Groups groups{Divisor(static_cast<std::uint32_t>(perRow)), static_cast<std::uint32_t>(count), laneCount};
        CHECK(launch(kernel, dim3(static_cast<unsigned>((count + perBlock - 1) / perBlock)), dim3(blockLaneCount), 0,
                     context.stream, Matrix<const From>{x.row(row), x.rows - row, x.columns, x.leading}, norm, groups,
                     Matrix<To>{result.row(row), x.rows - row, x.columns, result.leading}));
    }
}

// Lanes, a power of two up to a warp, of which each takes at least one of `count` items while there are as many.
int lanes_of_warp(std::int64_t count) {
    int lanes = 1;
    while (lanes < warpLaneCount && lanes < count) lanes *= 2;
    return lanes;
}

template <typename From, typename To>
void normalize(ck_context &context, Matrix<const From> x, const Norm &norm, Matrix<To> result, bool isInVectors) {
    // Elements that a lane holds at most.
    constexpr int elementCount = 32, width = vectorWidth<From>, most = elementCount / width;
    const std::int64_t vectors = norm.groupWidth / width;
    const int lanes = lanes_of_warp(isInVectors ? vectors : norm.groupWidth);
    const auto run = [&](auto kernel, int laneCount) { launch_groups(context, kernel, laneCount, x, norm, result); };
    const auto run_in_registers = [&](auto isBlock, int laneCount) {
        constexpr bool block = decltype(isBlock)::value;
        const std::int64_t count = (vectors + laneCount - 1) / laneCount;
        if (count <= 1) return run(normalize_in_registers<From, To, 1, block>, laneCount);
        if (count <= 2) return run(normalize_in_registers<From, To, 2, block>, laneCount);
        if (count <= 4) return run(normalize_in_registers<From, To, 4, block>, laneCount);
        if constexpr (most == 8) return run(normalize_in_registers<From, To, 8, block>, laneCount);
    };
    if (isInVectors && vectors <= most * warpLaneCount) {
        run_in_registers(std::false_type{}, lanes);
    } else if (isInVectors && vectors <= most * blockLaneCount) {
        run_in_registers(std::true_type{}, blockLaneCount);
    } else if (norm.groupWidth <= elementCount * warpLaneCount) {
        run(normalize_in_memory<From, To, false>, lanes);
    } else {
        run(normalize_in_memory<From, To, true>, blockLaneCount);
    }
}

} // namespace

void normalize(ck_context &context, ck_tensor x, ck_norm norm, ck_tensor weight, ck_tensor bias, ck_tensor result) {
    if (x.rows == 0 || x.columns == 0) return;
    const Norm operands{address<const float>(weight), address<const float>(bias), norm.group_width, norm.epsilon,
                        norm.kind == CK_LAYER_NORM,   norm.accumulates != 0};
    with_activation_type(result.type, [&](auto type) {
        using To = typename decltype(type)::type;
        const auto run = [&](auto source) {
            using From = typename decltype(source)::type;
            constexpr int width = vectorWidth<From>;
            const bool isInVectors = norm.group_width % width == 0 && has_vectors(x, width, sizeof(From)) &&
                                     has_vectors(result, width, sizeof(To)) && has_vectors(weight, width, 4) &&
                                     has_vectors(bias, width, 4);
            normalize(context, matrix<const From>(x), operands, matrix<To>(result), isInVectors);
        };
        if (x.type == CK_FLOAT32) {
            run(Type<float>{});
        } else {
            run(type);
        }
    });
}

} // namespace straightedge
