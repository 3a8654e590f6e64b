// Panels of shifted rows, their column sums, and their products in float64.
#include "operations.h"
#include "split_panel.h"
#include "vectors.h"

namespace straightedge {
namespace {

// Lanes of a block along a row, its rows at a time, and the rows that it takes in all.
constexpr int stripLaneCount = 32;
constexpr int stripRowCount = 8;
constexpr int chunkRowCount = 128;
// Rows of a lane that are loaded before the first is stored.
constexpr int rowsAtOnce = 2;

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

// panel[i] = values[rows[i]] - minus[rows[i]] - shift, and of each chunk of rows the sums of what the panel holds and
// of its squares: partials[2 * chunk][column] and the next row. A lane takes `width` columns.
template <typename Source, typename Element, int width>
__global__ void __launch_bounds__(stripLaneCount *stripRowCount)
    gather_panel_kernel(Side<Source, Element> side, const std::int32_t *rows, std::int64_t rowCount,
                        Matrix<double> partials) {
    constexpr int stripWidth = stripLaneCount * width;
    __shared__ double parts[2][stripRowCount][stripWidth];
    const std::int64_t strip = static_cast<std::int64_t>(blockIdx.x) * stripWidth;
    const std::int64_t column = strip + threadIdx.x * width;
    const std::int64_t begin = static_cast<std::int64_t>(blockIdx.y) * chunkRowCount;
    const int count = static_cast<int>(rowCount - begin < chunkRowCount ? rowCount - begin : chunkRowCount);
    double sums[width] = {}, squares[width] = {};
    if (column < side.panel.columns) {
        const auto shift = Vector<Source, width>::load(side.shift + column);
        for (int first = threadIdx.y; first < count; first += rowsAtOnce * stripRowCount) {
            Vector<Source, width> values[rowsAtOnce], minus[rowsAtOnce];
#pragma unroll
            for (int i = 0; i < rowsAtOnce; ++i) {
                if (first + i * stripRowCount >= count) continue;
                const std::int64_t row = rows[begin + first + i * stripRowCount];
                values[i] = Vector<Source, width>::load(side.values.row(row) + column);
                if (side.minus.elements) minus[i] = Vector<Source, width>::load(side.minus.row(row) + column);
            }
#pragma unroll
            for (int i = 0; i < rowsAtOnce; ++i) {
                if (first + i * stripRowCount >= count) continue;
                Vector<Element, width> stored;
                for (int j = 0; j < width; ++j) {
                    // In float64, and then rounded once: a B with a large mean would lose digits before the shift
                    // removes it.
                    double value = values[i].elements[j];
                    if (side.minus.elements) value -= static_cast<double>(minus[i].elements[j]);
                    stored.elements[j] = static_cast<Element>(value - static_cast<double>(shift.elements[j]));
                    const double element = stored.elements[j];
                    sums[j] += element;
                    squares[j] += element * element;
                }
                stored.store(side.panel.row(begin + first + i * stripRowCount) + column);
            }
        }
    }
    for (int j = 0; j < width; ++j) {
        parts[0][threadIdx.y][threadIdx.x * width + j] = sums[j];
        parts[1][threadIdx.y][threadIdx.x * width + j] = squares[j];
    }
    __syncthreads();
    for (int i = threadIdx.y * stripLaneCount + threadIdx.x; i < 2 * stripWidth; i += stripLaneCount * stripRowCount) {
        const int kind = i / stripWidth, place = i % stripWidth;
        if (strip + place >= side.panel.columns) continue;
        double sum = 0;
        for (int row = 0; row < stripRowCount; ++row) sum += parts[kind][row][place];
        partials.row(2 * static_cast<std::int64_t>(blockIdx.y) + kind)[strip + place] = sum;
    }
}

// Adds the sums of all chunks, in their order.
__global__ void add_partial_sums_f64(Matrix<const double> partials, double *sums, double *squares) {
    const std::int64_t column = first_element();
    if (column >= partials.columns) return;
    double sum = 0, square = 0;
#pragma unroll 8
    for (std::int64_t row = 0; row < partials.rows; row += 2) {
        sum += partials.row(row)[column];
        square += partials.row(row + 1)[column];
    }
    sums[column] += sum;
    if (squares) squares[column] += square;
}

unsigned block_count(std::int64_t count, std::int64_t perBlock) {
    return static_cast<unsigned>((count + perBlock - 1) / perBlock);
}

template <typename Source, typename Element>
void gather_side(ck_context &context, const Side<Source, Element> &side, const std::int32_t *rows,
                 std::int64_t rowCount, bool isInVectors) {
    const std::int64_t columns = side.panel.columns, chunks = block_count(rowCount, chunkRowCount);
    if (columns == 0) return;
    const Scratch memory(context, 2 * chunks * columns * static_cast<std::int64_t>(sizeof(double)));
    const Matrix<double> partials{memory.as<double>(), 2 * chunks, columns, columns};
    const auto run = [&](auto kernel, int width) {
        CHECK(launch(kernel, dim3(block_count(columns, stripLaneCount * width), static_cast<unsigned>(chunks)),
                     dim3(stripLaneCount, stripRowCount), 0, context.stream, side, rows, rowCount, partials));
    };
    constexpr int width = vectorWidth<Source>;
    if (isInVectors) {
        run(gather_panel_kernel<Source, Element, width>, width);
    } else {
        run(gather_panel_kernel<Source, Element, 1>, 1);
    }
    CHECK(launch(add_partial_sums_f64, dim3(block_count(columns, blockLaneCount)), dim3(blockLaneCount), 0,
                 context.stream, Matrix<const double>{partials.elements, 2 * chunks, columns, columns}, side.sums,
                 side.squares));
}

template <typename Source, typename Element>
void gather(ck_context &context, const ck_stream_pair &pair, const std::int32_t *rows, std::int64_t rowCount,
            const ck_panels &panels) {
    constexpr int width = vectorWidth<Source>;
    const auto are_in_vectors = [](const ck_tensor &values, const ck_tensor &shift, const ck_tensor &panel) {
        return panel.columns % width == 0 && has_vectors(values, width, sizeof(Source)) &&
               has_vectors(shift, width, sizeof(Source)) && has_vectors(panel, width, sizeof(Element));
    };
    const Matrix<double> sums = matrix<double>(panels.sums);
    const Matrix<const Source> x = matrix<const Source>(pair.x), nothing{nullptr, 0, 0, 0};
    gather_side(context,
                Side<Source, Element>{x, nothing, address<const Source>(pair.shift_x), matrix<Element>(panels.x),
                                      sums.row(0), nullptr},
                rows, rowCount, are_in_vectors(pair.x, pair.shift_x, panels.x));
    const bool isTargetInVectors = are_in_vectors(pair.y, pair.shift_target, panels.target) &&
                                   (!pair.is_contribution || has_vectors(pair.x, width, sizeof(Source)));
    gather_side(context,
                Side<Source, Element>{matrix<const Source>(pair.y), pair.is_contribution ? x : nothing,
                                      address<const Source>(pair.shift_target), matrix<Element>(panels.target),
                                      sums.row(1), sums.row(2)},
                rows, rowCount, isTargetInVectors);
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
