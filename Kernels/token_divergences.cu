// How far the predictions of each token are from those of a reference: KL(P || Q) = Σ p·(eʳ - 1 - r) with r = log(q/p),
// a sum without negative terms.
#include "distributions.h"
#include "operations.h"

namespace straightedge {
namespace {

constexpr int laneCount = distributionLaneCount;

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
    __shared__ ExponentialSum sums[2][laneCount];
    __shared__ double terms[laneCount];
    const std::int64_t row = blockIdx.x;
    const int lane = static_cast<int>(threadIdx.x);
    const PairedPlaces places{reference.row(row), logits.row(row), static_cast<int>(logits.columns)};
    const auto for_each_pair = [&](auto body) {
        places.for_each([&](int place, auto size) {
            constexpr int width = decltype(size)::value;
            const auto a = Vector<float, width>::load(places.a + place),
                       b = Vector<float, width>::load(places.b + place);
#pragma unroll
            for (int i = 0; i < width; ++i) body(a.elements[i], b.elements[i]);
        });
    };
    ExponentialSum sum{0, -INFINITY, 0}, otherSum{0, -INFINITY, 0};
    for_each_pair([&](float a, float b) {
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
    const bool isDistribution = sum.is_of_distribution() && otherSum.is_of_distribution();
    double total = 0;
    if (isDistribution) for_each_pair([&](float a, float b) { total += static_cast<double>(term(a, b)); });
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
