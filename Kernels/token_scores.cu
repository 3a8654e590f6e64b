// What a perplexity and an accuracy are made of: the logarithm of the sum of exponentials, the target's logit, and the
// place of the largest.
#include "kept_arrays.h"
#include "operations.h"
#include "vectors.h"

#include <cmath>

namespace straightedge {
namespace {

constexpr int laneCount = 256;
// Vectors of a lane that are under way at any time.
constexpr int vectorsAtOnce = 4;

// A part of a row: Σ exp(x - maximum), the largest number and its first place, and whether a NaN was met.
struct Part {
    double sum;
    float maximum;
    int place;
    int hasNaN;
};

// Adds logits that follow each other. The sum is rescaled when a larger one comes (Milakov and Gimelshein 2018).
template <int count> __device__ __forceinline__ void add(Part &part, const Vector<float, count> &values, int place) {
    float largest = values.elements[0];
    for (int i = 0; i < count; ++i) {
        largest = fmaxf(largest, values.elements[i]);
        part.hasNaN |= values.elements[i] != values.elements[i];
    }
    if (largest > part.maximum) {
        if (part.maximum > -INFINITY) part.sum *= static_cast<double>(expf(part.maximum - largest));
        part.maximum = largest;
        for (int i = count - 1; i >= 0; --i) {
            if (values.elements[i] == largest) part.place = place + i;
        }
    }
    if (!(part.maximum > -INFINITY)) return;
    float sum = 0;
    for (int i = 0; i < count; ++i) sum += expf(values.elements[i] - part.maximum);
    part.sum += static_cast<double>(sum);
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
__global__ void __launch_bounds__(laneCount)
    token_scores_f32(Matrix<const float> logits, const std::int32_t *targets, Matrix<double> result) {
    constexpr int width = vectorWidth<float>;
    __shared__ Part parts[laneCount];
    const std::int64_t row = blockIdx.x;
    const float *values = logits.row(row);
    const int count = static_cast<int>(logits.columns);
    Part part{0, -INFINITY, count, 0};
    // Rows of an odd width begin anywhere.
    const int before = static_cast<int>((16 - reinterpret_cast<std::uintptr_t>(values) % 16) % 16 / sizeof(float));
    const int begin = before < count ? before : count, end = begin + (count - begin) / width * width;
    const int lane = threadIdx.x;
    if (lane < begin) add(part, Vector<float, 1>::load(values + lane), lane);
    for (int first = begin + lane * width; first < end; first += vectorsAtOnce * laneCount * width) {
        Vector<float, width> vectors[vectorsAtOnce];
#pragma unroll
        for (int i = 0; i < vectorsAtOnce; ++i) {
            const int place = first + i * laneCount * width;
            if (place < end) vectors[i] = Vector<float, width>::load(values + place);
        }
#pragma unroll
        for (int i = 0; i < vectorsAtOnce; ++i) {
            const int place = first + i * laneCount * width;
            if (place < end) add(part, vectors[i], place);
        }
    }
    if (lane < count - end) add(part, Vector<float, 1>::load(values + end + lane), end + lane);
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
    const void *const places =
        context.keptArrays->address(targets, logits.rows * static_cast<std::int64_t>(sizeof *targets));
    CHECK(launch(token_scores_f32, dim3(static_cast<unsigned>(logits.rows)), dim3(laneCount), 0, context.stream,
                 matrix<const float>(logits), static_cast<const std::int32_t *>(places), matrix<double>(result)));
}

} // namespace straightedge
