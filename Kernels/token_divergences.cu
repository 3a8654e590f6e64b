// How far the predictions of each token are from those of a reference: KL(P || Q) = Σ p·(eʳ - 1 - r) with r = log(q/p),
// a sum without negative terms.
#include "operations.h"
#include "vectors.h"

#include <cmath>

namespace straightedge {
namespace {

constexpr int laneCount = 256;

// Σ exp(x - maximum) of a part of a row, the largest number, and whether a NaN was met.
struct Sum {
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
};

__device__ __forceinline__ Sum joined(const Sum &a, const Sum &b) {
    const bool isFirst = a.maximum >= b.maximum;
    Sum sum = isFirst ? a : b;
    const Sum &other = isFirst ? b : a;
    if (other.maximum > -INFINITY) sum.sum += other.sum * static_cast<double>(expf(other.maximum - sum.maximum));
    sum.hasNaN |= other.hasNaN;
    return sum;
}

// Two rows at once, in vectors where both begin equally far from a multiple of 16 bytes.
struct Pair {
    const float *a;
    const float *b;
    int count;

    template <typename Body> __device__ __forceinline__ void for_each(Body &&body) const {
        constexpr int width = vectorWidth<float>;
        const auto misplacement = [](const float *row) {
            return static_cast<int>(reinterpret_cast<std::uintptr_t>(row) % 16 / sizeof(float));
        };
        const int lane = static_cast<int>(threadIdx.x);
        const bool hasVectors = misplacement(a) == misplacement(b);
        const int before = hasVectors ? (width - misplacement(a)) % width : count;
        const int begin = before < count ? before : count, end = begin + (count - begin) / width * width;
        for (int place = lane; place < begin; place += laneCount) body(a[place], b[place]);
        for (int place = begin + lane * width; place < end; place += laneCount * width) {
            const auto x = Vector<float, width>::load(a + place), y = Vector<float, width>::load(b + place);
#pragma unroll
            for (int i = 0; i < width; ++i) body(x.elements[i], y.elements[i]);
        }
        for (int place = end + lane; place < count; place += laneCount) body(a[place], b[place]);
    }
};

// The term of a token of the vocabulary, times the sum of the reference's exponentials.
struct Term {
    float largest;
    float otherLargest;
    // Of the sums of exponentials: the reference's over the other.
    float ratio;
    // The reference's log Σ exp less the other.
    float shift;

    __device__ __forceinline__ float operator()(float a, float b) const {
        const float p = expf(a - largest), q = expf(b - otherLargest) * ratio;
        if (b == -INFINITY && a > -INFINITY) return INFINITY;
        // Nothing of the reference is here, and r may be the difference of infinities.
        if (p == 0) return q;
        const float r = (b - a) + shift;
        if (!(r < 0.5f && r > -0.5f)) return (q - p) - p * r;
        // By its series, where the difference would lose its digits.
        float series = r * (1.0f / 40320) + 1.0f / 5040;
        series = series * r + 1.0f / 720;
        series = series * r + 1.0f / 120;
        series = series * r + 1.0f / 24;
        series = series * r + 1.0f / 6;
        series = series * r + 0.5f;
        return p * (r * r) * series;
    }
};

// One block a row.
__global__ void __launch_bounds__(laneCount)
    token_divergences_f32(Matrix<const float> reference, Matrix<const float> logits, Matrix<double> result) {
    __shared__ Sum sums[2][laneCount];
    __shared__ double terms[laneCount];
    const std::int64_t row = blockIdx.x;
    const int lane = static_cast<int>(threadIdx.x);
    const Pair pair{reference.row(row), logits.row(row), static_cast<int>(logits.columns)};
    Sum sum{0, -INFINITY, 0}, otherSum{0, -INFINITY, 0};
    pair.for_each([&](float a, float b) {
        sum.add(a);
        otherSum.add(b);
    });
    sums[0][lane] = sum;
    sums[1][lane] = otherSum;
    for (int width = laneCount / 2; width > 0; width /= 2) {
        __syncthreads();
        if (lane < width) {
            for (int i = 0; i < 2; ++i) sums[i][lane] = joined(sums[i][lane], sums[i][lane + width]);
        }
    }
    __syncthreads();
    sum = sums[0][0];
    otherSum = sums[1][0];
    const double ratio = sum.sum / otherSum.sum;
    const double shift = static_cast<double>(sum.maximum) - static_cast<double>(otherSum.maximum) + log(ratio);
    const Term term{sum.maximum, otherSum.maximum, static_cast<float>(ratio), static_cast<float>(shift)};
    const bool isDistribution = !sum.hasNaN && !otherSum.hasNaN && isfinite(sum.maximum) && isfinite(otherSum.maximum);
    double total = 0;
    if (isDistribution) pair.for_each([&](float a, float b) { total += static_cast<double>(term(a, b)); });
    terms[lane] = total;
    for (int width = laneCount / 2; width > 0; width /= 2) {
        __syncthreads();
        if (lane < width) terms[lane] += terms[lane + width];
    }
    if (lane == 0) result.row(row)[0] = isDistribution ? terms[0] / sum.sum : static_cast<double>(NAN);
}

} // namespace

void token_divergences(ck_context &context, ck_tensor reference, ck_tensor logits, ck_tensor result) {
    if (logits.rows == 0) return;
    CHECK(launch(token_divergences_f32, dim3(static_cast<unsigned>(logits.rows)), dim3(laneCount), 0, context.stream,
                 matrix<const float>(reference), matrix<const float>(logits), matrix<double>(result)));
}

} // namespace straightedge
