// Vectors of neighbouring elements that are loaded and stored at once, and the walk of a kernel over a matrix in them.
//
// A kernel that is bound by memory is written as an operation: what it loads of one vector, and what it stores when
// that has come.
//
//     struct Double {
//         static constexpr int width = 4;
//         Matrix<float> x;
//
//         using Loaded = Vector<float, width>;
//         __device__ Loaded load(Place place) const { return Loaded::load(place.in(x)); }
//         __device__ void store(Place place, Loaded x) const;
//     };
#pragma once

#include "tensors.h"

#include <algorithm>
#include <cstring>

namespace straightedge {

// Elements of a vector of 16 bytes.
template <typename T> constexpr int vectorWidth = 16 / static_cast<int>(sizeof(T));

// What is moved at once: 16 bytes, or as many as there are.
template <int byteCount> struct Word { using type = uint4; };
template <> struct Word<8> { using type = uint2; };
template <> struct Word<4> { using type = unsigned; };
template <> struct Word<2> { using type = unsigned short; };

template <typename T, int width> struct alignas(sizeof(T) * width < 16 ? sizeof(T) * width : 16) Vector {
    T elements[width];

    // From and to addresses that are multiples of the vector's size, or of 16 bytes.
    static __device__ __forceinline__ Vector load(const T *address) {
        expect_aligned(address);
        Bits words[wordCount];
        for (int i = 0; i < wordCount; ++i) words[i] = reinterpret_cast<const Bits *>(address)[i];
        Vector vector;
        memcpy(&vector, words, sizeof vector);
        return vector;
    }

    // By name: the compiler stores the elements of a struct one by one where it pleases.
    __device__ __forceinline__ void store(T *address) const {
        expect_aligned(address);
        Bits words[wordCount];
        memcpy(words, this, sizeof words);
        for (int i = 0; i < wordCount; ++i) __stwb(reinterpret_cast<Bits *>(address) + i, words[i]);
    }

    __device__ __forceinline__ float at(int i) const { return to_float(elements[i]); }
    __device__ __forceinline__ void set(int i, float value) { elements[i] = from_float<T>(value); }

  private:
    using Bits = typename Word<static_cast<int>(sizeof(T)) * width>::type;
    static constexpr int wordCount = static_cast<int>(sizeof(T) * width / sizeof(Bits));

    static __device__ __forceinline__ void expect_aligned([[maybe_unused]] const T *address) {
#if defined(STRAIGHTEDGE_EMULATION)
        if (reinterpret_cast<std::uintptr_t>(address) % alignof(Vector) == 0) return;
        emulation::fail_lane("a vector at %p, which is not aligned to %zu bytes", static_cast<const void *>(address),
                             alignof(Vector));
#endif
    }
};

// Whether all rows can be taken in vectors of `width` elements of `byteCount` bytes each.
inline bool has_vectors(const ck_tensor &tensor, int width, int byteCount) {
    const std::uint64_t size = std::min<std::uint64_t>(static_cast<std::uint64_t>(width * byteCount), 16);
    return tensor.address % size == 0 && (tensor.rows <= 1 || tensor.leading * byteCount % size == 0);
}

// Division of numbers below 2^31 by one that is known before the launch: a product and a shift (Granlund and Montgomery
// 1994).
class Divisor {
  public:
    explicit Divisor(std::uint32_t divisor) : divisor(divisor) {
        while (shift < 31 && (std::uint32_t{1} << shift) < divisor) ++shift;
        const std::uint64_t power = std::uint64_t{1} << shift;
        factor = static_cast<std::uint32_t>(((power - divisor) << 32) / divisor + 1);
    }

    __device__ __forceinline__ std::uint32_t quotient(std::uint32_t number) const {
        return (__umulhi(number, factor) + number) >> shift;
    }

    std::uint32_t divisor;

  private:
    std::uint32_t factor = 0;
    std::uint32_t shift = 0;
};

// Where a vector begins.
struct Place {
    std::int64_t row;
    std::int64_t column;

    template <typename T> __device__ __forceinline__ T *in(const Matrix<T> &matrix) const {
        return matrix.row(row) + column;
    }
};

// The vectors of a part of a matrix that is small enough for numbers of 32 bits.
struct Walk {
    Divisor vectorsPerRow;
    std::uint32_t vectorCount;
    std::int64_t firstRow;
    std::int64_t firstColumn;
};

// Vectors of one lane, all of which are loaded before the first is stored: so much must be under way at any time.
template <int width> constexpr int vectorsPerLane = width == 1 ? 4 : 2;

template <typename Operation>
__global__ void __launch_bounds__(blockLaneCount) walk_kernel(Walk walk, Operation operation) {
    constexpr int count = vectorsPerLane<Operation::width>;
    const std::uint32_t first = blockIdx.x * (count * blockLaneCount) + threadIdx.x;
    const auto place = [&](int i) {
        const std::uint32_t number = first + i * blockLaneCount, row = walk.vectorsPerRow.quotient(number);
        return Place{walk.firstRow + row,
                     walk.firstColumn + std::int64_t{number - row * walk.vectorsPerRow.divisor} * Operation::width};
    };
    typename Operation::Loaded loaded[count];
#pragma unroll
    for (int i = 0; i < count; ++i) {
        if (first + i * blockLaneCount < walk.vectorCount) loaded[i] = operation.load(place(i));
    }
#pragma unroll
    for (int i = 0; i < count; ++i) {
        if (first + i * blockLaneCount < walk.vectorCount) operation.store(place(i), loaded[i]);
    }
}

// Walks over `rows` rows of `columns` columns, a multiple of the operation's width.
template <typename Operation>
void walk(Queue &queue, std::int64_t rows, std::int64_t columns, const Operation &operation) {
    constexpr std::int64_t limit = std::int64_t{1} << 30;
    constexpr std::int64_t lanesPerBlock = vectorsPerLane<Operation::width> * blockLaneCount;
    for (std::int64_t column = 0; column < columns; column += limit) {
        const std::int64_t perRow = std::min(limit, columns - column) / Operation::width, rowLimit = limit / perRow;
        for (std::int64_t row = 0; row < rows; row += rowLimit) {
            const std::int64_t count = std::min(rowLimit, rows - row) * perRow;
            const Walk part{Divisor(static_cast<std::uint32_t>(perRow)), static_cast<std::uint32_t>(count), row,
                            column};
            CHECK(launch(walk_kernel<Operation>,
                         dim3(static_cast<unsigned>((count + lanesPerBlock - 1) / lanesPerBlock)), dim3(blockLaneCount),
                         0, queue.stream, part, operation));
        }
    }
}

} // namespace straightedge
