// A float32 panel as the sum of two of float16, whose products tensor cores form.
#pragma once

#include "context.h"

#include <cuda_fp16.h>

#include <cstdint>

namespace straightedge {

// Of each column x, with a power of two s that takes its largest element to 2^13 or more: x/s = high + low/2^11, both
// float16. They hold 22 significant bits of the largest element; what is left out of a product, low times low, is
// smaller. Products of at most `blockRowCount` rows are summed in float32, and these sums in float64.
class SplitPanel {
  public:
    // - rowCount: Of the panel's rows, the first.
    SplitPanel(ck_context &context, ck_tensor panel, std::int64_t rowCount);

    // gram += panelᵀ·panel, the upper triangle.
    void add_gram(ck_tensor gram) const;
    // result += panelᵀ·other.
    void add_product(const SplitPanel &other, ck_tensor result) const;

  private:
    // sums (columns, other's columns) = parts[part]ᵀ·other.parts[otherPart], added where `accumulates`.
    void multiply(int part, const SplitPanel &other, int otherPart, std::int64_t firstRow, std::int64_t count,
                  bool accumulates, const Scratch &sums) const;
    const __half *rows(int part, std::int64_t firstRow) const;

    static constexpr std::int64_t blockRowCount = 2048;
    ck_context &context;
    const std::int64_t rowCount;
    const std::int64_t columns;
    // The high part, and behind it the low one, (rowCount, columns) each.
    Scratch parts;
    // s of each column.
    Scratch scales;
};

} // namespace straightedge
