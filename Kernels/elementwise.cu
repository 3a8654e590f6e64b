// Sums, differences and biases, element by element.
#include "operations.h"
#include "tensors.h"

namespace straightedge {
namespace {

struct Sum {
    __device__ float operator()(float a, float b) const { return a + b; }
};

struct Difference {
    __device__ float operator()(float a, float b) const { return a - b; }
};

// result = a op b; result may be a or b.
template <typename Operation>
__global__ void combine_f32(Matrix<const float> a, Matrix<const float> b, Matrix<float> result) {
    const std::int64_t count = result.rows * result.columns;
    for (std::int64_t i = first_element(); i < count; i += element_stride()) {
        const std::int64_t row = i / result.columns, column = i % result.columns;
        result.row(row)[column] = Operation{}(a.row(row)[column], b.row(row)[column]);
    }
}

// x += bias, row by row; the sum is rounded once.
template <typename T> __global__ void add_bias_kernel(const float *bias, Matrix<T> x) {
    const std::int64_t count = x.rows * x.columns;
    for (std::int64_t i = first_element(); i < count; i += element_stride()) {
        T &element = x.row(i / x.columns)[i % x.columns];
        element = from_float<T>(to_float(element) + bias[i % x.columns]);
    }
}

template <typename Operation> void combine(ck_context &context, ck_tensor a, ck_tensor b, ck_tensor result) {
    const std::int64_t count = result.rows * result.columns;
    if (count == 0) return;
    CHECK(launch(combine_f32<Operation>, element_grid(context, count), dim3(blockLaneCount), 0, context.stream,
                 matrix<const float>(a), matrix<const float>(b), matrix<float>(result)));
}

} // namespace

void add(ck_context &context, ck_tensor a, ck_tensor b, ck_tensor result) { combine<Sum>(context, a, b, result); }

void subtract(ck_context &context, ck_tensor a, ck_tensor b, ck_tensor result) {
    combine<Difference>(context, a, b, result);
}

void add_bias(ck_context &context, ck_tensor bias, ck_tensor x) {
    const std::int64_t count = x.rows * x.columns;
    if (count == 0) return;
    with_activation_type(x.type, [&](auto type) {
        using T = typename decltype(type)::type;
        CHECK(launch(add_bias_kernel<T>, element_grid(context, count), dim3(blockLaneCount), 0, context.stream,
                     address<const float>(bias), matrix<T>(x)));
    });
}

} // namespace straightedge
