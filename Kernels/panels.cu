// Panels of shifted rows, their column sums, and their products in float64.
#include "operations.h"
#include "split_panel.h"
#include "tensors.h"

namespace straightedge {
namespace {

// A block's strip of columns, and the rows that its lanes take in turn.
constexpr int stripColumnCount = 32;
constexpr int stripRowCount = 8;

// One of the two sides of a panel: x, or the target y - x or y.
template <typename Source, typename Element> struct Side {
    Matrix<const Source> values;
    // What is taken away before the shift; none where `elements` is null.
    Matrix<const Source> minus;
    const Source *shift;
    Matrix<Element> panel;
    double *sums;
    // Null where squares are not wanted.
    double *squares;
};

// panel[i] = values[rows[i]] - minus[rows[i]] - shift, and the sums of what the panel holds, in the order of the rows.
template <typename Source, typename Element>
__global__ void gather_panel_kernel(Side<Source, Element> side, const std::int32_t *rows, std::int64_t rowCount) {
    __shared__ double partialSums[stripRowCount][stripColumnCount];
    __shared__ double partialSquares[stripRowCount][stripColumnCount];
    const std::int64_t column = static_cast<std::int64_t>(blockIdx.x) * stripColumnCount + threadIdx.x;
    const bool isInside = column < side.panel.columns;
    double sum = 0, squares = 0;
    if (isInside) {
        const double shift = side.shift[column];
        for (std::int64_t i = threadIdx.y; i < rowCount; i += stripRowCount) {
            // In float64, and then rounded once: a B with a large mean would lose digits before the shift removes it.
            double value = side.values.row(rows[i])[column];
            if (side.minus.elements) value -= static_cast<double>(side.minus.row(rows[i])[column]);
            const Element stored = static_cast<Element>(value - shift);
            side.panel.row(i)[column] = stored;
            sum += static_cast<double>(stored);
            squares += static_cast<double>(stored) * static_cast<double>(stored);
        }
    }
    partialSums[threadIdx.y][threadIdx.x] = sum;
    partialSquares[threadIdx.y][threadIdx.x] = squares;
    __syncthreads();
    if (threadIdx.y > 0 || !isInside) return;
    for (int i = 1; i < stripRowCount; ++i) {
        sum += partialSums[i][threadIdx.x];
        squares += partialSquares[i][threadIdx.x];
    }
    side.sums[column] += sum;
    if (side.squares) side.squares[column] += squares;
}

template <typename Source, typename Element>
void gather_side(ck_context &context, const Side<Source, Element> &side, const std::int32_t *rows,
                 std::int64_t rowCount) {
    const std::int64_t strips = (side.panel.columns + stripColumnCount - 1) / stripColumnCount;
    CHECK(launch(gather_panel_kernel<Source, Element>, dim3(static_cast<unsigned>(strips)),
                 dim3(stripColumnCount, stripRowCount), 0, context.stream, side, rows, rowCount));
}

template <typename Source, typename Element>
void gather(ck_context &context, const ck_stream_pair &pair, const std::int32_t *rows, std::int64_t rowCount,
            const ck_panels &panels) {
    const Matrix<double> sums = matrix<double>(panels.sums);
    const Matrix<const Source> x = matrix<const Source>(pair.x), nothing{nullptr, 0, 0, 0};
    gather_side(context,
                Side<Source, Element>{x, nothing, address<const Source>(pair.shift_x), matrix<Element>(panels.x),
                                      sums.row(0), nullptr},
                rows, rowCount);
    gather_side(context,
                Side<Source, Element>{matrix<const Source>(pair.y), pair.is_contribution ? x : nothing,
                                      address<const Source>(pair.shift_target), matrix<Element>(panels.target),
                                      sums.row(1), sums.row(2)},
                rows, rowCount);
}

// result += leftᵀ·right, row-major; cuBLAS sees the transposes.
void add_product(ck_context &context, ck_tensor left, ck_tensor right, std::int64_t rowCount, ck_tensor result) {
    const double one = 1;
    CHECK(cublasDgemm(context.blas, CUBLAS_OP_N, CUBLAS_OP_T, static_cast<int>(right.columns),
                      static_cast<int>(left.columns), static_cast<int>(rowCount), &one, address<const double>(right),
                      static_cast<int>(right.leading), address<const double>(left), static_cast<int>(left.leading),
                      &one, address<double>(result), static_cast<int>(result.leading)));
}

// gram += panelᵀ·panel, its upper triangle: the lower one of what cuBLAS sees.
void add_gram(ck_context &context, ck_tensor panel, std::int64_t rowCount, ck_tensor gram) {
    const double one = 1;
    CHECK(cublasDsyrk(context.blas, CUBLAS_FILL_MODE_LOWER, CUBLAS_OP_N, static_cast<int>(panel.columns),
                      static_cast<int>(rowCount), &one, address<const double>(panel), static_cast<int>(panel.leading),
                      &one, address<double>(gram), static_cast<int>(gram.leading)));
}

} // namespace

void gather_panels(ck_context &context, ck_stream_pair pair, const std::int32_t *rows, std::int64_t rowCount,
                   ck_panels panels) {
    if (rowCount == 0) return;
    const Scratch indices(context, rows, rowCount * static_cast<std::int64_t>(sizeof *rows));
    with_real_type(pair.x.type, [&](auto source) {
        using Source = typename decltype(source)::type;
        with_real_type(panels.x.type, [&](auto element) {
            using Element = typename decltype(element)::type;
            gather<Source, Element>(context, pair, indices.as<const std::int32_t>(), rowCount, panels);
        });
    });
}

void add_cross_products(ck_context &context, ck_panels panels, std::int64_t rowCount, ck_tensor gram, ck_tensor cross,
                        ck_tensor targetGram) {
    if (rowCount == 0) return;
    if (panels.x.type == CK_FLOAT64) {
        add_gram(context, panels.x, rowCount, gram);
        add_product(context, panels.x, panels.target, rowCount, cross);
        if (targetGram.address) add_gram(context, panels.target, rowCount, targetGram);
        return;
    }
    const SplitPanel x(context, panels.x, rowCount), target(context, panels.target, rowCount);
    x.add_gram(gram);
    x.add_product(target, cross);
    if (targetGram.address) target.add_gram(targetGram);
}

} // namespace straightedge
