// What a perplexity and an accuracy are made of: the logarithm of the sum of exponentials, the target's logit, and the
// place of the largest.
#include "operations.h"
#include "tensors.h"

#include <cmath>

namespace straightedge {
namespace {

constexpr int laneCount = 256;

// A part of a row: Σ exp(x - maximum), the largest number and its first place, and whether a NaN was met.
struct Part {
    double sum;
    float maximum;
    int place;
    int hasNaN;
};

// Adds one logit. The sum is rescaled when a larger one comes (Milakov and Gimelshein 2018).
__device__ __forceinline__ void add(Part &part, float value, int place) {
    if (value > part.maximum) {
        if (part.maximum > -INFINITY) part.sum *= static_cast<double>(expf(part.maximum - value));
        part.maximum = value;
        part.place = place;
        part.sum += 1;
    } else if (value > -INFINITY) {
        part.sum += static_cast<double>(expf(value - part.maximum));
    } else {
        part.hasNaN |= value != value;
    }
}

// The two parts as one; the places of `b` may lie before those of `a`.
__device__ __forceinline__ Part joined(const Part &a, const Part &b) {
    const bool isFirst = a.maximum > b.maximum || (a.maximum == b.maximum && a.place < b.place);
    Part part = isFirst ? a : b;
    const Part &other = isFirst ? b : a;
    if (other.maximum > -INFINITY) part.sum += other.sum * static_cast<double>(expf(other.maximum - part.maximum));
    part.hasNaN |= other.hasNaN;
    return part;
}

// One block a row: result[row] = (log Σ exp, the target's logit, the place of the largest).
__global__ void token_scores_f32(Matrix<const float> logits, const std::int32_t *targets, Matrix<double> result) {
    __shared__ Part parts[laneCount];
    const std::int64_t row = blockIdx.x;
    const float *values = logits.row(row);
    const int count = static_cast<int>(logits.columns);
    Part part{0, -INFINITY, count, 0};
    for (int i = threadIdx.x; i < count; i += laneCount) add(part, values[i], i);
    parts[threadIdx.x] = part;
    for (int width = laneCount / 2; width > 0; width /= 2) {
        __syncthreads();
        if (static_cast<int>(threadIdx.x) < width) {
            parts[threadIdx.x] = joined(parts[threadIdx.x], parts[threadIdx.x + width]);
        }
    }
    if (threadIdx.x > 0) return;
    part = parts[0];
    const double maximum = part.maximum;
    double *output = result.row(row);
    output[0] = part.hasNaN ? NAN : isinf(maximum) ? maximum : maximum + log(part.sum);
    output[1] = part.hasNaN ? NAN : static_cast<double>(values[targets[row]]);
    output[2] = part.place < count ? part.place : 0;
}

} // namespace

void token_scores(ck_context &context, ck_tensor logits, const std::int32_t *targets, ck_tensor result) {
    if (logits.rows == 0) return;
    const Scratch places(context, targets, logits.rows * static_cast<std::int64_t>(sizeof *targets));
    CHECK(launch(token_scores_f32, dim3(static_cast<unsigned>(logits.rows)), dim3(laneCount), 0, context.stream,
                 matrix<const float>(logits), places.as<const std::int32_t>(), matrix<double>(result)));
}

} // namespace straightedge
