// Activations of another type, and activations within bounds.
#include "operations.h"
#include "tensors.h"

namespace straightedge {
namespace {

// result = x, rounded to nearest.
template <typename T> __global__ void convert_kernel(Matrix<const float> x, Matrix<T> result) {
    const std::int64_t count = result.rows * result.columns;
    for (std::int64_t i = first_element(); i < count; i += element_stride()) {
        const std::int64_t row = i / result.columns, column = i % result.columns;
        result.row(row)[column] = from_float<T>(x.row(row)[column]);
    }
}

// x = min(max(x, -limit), limit); a NaN stays one.
template <typename T> __global__ void clamp_kernel(Matrix<T> x, float limit) {
    const std::int64_t count = x.rows * x.columns;
    for (std::int64_t i = first_element(); i < count; i += element_stride()) {
        T &element = x.row(i / x.columns)[i % x.columns];
        const float value = to_float(element);
        if (value < -limit) element = from_float<T>(-limit);
        if (value > limit) element = from_float<T>(limit);
    }
}

} // namespace

void convert(ck_context &context, ck_tensor x, ck_tensor result) {
    const std::int64_t count = result.rows * result.columns;
    if (count == 0) return;
    with_activation_type(result.type, [&](auto type) {
        using T = typename decltype(type)::type;
        CHECK(launch(convert_kernel<T>, element_grid(context, count), dim3(blockLaneCount), 0, context.stream,
                     matrix<const float>(x), matrix<T>(result)));
    });
}

void clamp(ck_context &context, ck_tensor x, float limit) {
    const std::int64_t count = x.rows * x.columns;
    if (count == 0) return;
    with_activation_type(x.type, [&](auto type) {
        using T = typename decltype(type)::type;
        CHECK(launch(clamp_kernel<T>, element_grid(context, count), dim3(blockLaneCount), 0, context.stream,
                     matrix<T>(x), limit));
    });
}

} // namespace straightedge
