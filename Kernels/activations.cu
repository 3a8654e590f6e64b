// Gated activations of the MLP.
#include "operations.h"
#include "tensors.h"

namespace straightedge {
namespace {

// result = silu(gate) ⊙ up with silu(z) = z / (1 + exp(-z)); gate and up stand side by side.
template <typename T> __global__ void gated_silu_kernel(Matrix<const T> gateUp, Matrix<T> result) {
    const std::int64_t count = result.rows * result.columns;
    for (std::int64_t i = first_element(); i < count; i += element_stride()) {
        const std::int64_t row = i / result.columns, column = i % result.columns;
        const float gate = to_float(gateUp.row(row)[column]);
        const float up = to_float(gateUp.row(row)[column + result.columns]);
        result.row(row)[column] = from_float<T>(gate / (1.0f + expf(-gate)) * up);
    }
}

} // namespace

void gated_silu(ck_context &context, ck_tensor gateUp, ck_tensor result) {
    const std::int64_t count = result.rows * result.columns;
    if (count == 0) return;
    with_activation_type(result.type, [&](auto type) {
        using T = typename decltype(type)::type;
        CHECK(launch(gated_silu_kernel<T>, element_grid(context, count), dim3(blockLaneCount), 0, context.stream,
                     matrix<const T>(gateUp), matrix<T>(result)));
    });
}

} // namespace straightedge
