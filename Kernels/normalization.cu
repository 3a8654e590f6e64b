// Root-mean-square normalization: result = x / sqrt(mean(x²) + epsilon) ⊙ weight, row by row.
#include "operations.h"
#include "tensors.h"

namespace straightedge {
namespace {

// One warp a row; result may be x.
__global__ void rms_norm_f32(Matrix<const float> x, const float *weight, float epsilon, Matrix<float> result) {
    const std::int64_t row = row_of_warp();
    if (row >= x.rows) return;
    const float *input = x.row(row);
    float squares = 0;
    for (std::int64_t i = threadIdx.x; i < x.columns; i += warpLaneCount) squares += input[i] * input[i];
    const float mean = warp_sum(squares) / static_cast<float>(x.columns);
    const float factor = 1.0f / sqrtf(mean + epsilon);
    float *output = result.row(row);
    for (std::int64_t i = threadIdx.x; i < x.columns; i += warpLaneCount) output[i] = input[i] * factor * weight[i];
}

} // namespace

void rms_norm(ck_context &context, ck_tensor x, ck_tensor weight, float epsilon, ck_tensor result) {
    if (x.rows == 0 || x.columns == 0) return;
    CHECK(launch(rms_norm_f32, row_grid(x.rows), row_block(), 0, context.stream, matrix<const float>(x),
                 address<const float>(weight), epsilon, matrix<float>(result)));
}

} // namespace straightedge
