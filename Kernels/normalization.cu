// Root-mean-square normalization: result = x / sqrt(mean(x²) + epsilon) ⊙ weight, row by row.
#include "operations.h"
#include "tensors.h"

namespace straightedge {
namespace {

// One warp a row; a float32 result may be x. Others are rounded once.
template <typename T>
__global__ void rms_norm_kernel(Matrix<const float> x, const float *weight, float epsilon, Matrix<T> result) {
    const std::int64_t row = row_of_warp();
    if (row >= x.rows) return;
    const float *input = x.row(row);
    float squares = 0;
    for (std::int64_t i = threadIdx.x; i < x.columns; i += warpLaneCount) squares += input[i] * input[i];
    const float mean = warp_sum(squares) / static_cast<float>(x.columns);
    const float factor = 1.0f / sqrtf(mean + epsilon);
    T *output = result.row(row);
    for (std::int64_t i = threadIdx.x; i < x.columns; i += warpLaneCount) {
        output[i] = from_float<T>(input[i] * factor * weight[i]);
    }
}

} // namespace

void rms_norm(ck_context &context, ck_tensor x, ck_tensor weight, float epsilon, ck_tensor result) {
    if (x.rows == 0 || x.columns == 0) return;
    with_activation_type(result.type, [&](auto type) {
        using T = typename decltype(type)::type;
        CHECK(launch(rms_norm_kernel<T>, row_grid(x.rows), row_block(), 0, context.stream, matrix<const float>(x),
                     address<const float>(weight), epsilon, matrix<T>(result)));
    });
}

} // namespace straightedge
