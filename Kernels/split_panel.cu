#include "split_panel.h"

#include "operations.h"
#include "tensors.h"

#include <algorithm>

namespace straightedge {
namespace {

// What the low part is multiplied with: the spacing of numbers between 1 and 2 is a 2^10th, and half of it is left
// over.
constexpr float lowFactor = 2048;
// The largest element of a column is taken to 2^13 up to 2^14.
constexpr int largestExponent = 14;

constexpr int stripColumnCount = 32;
constexpr int stripRowCount = 8;

// scales[column] = the power of two of the column's largest element; 1 for a column of zeros.
__global__ void column_scales_kernel(Matrix<const float> panel, float *scales) {
    __shared__ float largestOfLane[stripRowCount][stripColumnCount];
    const std::int64_t column = static_cast<std::int64_t>(blockIdx.x) * stripColumnCount + threadIdx.x;
    float largest = 0;
    if (column < panel.columns) {
        for (std::int64_t i = threadIdx.y; i < panel.rows; i += stripRowCount) {
            largest = fmaxf(largest, fabsf(panel.row(i)[column]));
        }
    }
    largestOfLane[threadIdx.y][threadIdx.x] = largest;
    __syncthreads();
    if (threadIdx.y > 0 || column >= panel.columns) return;
    for (int i = 1; i < stripRowCount; ++i) largest = fmaxf(largest, largestOfLane[i][threadIdx.x]);
    int exponent = 0;
    if (largest > 0) {
        (void)frexpf(largest, &exponent);
        // Scales and their inverses are normal numbers.
        exponent = max(-110, min(110, exponent)) - largestExponent;
    }
    scales[column] = ldexpf(1.0f, exponent);
}

__global__ void split_kernel(Matrix<const float> panel, const float *scales, __half *high, __half *low) {
    const std::int64_t count = panel.rows * panel.columns;
    for (std::int64_t i = first_element(); i < count; i += element_stride()) {
        const std::int64_t column = i % panel.columns;
        const float value = panel.row(i / panel.columns)[column] / scales[column];
        const __half rounded = __float2half(value);
        high[i] = rounded;
        low[i] = __float2half((value - __half2float(rounded)) * lowFactor);
    }
}

// result += scales · (high + cross/2^11) · otherScales.
__global__ void add_sums_kernel(const float *high, const float *cross, const float *scales, const float *otherScales,
                                Matrix<double> result) {
    const std::int64_t count = result.rows * result.columns;
    for (std::int64_t i = first_element(); i < count; i += element_stride()) {
        const std::int64_t row = i / result.columns, column = i % result.columns;
        const double sum = static_cast<double>(high[i]) + static_cast<double>(cross[i]) / lowFactor;
        result.row(row)[column] += sum * (static_cast<double>(scales[row]) * static_cast<double>(otherScales[column]));
    }
}

// The same of a symmetric product's upper triangle: the two cross products are each other's transposes.
__global__ void add_symmetric_sums_kernel(const float *high, const float *cross, const float *scales,
                                          Matrix<double> gram) {
    const std::int64_t count = gram.rows * gram.columns;
    for (std::int64_t i = first_element(); i < count; i += element_stride()) {
        const std::int64_t row = i / gram.columns, column = i % gram.columns;
        if (column < row) continue;
        const double both = static_cast<double>(cross[i]) + static_cast<double>(cross[column * gram.columns + row]);
        const double sum = static_cast<double>(high[i]) + both / lowFactor;
        gram.row(row)[column] += sum * (static_cast<double>(scales[row]) * static_cast<double>(scales[column]));
    }
}

Matrix<const float> first_rows(const ck_tensor &panel, std::int64_t rowCount) {
    Matrix<const float> rows = matrix<const float>(panel);
    rows.rows = rowCount;
    return rows;
}

} // namespace

SplitPanel::SplitPanel(ck_context &context, ck_tensor panel, std::int64_t rowCount)
    : context(context), rowCount(rowCount), columns(panel.columns),
      parts(context, 2 * rowCount * panel.columns * static_cast<std::int64_t>(sizeof(__half))),
      scales(context, panel.columns * static_cast<std::int64_t>(sizeof(float))) {
    const Matrix<const float> rows = first_rows(panel, rowCount);
    const std::int64_t strips = (columns + stripColumnCount - 1) / stripColumnCount;
    CHECK(launch(column_scales_kernel, dim3(static_cast<unsigned>(strips)), dim3(stripColumnCount, stripRowCount), 0,
                 context.stream, rows, scales.as<float>()));
    CHECK(launch(split_kernel, element_grid(context, rowCount * columns), dim3(blockLaneCount), 0, context.stream, rows,
                 scales.as<const float>(), parts.as<__half>(), parts.as<__half>() + rowCount * columns));
}

const __half *SplitPanel::rows(int part, std::int64_t firstRow) const {
    return parts.as<const __half>() + (part * rowCount + firstRow) * columns;
}

void SplitPanel::multiply(int part, const SplitPanel &other, int otherPart, std::int64_t firstRow, std::int64_t count,
                          bool accumulates, const Scratch &sums) const {
    const auto tensor = [](const void *elements, std::int64_t rows, std::int64_t columns, std::int32_t type) {
        return ck_tensor{reinterpret_cast<std::uint64_t>(elements), rows, columns, columns, type};
    };
    const ck_product how{1, 0, accumulates ? 1 : 0, 0, 1.0};
    product(context, tensor(rows(part, firstRow), count, columns, CK_FLOAT16),
            tensor(other.rows(otherPart, firstRow), count, other.columns, CK_FLOAT16), how,
            tensor(sums.as<void>(), columns, other.columns, CK_FLOAT32));
}

void SplitPanel::add_gram(ck_tensor gram) const {
    const Scratch high(context, 4 * columns * columns), cross(context, 4 * columns * columns);
    for (std::int64_t row = 0; row < rowCount; row += blockRowCount) {
        const std::int64_t count = std::min(blockRowCount, rowCount - row);
        multiply(0, *this, 0, row, count, false, high);
        multiply(0, *this, 1, row, count, false, cross);
        CHECK(launch(add_symmetric_sums_kernel, element_grid(context, columns * columns), dim3(blockLaneCount), 0,
                     context.stream, high.as<const float>(), cross.as<const float>(), scales.as<const float>(),
                     matrix<double>(gram)));
    }
}

void SplitPanel::add_product(const SplitPanel &other, ck_tensor result) const {
    const std::int64_t count = columns * other.columns;
    const Scratch high(context, 4 * count), cross(context, 4 * count);
    for (std::int64_t row = 0; row < rowCount; row += blockRowCount) {
        const std::int64_t rowsHere = std::min(blockRowCount, rowCount - row);
        multiply(0, other, 0, row, rowsHere, false, high);
        multiply(0, other, 1, row, rowsHere, false, cross);
        multiply(1, other, 0, row, rowsHere, true, cross);
        CHECK(launch(add_sums_kernel, element_grid(context, count), dim3(blockLaneCount), 0, context.stream,
                     high.as<const float>(), cross.as<const float>(), scales.as<const float>(),
                     other.scales.as<const float>(), matrix<double>(result)));
    }
}

} // namespace straightedge
