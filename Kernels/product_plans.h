// Algorithms of cuBLASLt for matrix products, chosen once for each kind and size.
#pragma once

#include "context.h"

#include <cublasLt.h>

#include <cstdint>
#include <map>
#include <tuple>

namespace straightedge {

// A product by columns: result (m, n) = scale · op(a) · op(b) + (accumulates) · result.
struct ColumnProduct {
    cudaDataType_t operandType;
    cudaDataType_t resultType;
    bool transposesA;
    bool transposesB;
    std::int64_t m, n, k;
    std::int64_t leadingA, leadingB, leadingResult;
    // Bytes that the addresses are multiples of, at most 256; algorithms differ in what they need.
    std::uint32_t alignmentA, alignmentB, alignmentResult;

    auto key() const {
        return std::make_tuple(operandType, resultType, transposesA, transposesB, m, n, k, leadingA, leadingB,
                               leadingResult, alignmentA, alignmentB, alignmentResult);
    }
};

// Sums are float32, and TF32 is off: float32 operands are multiplied as they are.
class ProductPlans {
  public:
    ProductPlans(cublasLtHandle_t handle, cudaStream_t stream);
    ~ProductPlans();
    ProductPlans(const ProductPlans &) = delete;
    ProductPlans &operator=(const ProductPlans &) = delete;

    void run(const ColumnProduct &product, float scale, const void *a, const void *b, bool accumulates, void *result);

  private:
    struct Plan {
        cublasLtMatmulDesc_t description = nullptr;
        cublasLtMatrixLayout_t a = nullptr, b = nullptr, result = nullptr;
        cublasLtMatmulAlgo_t algorithm{};
    };

    const Plan &plan(const ColumnProduct &product);
    void choose_algorithm(const ColumnProduct &product, Plan &plan);
    static void destroy(Plan &plan) noexcept;

    // What NVIDIA recommends for Hopper.
    static constexpr std::size_t workspaceByteCount = std::size_t{32} << 20;
    cublasLtHandle_t handle;
    cudaStream_t stream;
    void *workspace = nullptr;
    std::map<decltype(std::declval<ColumnProduct>().key()), Plan> plans;
};

} // namespace straightedge
