// Probabilities of logits: p = exp(x - maximum) / Σ exp(x - maximum), row by row.
#include "distributions.h"
#include "operations.h"

namespace straightedge {
namespace {

constexpr int laneCount = distributionLaneCount;
// What is smaller by this factor e^x than the largest probability is 0: nothing is seen of it, and products with it
// would lie below the smallest normal number.
constexpr float smallestLogarithm = -60;

// One block a row; the result may be x.
__global__ void __launch_bounds__(laneCount) softmax_f32(Matrix<const float> x, Matrix<float> result) {
    __shared__ ExponentialSum sums[laneCount];
    const std::int64_t row = blockIdx.x;
    const int lane = static_cast<int>(threadIdx.x);
    const float *const logits = x.row(row);
    float *const probabilities = result.row(row);
    const PairedPlaces places{logits, probabilities, static_cast<int>(x.columns)};
    ExponentialSum sum{0, -INFINITY, 0};
    places.for_each([&](int place, auto size) {
        constexpr int width = decltype(size)::value;
        const auto values = Vector<float, width>::load(logits + place);
#pragma unroll
        for (int i = 0; i < width; ++i) sum.add(values.elements[i]);
    });
    sums[lane] = sum;
    for (int width = laneCount / 2; width > 0; width /= 2) {
        __syncthreads();
        if (lane < width) sums[lane] = joined(sums[lane], sums[lane + width]);
    }
    __syncthreads();
    sum = sums[0];
    const bool isDistribution = sum.is_of_distribution();
    const float factor = static_cast<float>(1 / sum.sum);
    places.for_each([&](int place, auto size) {
        constexpr int width = decltype(size)::value;
        auto values = Vector<float, width>::load(logits + place);
#pragma unroll
        for (int i = 0; i < width; ++i) {
            const float logarithm = values.elements[i] - sum.maximum;
            const float p = logarithm < smallestLogarithm ? 0 : expf(logarithm) * factor;
            values.elements[i] = isDistribution ? p : NAN;
        }
        values.store(probabilities + place);
    });
}

} // namespace

void softmax(ck_context &context, ck_tensor x, ck_tensor result) {
    if (x.rows == 0) return;
    CHECK(launch(softmax_f32, dim3(static_cast<unsigned>(x.rows)), dim3(laneCount), 0, context.stream,
                 matrix<const float>(x), matrix<float>(result)));
}

} // namespace straightedge
