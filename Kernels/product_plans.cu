#include "product_plans.h"

namespace straightedge {

ProductPlans::ProductPlans(cublasLtHandle_t handle, cudaStream_t stream) : handle(handle), stream(stream) {
    CHECK(cudaMalloc(&workspace, workspaceByteCount));
}

ProductPlans::~ProductPlans() {
    for (auto &entry : plans) destroy(entry.second);
    if (workspace) (void)cudaFree(workspace);
}

void ProductPlans::destroy(Plan &plan) noexcept {
    if (plan.result) (void)cublasLtMatrixLayoutDestroy(plan.result);
    if (plan.b) (void)cublasLtMatrixLayoutDestroy(plan.b);
    if (plan.a) (void)cublasLtMatrixLayoutDestroy(plan.a);
    if (plan.description) (void)cublasLtMatmulDescDestroy(plan.description);
}

void ProductPlans::run(const ColumnProduct &product, float scale, const void *a, const void *b, bool accumulates,
                       void *result) {
    const Plan &chosen = plan(product);
    const float previous = accumulates ? 1.0f : 0.0f;
    CHECK(cublasLtMatmul(handle, chosen.description, &scale, a, chosen.a, b, chosen.b, &previous, result, chosen.result,
                         result, chosen.result, &chosen.algorithm, workspace, workspaceByteCount, stream));
}

const ProductPlans::Plan &ProductPlans::plan(const ColumnProduct &product) {
    const auto found = plans.find(product.key());
    if (found != plans.end()) return found->second;
    const auto operation = [](bool transposes) { return transposes ? CUBLAS_OP_T : CUBLAS_OP_N; };
    const auto layout = [](cublasLtMatrixLayout_t *result, cudaDataType_t type, bool transposes, std::int64_t rows,
                           std::int64_t columns, std::int64_t leading) {
        CHECK(cublasLtMatrixLayoutCreate(result, type, static_cast<std::uint64_t>(transposes ? columns : rows),
                                         static_cast<std::uint64_t>(transposes ? rows : columns), leading));
    };
    Plan plan;
    try {
        CHECK(cublasLtMatmulDescCreate(&plan.description, CUBLAS_COMPUTE_32F, CUDA_R_32F));
        const cublasOperation_t a = operation(product.transposesA), b = operation(product.transposesB);
        CHECK(cublasLtMatmulDescSetAttribute(plan.description, CUBLASLT_MATMUL_DESC_TRANSA, &a, sizeof a));
        CHECK(cublasLtMatmulDescSetAttribute(plan.description, CUBLASLT_MATMUL_DESC_TRANSB, &b, sizeof b));
        layout(&plan.a, product.operandType, product.transposesA, product.m, product.k, product.leadingA);
        layout(&plan.b, product.operandType, product.transposesB, product.k, product.n, product.leadingB);
        layout(&plan.result, product.resultType, false, product.m, product.n, product.leadingResult);
        choose_algorithm(product, plan);
    } catch (...) {
        destroy(plan);
        throw;
    }
    return plans.emplace(product.key(), plan).first->second;
}

void ProductPlans::choose_algorithm(const ColumnProduct &product, Plan &plan) {
    cublasLtMatmulPreference_t preference = nullptr;
    CHECK(cublasLtMatmulPreferenceCreate(&preference));
    const std::unique_ptr<cublasLtMatmulPreferenceOpaque_t, cublasStatus_t (*)(cublasLtMatmulPreference_t)> owner(
        preference, cublasLtMatmulPreferenceDestroy);
    const auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
        CHECK(cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value));
    };
    set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<std::uint64_t>(workspaceByteCount));
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, product.alignmentA);
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, product.alignmentB);
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, product.alignmentResult);
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, product.alignmentResult);
    cublasLtMatmulHeuristicResult_t best{};
    int count = 0;
    CHECK(cublasLtMatmulAlgoGetHeuristic(handle, plan.description, plan.a, plan.b, plan.result, plan.result, preference,
                                         1, &best, &count));
    if (count == 0) throw Failure{CK_DEVICE_FAILED, "cublasLtMatmulAlgoGetHeuristic: no algorithm for this product"};
    plan.algorithm = best.algo;
}

} // namespace straightedge
