// Gated activations of the MLP.
#include "operations.h"
#include "tensors.h"

namespace straightedge {
namespace {

// result = silu(gate) ⊙ up with silu(z) = z / (1 + exp(-z)); gate and up stand side by side.
__global__ void gated_silu_f32(Matrix<const float> gateUp, Matrix<float> result) {
    const std::int64_t count = result.rows * result.columns;
    for (std::int64_t i = first_element(); i < count; i += element_stride()) {
        const std::int64_t row = i / result.columns, column = i % result.columns;
        const float gate = gateUp.row(row)[column], up = gateUp.row(row)[column + result.columns];
        result.row(row)[column] = gate / (1.0f + expf(-gate)) * up;
    }
}

} // namespace

void gated_silu(ck_context &context, ck_tensor gateUp, ck_tensor result) {
    const std::int64_t count = result.rows * result.columns;
    if (count == 0) return;
    CHECK(launch(gated_silu_f32, element_grid(context, count), dim3(blockLaneCount), 0, context.stream,
                 matrix<const float>(gateUp), matrix<float>(result)));
}

} // namespace straightedge
