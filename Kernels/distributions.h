// Rows of logits as distributions, one block a row: sums of their exponentials, and two rows side by side.
#pragma once

#include "vectors.h"

#include <cmath>
#include <type_traits>

namespace straightedge {

constexpr int distributionLaneCount = 256;

// Σ exp(x - maximum) of a part of a row, the largest number, and whether a NaN was met.
struct ExponentialSum {
    double sum;
    float maximum;
    int hasNaN;

    // Adds a logit; the sum is rescaled when a larger one comes (Milakov and Gimelshein 2018).
    __device__ __forceinline__ void add(float x) {
        hasNaN |= x != x;
        if (x > maximum) {
            if (maximum > -INFINITY) sum *= static_cast<double>(expf(maximum - x));
            maximum = x;
        }
        if (maximum > -INFINITY) sum += static_cast<double>(expf(x - maximum));
    }

    __device__ __forceinline__ bool is_of_distribution() const { return !hasNaN && isfinite(maximum); }
};

__device__ __forceinline__ ExponentialSum joined(const ExponentialSum &a, const ExponentialSum &b) {
    const bool isFirst = a.maximum >= b.maximum;
    ExponentialSum sum = isFirst ? a : b;
    const ExponentialSum &other = isFirst ? b : a;
    if (other.maximum > -INFINITY) sum.sum += other.sum * static_cast<double>(expf(other.maximum - sum.maximum));
    sum.hasNaN |= other.hasNaN;
    return sum;
}

// The places of two rows of one length, in vectors where both begin equally far from a multiple of 16 bytes.
struct PairedPlaces {
    const float *a;
    const float *b;
    int count;

    // Calls `body(place, size)` for the vectors that are this lane's; `decltype(size)::value` is their width.
    template <typename Body> __device__ __forceinline__ void for_each(Body &&body) const {
        constexpr int width = vectorWidth<float>, laneCount = distributionLaneCount;
        const std::integral_constant<int, 1> one;
        const auto misplacement = [](const float *row) {
            return static_cast<int>(reinterpret_cast<std::uintptr_t>(row) % 16 / sizeof(float));
        };
        const int lane = static_cast<int>(threadIdx.x);
        const bool hasVectors = misplacement(a) == misplacement(b);
        const int before = hasVectors ? (width - misplacement(a)) % width : count;
        const int begin = before < count ? before : count, end = begin + (count - begin) / width * width;
        for (int place = lane; place < begin; place += laneCount) body(place, one);
        for (int place = begin + lane * width; place < end; place += laneCount * width) {
            body(place, std::integral_constant<int, width>{});
        }
        for (int place = end + lane; place < count; place += laneCount) body(place, one);
    }
};

} // namespace straightedge
