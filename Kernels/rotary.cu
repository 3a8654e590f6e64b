// Rotary position embedding: pairs of elements of every head are turned by an angle of their own for each position.
//
// A lane takes the same few pairs of several heads of one token, so that it loads their sines and cosines once.
#include "kept_arrays.h"
#include "operations.h"
#include "vectors.h"

namespace straightedge {
namespace {

// Heads of one lane, all of which are loaded before the first is stored.
constexpr int headsPerLane = 4;

struct Rotation {
    Matrix<const float> cosines;
    Matrix<const float> sines;
    const std::int32_t *positions;
    // The groups of pairs of a head, and the lanes of a token.
    Divisor groupsPerHead;
    Divisor lanesPerRow;
    std::uint32_t laneCount;
    // Between two heads of a lane.
    int headStride;
    int headCount;
    int headWidth;
    int pairsPerHead;
};

// `count` pairs that stand together. Element i goes with i + pairsPerHead (halves) or 2i with 2i + 1 (interleaved).
template <typename T, bool isInterleaved, int count> struct Pairs {
    static constexpr int width = isInterleaved ? 2 * count : count;
    // Single pairs may stand anywhere.
    static constexpr int vectorWidth = count == 1 ? 1 : width;
    static constexpr int vectorCount = 2 * count / vectorWidth;
    Vector<T, vectorWidth> vectors[vectorCount];

    __device__ __forceinline__ void load(const T *head, int pair, int pairsPerHead) {
        for (int i = 0; i < vectorCount; ++i) {
            vectors[i] = Vector<T, vectorWidth>::load(head + offset(i, pair, pairsPerHead));
        }
    }

    __device__ __forceinline__ void store(T *head, int pair, int pairsPerHead) const {
        for (int i = 0; i < vectorCount; ++i) vectors[i].store(head + offset(i, pair, pairsPerHead));
    }

    __device__ __forceinline__ void turn(const Vector<float, count> &cosines, const Vector<float, count> &sines) {
        for (int i = 0; i < count; ++i) {
            T &first = isInterleaved ? element(2 * i) : element(i);
            T &second = isInterleaved ? element(2 * i + 1) : element(i + count);
            const float a = to_float(first), b = to_float(second);
            first = from_float<T>(a * cosines.elements[i] - b * sines.elements[i]);
            second = from_float<T>(b * cosines.elements[i] + a * sines.elements[i]);
        }
    }

  private:
    static __device__ __forceinline__ int offset(int vector, int pair, int pairsPerHead) {
        return isInterleaved ? 2 * pair + vector : pair + vector * pairsPerHead;
    }

    __device__ __forceinline__ T &element(int i) { return vectors[i / vectorWidth].elements[i % vectorWidth]; }
};

template <typename T, bool isInterleaved, int count>
__global__ void __launch_bounds__(blockLaneCount) rotate_kernel(Matrix<T> x, Rotation rotation) {
    const std::uint32_t lane = blockIdx.x * blockLaneCount + threadIdx.x;
    if (lane >= rotation.laneCount) return;
    const std::uint32_t row = rotation.lanesPerRow.quotient(lane);
    const std::uint32_t place = lane - row * rotation.lanesPerRow.divisor;
    const std::uint32_t firstHead = rotation.groupsPerHead.quotient(place);
    const int pair = static_cast<int>(place - firstHead * rotation.groupsPerHead.divisor) * count;
    T *const elements = x.row(row);
    const auto head = [&](int i) { return static_cast<int>(firstHead) + i * rotation.headStride; };

    Pairs<T, isInterleaved, count> pairs[headsPerLane];
#pragma unroll
    for (int i = 0; i < headsPerLane; ++i) {
        if (head(i) < rotation.headCount) {
            pairs[i].load(elements + head(i) * rotation.headWidth, pair, rotation.pairsPerHead);
        }
    }
    const std::int64_t position = rotation.positions[row];
    const auto cosines = Vector<float, count>::load(rotation.cosines.row(position) + pair);
    const auto sines = Vector<float, count>::load(rotation.sines.row(position) + pair);
#pragma unroll
    for (int i = 0; i < headsPerLane; ++i) {
        if (head(i) >= rotation.headCount) continue;
        pairs[i].turn(cosines, sines);
        pairs[i].store(elements + head(i) * rotation.headWidth, pair, rotation.pairsPerHead);
    }
}

template <typename T, bool isInterleaved, int count> void rotate(ck_context &context, Matrix<T> x, Rotation rotation) {
    rotation.headStride = (rotation.headCount + headsPerLane - 1) / headsPerLane;
    const int groupCount = rotation.pairsPerHead / count;
    const std::int64_t perRow = static_cast<std::int64_t>(groupCount) * rotation.headStride;
    rotation.groupsPerHead = Divisor(static_cast<std::uint32_t>(groupCount));
    rotation.lanesPerRow = Divisor(static_cast<std::uint32_t>(perRow));
    const std::int64_t rowLimit = std::max<std::int64_t>(1, (1 << 30) / perRow);
    for (std::int64_t row = 0; row < x.rows; row += rowLimit) {
        rotation.laneCount = static_cast<std::uint32_t>(std::min(rowLimit, x.rows - row) * perRow);
        CHECK(launch(rotate_kernel<T, isInterleaved, count>,
                     dim3((rotation.laneCount + blockLaneCount - 1) / blockLaneCount), dim3(blockLaneCount), 0,
                     context.stream, Matrix<T>{x.row(row), x.rows - row, x.columns, x.leading}, rotation));
        rotation.positions += rowLimit;
    }
}

template <typename T, bool isInterleaved>
void rotate(ck_context &context, ck_tensor x, ck_tensor cosines, ck_tensor sines, const Rotation &rotation) {
    constexpr int width = vectorWidth<T>, count = isInterleaved ? width / 2 : width;
    const bool isInVectors = rotation.headWidth % width == 0 && rotation.pairsPerHead % count == 0 &&
                             has_vectors(x, width, sizeof(T)) && has_vectors(cosines, count, 4) &&
                             has_vectors(sines, count, 4);
    if (isInVectors) {
        rotate<T, isInterleaved, count>(context, matrix<T>(x), rotation);
    } else {
        rotate<T, isInterleaved, 1>(context, matrix<T>(x), rotation);
    }
}

} // namespace

void rotate(ck_context &context, ck_tensor x, ck_tensor cosines, ck_tensor sines, const std::int32_t *positions,
            std::int64_t headWidth, std::int32_t isInterleaved) {
    if (x.rows == 0 || x.columns == 0 || cosines.columns == 0) return;
    const void *const places =
        context.keptArrays->address(positions, x.rows * static_cast<std::int64_t>(sizeof *positions));
    const Rotation rotation{matrix<const float>(cosines),
                            matrix<const float>(sines),
                            static_cast<const std::int32_t *>(places),
                            Divisor(1),
                            Divisor(1),
                            0,
                            0,
                            static_cast<int>(x.columns / headWidth),
                            static_cast<int>(headWidth),
                            static_cast<int>(cosines.columns)};
    with_activation_type(x.type, [&](auto type) {
        using T = typename decltype(type)::type;
        if (isInterleaved) {
            rotate<T, true>(context, x, cosines, sines, rotation);
        } else {
            rotate<T, false>(context, x, cosines, sines, rotation);
        }
    });
}

} // namespace straightedge
