// Normalization row by row, in groups of columns: root mean square, or layer norm.
#include "operations.h"
#include "tensors.h"

namespace straightedge {
namespace {

struct Norm {
    const float *weight;
    const float *bias;
    std::int64_t groupWidth;
    float epsilon;
    bool isLayer;
    bool accumulates;
};

// One warp a group; a float32 result may be x. Others are rounded once. The mean of a layer norm is found twice, the
// second time from the differences to the first: far from zero one sum would have lost the digits of the variance.
template <typename From, typename To>
__global__ void normalize_kernel(Matrix<const From> x, Norm norm, Matrix<To> result) {
    const std::int64_t groupCount = x.columns / norm.groupWidth, group = row_of_warp();
    if (group >= x.rows * groupCount) return;
    const std::int64_t row = group / groupCount, begin = group % groupCount * norm.groupWidth;
    const From *input = x.row(row) + begin;
    const float count = static_cast<float>(norm.groupWidth);
    float mean = 0, rest = 0, sum = 0, squares = 0;
    if (norm.isLayer) {
        for (std::int64_t i = threadIdx.x; i < norm.groupWidth; i += warpLaneCount) mean += to_float(input[i]);
        mean = warp_sum(mean) / count;
    }
    for (std::int64_t i = threadIdx.x; i < norm.groupWidth; i += warpLaneCount) {
        const float difference = to_float(input[i]) - mean;
        sum += difference;
        squares += difference * difference;
    }
    if (norm.isLayer) rest = warp_sum(sum) / count;
    const float variance = warp_sum(squares) / count - rest * rest;
    // A NaN stays one.
    const float factor = 1.0f / sqrtf((variance < 0 ? 0.0f : variance) + norm.epsilon);
    To *output = result.row(row) + begin;
    for (std::int64_t i = threadIdx.x; i < norm.groupWidth; i += warpLaneCount) {
        float value = (to_float(input[i]) - mean - rest) * factor * norm.weight[begin + i];
        if (norm.bias) value += norm.bias[begin + i];
        if (norm.accumulates) value += to_float(output[i]);
        output[i] = from_float<To>(value);
    }
}

} // namespace

void normalize(ck_context &context, ck_tensor x, ck_norm norm, ck_tensor weight, ck_tensor bias, ck_tensor result) {
    if (x.rows == 0 || x.columns == 0) return;
    const Norm operands{address<const float>(weight), address<const float>(bias), norm.group_width, norm.epsilon,
                        norm.kind == CK_LAYER_NORM,   norm.accumulates != 0};
    with_activation_type(result.type, [&](auto type) {
        using To = typename decltype(type)::type;
        const auto run = [&](auto source) {
            using From = typename decltype(source)::type;
            CHECK(launch(normalize_kernel<From, To>, row_grid(x.rows * (x.columns / norm.group_width)), row_block(), 0,
                         context.stream, matrix<const From>(x), operands, matrix<To>(result)));
        };
        if (x.type == CK_FLOAT32) {
            run(Type<float>{});
        } else {
            run(type);
        }
    });
}

} // namespace straightedge
