// Cholesky, triangular systems, QR updates, eigenvalues and singular values through cuBLAS and cuSOLVER.
//
// Both are column-major: they see a row-major matrix as its transpose, so that the lower triangle here is the upper one
// there. That is met in this file.
#include "operations.h"
#include "tensors.h"

#include <algorithm>
#include <vector>

namespace straightedge {
namespace {

// The number that a routine of cuSOLVER leaves: below 0 for an argument it does not take, above 0 where it failed.
class Outcome {
  public:
    explicit Outcome(ck_context &context) : context(context), scratch(context, sizeof(int)) {}

    int *place() const { return scratch.as<int>(); }

    int read(const char *routine) const {
        int value = 0;
        read_back(context, scratch.as<void>(), &value, sizeof value);
        if (value < 0) {
            throw Failure{CK_DEVICE_FAILED,
                          std::string(routine) + ": argument " + std::to_string(-value) + " is not valid"};
        }
        return value;
    }

  private:
    ck_context &context;
    Scratch scratch;
};

int to_int(std::int64_t value) { return static_cast<int>(value); }

// stacked, column-major: the upper triangle of factorᵀ (zeros below), and beneath it the rows.
__global__ void stack_rows_f64(Matrix<const double> factor, Matrix<const double> rows, bool transposesRows,
                               std::int64_t rowCount, double *stacked) {
    const std::int64_t order = factor.rows, height = order + rowCount, count = order * height;
    for (std::int64_t i = first_element(); i < count; i += element_stride()) {
        const std::int64_t column = i / height, row = i % height;
        if (row < order) {
            stacked[i] = row <= column ? factor.row(column)[row] : 0;
        } else {
            stacked[i] = transposesRows ? rows.row(column)[row - order] : rows.row(row - order)[column];
        }
    }
}

// The upper triangle of `stacked` into the lower one of `factor`.
__global__ void unstack_factor_f64(const double *stacked, std::int64_t height, Matrix<double> factor) {
    const std::int64_t count = factor.rows * factor.rows;
    for (std::int64_t i = first_element(); i < count; i += element_stride()) {
        const std::int64_t row = i / factor.rows, column = i % factor.rows;
        if (column <= row) factor.row(row)[column] = stacked[row * height + column];
    }
}

} // namespace

void cholesky_factor(ck_context &context, ck_tensor a, std::int64_t *order) {
    *order = 0;
    if (a.rows == 0) return;
    int workCount = 0;
    CHECK(cusolverDnDpotrf_bufferSize(context.solver, CUBLAS_FILL_MODE_UPPER, to_int(a.rows), address<double>(a),
                                      to_int(a.leading), &workCount));
    const Scratch work(context, std::int64_t{8} * workCount);
    const Outcome outcome(context);
    CHECK(cusolverDnDpotrf(context.solver, CUBLAS_FILL_MODE_UPPER, to_int(a.rows), address<double>(a),
                           to_int(a.leading), work.as<double>(), workCount, outcome.place()));
    *order = outcome.read("cusolverDnDpotrf");
}

void solve_triangular(ck_context &context, ck_tensor factor, std::int32_t transposes, ck_tensor b) {
    if (b.rows == 0 || b.columns == 0) return;
    const double one = 1;
    // L·X = B is Xᵀ·Lᵀ = Bᵀ, and what cuBLAS sees of L is Lᵀ.
    CHECK(cublasDtrsm(context.blas, CUBLAS_SIDE_RIGHT, CUBLAS_FILL_MODE_UPPER, transposes ? CUBLAS_OP_T : CUBLAS_OP_N,
                      CUBLAS_DIAG_NON_UNIT, to_int(b.columns), to_int(b.rows), &one, address<const double>(factor),
                      to_int(factor.leading), address<double>(b), to_int(b.leading)));
}

void update_triangular_factor(ck_context &context, ck_tensor factor, ck_tensor rows, std::int32_t transposesRows) {
    const std::int64_t order = factor.rows, rowCount = transposesRows ? rows.columns : rows.rows;
    const std::int64_t height = order + rowCount;
    if (order == 0 || rowCount == 0) return;
    const Scratch stacked(context, 8 * order * height), reflectors(context, 8 * order);
    CHECK(launch(stack_rows_f64, element_grid(context, order * height), dim3(blockLaneCount), 0, context.stream,
                 matrix<const double>(factor), matrix<const double>(rows), transposesRows != 0, rowCount,
                 stacked.as<double>()));
    int workCount = 0;
    CHECK(cusolverDnDgeqrf_bufferSize(context.solver, to_int(height), to_int(order), stacked.as<double>(),
                                      to_int(height), &workCount));
    const Scratch work(context, std::int64_t{8} * workCount);
    const Outcome outcome(context);
    CHECK(cusolverDnDgeqrf(context.solver, to_int(height), to_int(order), stacked.as<double>(), to_int(height),
                           reflectors.as<double>(), work.as<double>(), workCount, outcome.place()));
    CHECK(launch(unstack_factor_f64, element_grid(context, order * order), dim3(blockLaneCount), 0, context.stream,
                 stacked.as<const double>(), height, matrix<double>(factor)));
    outcome.read("cusolverDnDgeqrf");
}

void symmetric_eigen(ck_context &context, ck_tensor a, double *values) {
    const std::int64_t order = a.rows;
    if (order == 0) return;
    const Scratch found(context, 8 * order);
    int workCount = 0;
    CHECK(cusolverDnDsyevd_bufferSize(context.solver, CUSOLVER_EIG_MODE_VECTOR, CUBLAS_FILL_MODE_LOWER, to_int(order),
                                      address<double>(a), to_int(a.leading), found.as<double>(), &workCount));
    const Scratch work(context, std::int64_t{8} * workCount);
    const Outcome outcome(context);
    CHECK(cusolverDnDsyevd(context.solver, CUSOLVER_EIG_MODE_VECTOR, CUBLAS_FILL_MODE_LOWER, to_int(order),
                           address<double>(a), to_int(a.leading), found.as<double>(), work.as<double>(), workCount,
                           outcome.place()));
    if (outcome.read("cusolverDnDsyevd") > 0) {
        throw Failure{CK_NOT_CONVERGED, "cusolverDnDsyevd: the eigenvalue iteration did not converge"};
    }
    read_back(context, found.as<void>(), values, 8 * order);
}

namespace {

// A column-major matrix of at least as many rows as columns.
struct Tall {
    double *elements;
    std::int64_t rows;
    std::int64_t columns;
    std::int64_t leading;
};

// tall = left·diag(values)·right: left (rows, columns) and right (columns, columns), column-major and packed, or null.
void decompose(ck_context &context, Tall tall, double *left, double *right, double *values) {
    int workCount = 0;
    CHECK(cusolverDnDgesvd_bufferSize(context.solver, to_int(tall.rows), to_int(tall.columns), &workCount));
    const Scratch work(context, std::int64_t{8} * workCount), found(context, 8 * tall.columns);
    const Outcome outcome(context);
    const signed char job = left ? 'S' : 'N';
    CHECK(cusolverDnDgesvd(context.solver, job, job, to_int(tall.rows), to_int(tall.columns), tall.elements,
                           to_int(tall.leading), found.as<double>(), left, to_int(std::max<std::int64_t>(1, tall.rows)),
                           right, to_int(std::max<std::int64_t>(1, tall.columns)), work.as<double>(), workCount,
                           nullptr, outcome.place()));
    if (outcome.read("cusolverDnDgesvd") > 0) {
        throw Failure{CK_NOT_CONVERGED, "cusolverDnDgesvd: the singular value iteration did not converge"};
    }
    read_back(context, found.as<void>(), values, 8 * tall.columns);
}

ck_tensor packed(double *elements, std::int64_t rows, std::int64_t columns) {
    return {reinterpret_cast<std::uint64_t>(elements), rows, columns, columns, CK_FLOAT64};
}

} // namespace

void singular_decomposition(ck_context &context, ck_tensor a, ck_tensor left, ck_tensor right, double *values) {
    if (a.rows == 0 || a.columns == 0) return;
    if (a.columns >= a.rows) {
        // Seen by columns it is aᵀ, which is tall: its left vectors by columns are rows of `right`, and so on.
        decompose(context, {address<double>(a), a.columns, a.rows, a.leading}, address<double>(right),
                  address<double>(left), values);
        return;
    }
    // The transpose, seen by columns, is a itself; the vectors come by columns and are wanted by rows.
    const std::int64_t order = a.columns;
    const Scratch turned(context, 8 * a.rows * order);
    transpose(context, a, packed(turned.as<double>(), order, a.rows));
    const Tall tall{turned.as<double>(), a.rows, order, a.rows};
    if (!left.address) return decompose(context, tall, nullptr, nullptr, values);
    const Scratch leftColumns(context, 8 * a.rows * order), rightColumns(context, 8 * order * order);
    decompose(context, tall, leftColumns.as<double>(), rightColumns.as<double>(), values);
    transpose(context, packed(leftColumns.as<double>(), order, a.rows), left);
    transpose(context, packed(rightColumns.as<double>(), order, order), right);
}

} // namespace straightedge
