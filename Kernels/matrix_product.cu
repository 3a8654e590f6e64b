// Matrix products: float32 and 16-bit operands through cuBLASLt, float64 through cuBLAS.
#include "operations.h"
#include "product_plans.h"
#include "tensors.h"

#include <algorithm>

namespace straightedge {
namespace {

cudaDataType_t data_type(std::int32_t type) {
    switch (type) {
    case CK_FLOAT16:
        return CUDA_R_16F;
    case CK_BFLOAT16:
        return CUDA_R_16BF;
    default:
        return CUDA_R_32F;
    }
}

// Bytes that an address is a multiple of, at most 256.
std::uint32_t alignment(const ck_tensor &tensor) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(256, tensor.address & (~tensor.address + 1)));
}

} // namespace

void product(ck_context &context, ck_tensor a, ck_tensor b, ck_product how, ck_tensor result) {
    const std::int64_t depth = how.transposes_a ? a.rows : a.columns;
    if (result.rows == 0 || result.columns == 0) return;
    if (depth == 0) {
        // Libraries refuse empty sums.
        if (!how.accumulates) fill_zero(context, result);
        return;
    }
    // By columns the result is its transpose, bᵀ·aᵀ, and so are a and b.
    if (a.type == CK_FLOAT64) {
        const double previous = how.accumulates ? 1 : 0;
        const auto operation = [](std::int32_t transposes) { return transposes ? CUBLAS_OP_T : CUBLAS_OP_N; };
        CHECK(cublasDgemm(context.blas, operation(how.transposes_b), operation(how.transposes_a),
                          static_cast<int>(result.columns), static_cast<int>(result.rows), static_cast<int>(depth),
                          &how.scale, address<const double>(b), static_cast<int>(b.leading), address<const double>(a),
                          static_cast<int>(a.leading), &previous, address<double>(result),
                          static_cast<int>(result.leading)));
        return;
    }
    const ColumnProduct columns{data_type(a.type),
                                data_type(result.type),
                                how.transposes_b != 0,
                                how.transposes_a != 0,
                                result.columns,
                                result.rows,
                                depth,
                                b.leading,
                                a.leading,
                                result.leading,
                                alignment(b),
                                alignment(a),
                                alignment(result)};
    context.plans->run(columns, static_cast<float>(how.scale), address<const void>(b), address<const void>(a),
                       how.accumulates != 0, address<void>(result));
}

} // namespace straightedge
