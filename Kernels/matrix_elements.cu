// Scales, diagonals, triangles and transposes of float64 matrices.
#include "operations.h"
#include "tensors.h"

namespace straightedge {
namespace {

// a += scale · x·yᵀ.
__global__ void add_outer_product_f64(const double *x, const double *y, double scale, Matrix<double> a) {
    const std::int64_t count = a.rows * a.columns;
    for (std::int64_t i = first_element(); i < count; i += element_stride()) {
        const std::int64_t row = i / a.columns, column = i % a.columns;
        a.row(row)[column] += scale * x[row] * y[column];
    }
}

// a[i, j] ← rows[i] · a[i, j] · columns[j]; a null factor is 1.
__global__ void scale_f64(Matrix<double> a, const double *rows, const double *columns) {
    const std::int64_t count = a.rows * a.columns;
    for (std::int64_t i = first_element(); i < count; i += element_stride()) {
        const std::int64_t row = i / a.columns, column = i % a.columns;
        const double factor = (rows ? rows[row] : 1) * (columns ? columns[column] : 1);
        a.row(row)[column] *= factor;
    }
}

__global__ void diagonal_f64(Matrix<const double> a, double *values) {
    for (std::int64_t i = first_element(); i < a.rows; i += element_stride()) values[i] = a.row(i)[i];
}

__global__ void fill_diagonal_f64(Matrix<double> a, double value) {
    for (std::int64_t i = first_element(); i < a.rows; i += element_stride()) a.row(i)[i] = value;
}

constexpr int tileCount = 32;
constexpr int tileRowCount = 8;

// result = aᵀ through tiles in shared memory, so that both sides are read and written along rows. With `isMirror` only
// tiles at and below the diagonal of the result are written, and of those on it the elements below.
__global__ void transpose_f64(Matrix<const double> a, Matrix<double> result, bool isMirror) {
    __shared__ double tile[tileCount][tileCount + 1];
    if (isMirror && blockIdx.x < blockIdx.y) return;
    const std::int64_t firstColumn = static_cast<std::int64_t>(blockIdx.x) * tileCount;
    const std::int64_t firstRow = static_cast<std::int64_t>(blockIdx.y) * tileCount;
    for (int i = threadIdx.y; i < tileCount; i += tileRowCount) {
        const std::int64_t row = firstRow + i, column = firstColumn + threadIdx.x;
        if (row < a.rows && column < a.columns) tile[i][threadIdx.x] = a.row(row)[column];
    }
    __syncthreads();
    for (int i = threadIdx.y; i < tileCount; i += tileRowCount) {
        const std::int64_t row = firstColumn + i, column = firstRow + threadIdx.x;
        if (row < result.rows && column < result.columns && (!isMirror || column < row)) {
            result.row(row)[column] = tile[threadIdx.x][i];
        }
    }
}

void transpose_tiles(ck_context &context, ck_tensor a, ck_tensor result, bool isMirror) {
    const auto tiles = [](std::int64_t count) { return static_cast<unsigned>((count + tileCount - 1) / tileCount); };
    if (a.rows == 0 || a.columns == 0) return;
    CHECK(launch(transpose_f64, dim3(tiles(a.columns), tiles(a.rows)), dim3(tileCount, tileRowCount), 0, context.stream,
                 matrix<const double>(a), matrix<double>(result), isMirror));
}

} // namespace

void add_outer_product(ck_context &context, ck_tensor x, ck_tensor y, double scale, ck_tensor a) {
    if (a.rows == 0 || a.columns == 0) return;
    CHECK(launch(add_outer_product_f64, element_grid(context, a.rows * a.columns), dim3(blockLaneCount), 0,
                 context.stream, address<const double>(x), address<const double>(y), scale, matrix<double>(a)));
}

void scale(ck_context &context, ck_tensor a, ck_tensor rows, ck_tensor columns) {
    if (a.rows == 0 || a.columns == 0) return;
    CHECK(launch(scale_f64, element_grid(context, a.rows * a.columns), dim3(blockLaneCount), 0, context.stream,
                 matrix<double>(a), address<const double>(rows), address<const double>(columns)));
}

void diagonal(ck_context &context, ck_tensor a, double *values) {
    if (a.rows == 0) return;
    const Scratch found(context, a.rows * 8);
    CHECK(launch(diagonal_f64, element_grid(context, a.rows), dim3(blockLaneCount), 0, context.stream,
                 matrix<const double>(a), found.as<double>()));
    read_back(context, found.as<void>(), values, a.rows * 8);
}

void fill_diagonal(ck_context &context, ck_tensor a, double value) {
    if (a.rows == 0) return;
    CHECK(launch(fill_diagonal_f64, element_grid(context, a.rows), dim3(blockLaneCount), 0, context.stream,
                 matrix<double>(a), value));
}

void transpose(ck_context &context, ck_tensor a, ck_tensor result) { transpose_tiles(context, a, result, false); }

void mirror_upper_triangle(ck_context &context, ck_tensor a) { transpose_tiles(context, a, a, true); }

void inner_product(ck_context &context, ck_tensor a, ck_tensor b, double *value) {
    *value = 0;
    const std::int64_t count = a.rows * a.columns;
    if (count == 0) return;
    CHECK(cublasDdot(context.blas, static_cast<int>(count), address<const double>(a), 1, address<const double>(b), 1,
                     value));
}

void add_scaled(ck_context &context, ck_tensor x, double scale, ck_tensor y) {
    const std::int64_t count = x.rows * x.columns;
    if (count == 0) return;
    CHECK(
        cublasDaxpy(context.blas, static_cast<int>(count), &scale, address<const double>(x), 1, address<double>(y), 1));
}

void symmetric_product(ck_context &context, ck_tensor a, ck_tensor x, ck_tensor y) {
    if (a.rows == 0) return;
    const double one = 1, zero = 0;
    // The upper triangle of rows is the lower one of columns.
    CHECK(cublasDsymv(context.blas, CUBLAS_FILL_MODE_LOWER, static_cast<int>(a.rows), &one, address<const double>(a),
                      static_cast<int>(a.leading), address<const double>(x), 1, &zero, address<double>(y), 1));
}

} // namespace straightedge
