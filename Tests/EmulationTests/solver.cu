// cuSOLVER's factorizations, judged by what they must satisfy, in plain loops in double.
#include "check.h"

#include <algorithm>
#include <cmath>
#include <cusolverDn.h>

namespace {

struct Solver {
    Solver() { CHECK(cusolverDnCreate(&handle) == CUSOLVER_STATUS_SUCCESS); }
    ~Solver() { CHECK(cusolverDnDestroy(handle) == CUSOLVER_STATUS_SUCCESS); }
    operator cusolverDnHandle_t() const { return handle; }
    cusolverDnHandle_t handle = nullptr;
};

// Column-major, with a leading dimension larger than the matrix.
struct Matrix {
    int rows, columns, ld;
    std::vector<double> elements;
    Matrix(int rows, int columns, int ld)
        : rows(rows), columns(columns), ld(ld), elements(static_cast<std::size_t>(ld * columns), -77.0) {}
    double &operator()(int row, int column) { return elements[static_cast<std::size_t>(row + column * ld)]; }
    double operator()(int row, int column) const { return elements[static_cast<std::size_t>(row + column * ld)]; }
};

Matrix random_matrix(std::uint64_t seed, int rows, int columns, int ld) {
    Matrix matrix(rows, columns, ld);
    for (int column = 0; column < columns; ++column)
        for (int row = 0; row < rows; ++row)
            matrix(row, column) = number(seed, static_cast<std::uint64_t>(row * columns + column));
    return matrix;
}

// Symmetric, and positive definite by its diagonal.
Matrix positive_matrix(int order, int ld) {
    Matrix matrix = random_matrix(1, order, order, ld);
    for (int column = 0; column < order; ++column) {
        for (int row = 0; row < column; ++row) matrix(row, column) = matrix(column, row);
        matrix(column, column) = order + 1;
    }
    return matrix;
}

Matrix read_matrix(const DeviceArray<double> &device, const Matrix &like) {
    Matrix matrix = like;
    matrix.elements = device.read();
    return matrix;
}

constexpr int order = 6, ld = 8;
constexpr double tolerance = 1e-12;
const cublasFillMode_t triangles[] = {CUBLAS_FILL_MODE_LOWER, CUBLAS_FILL_MODE_UPPER};

bool in_triangle(cublasFillMode_t uplo, int row, int column) {
    return uplo == CUBLAS_FILL_MODE_LOWER ? row >= column : row <= column;
}

std::size_t size(int count) { return static_cast<std::size_t>(count); }

} // namespace

TEST(potrf_potrs_and_potri_factor_solve_and_invert) {
    Solver solver;
    for (const cublasFillMode_t uplo : triangles) {
        const Matrix A = positive_matrix(order, ld), B = random_matrix(2, order, 3, order + 1);
        DeviceArray<double> a(A.elements), b(B.elements);
        DeviceArray<int> info(1);
        int lwork = 0;
        CHECK(cusolverDnDpotrf_bufferSize(solver, uplo, order, a, ld, &lwork) == CUSOLVER_STATUS_SUCCESS);
        DeviceArray<double> work(size(lwork));
        CHECK(cusolverDnDpotrf(solver, uplo, order, a, ld, work, lwork, info) == CUSOLVER_STATUS_SUCCESS);
        CHECK(info.read()[0] == 0);
        const Matrix factor = read_matrix(a, A);
        for (int column = 0; column < order; ++column)
            for (int row = 0; row < ld; ++row) {
                if (row >= order || !in_triangle(uplo, row, column)) {
                    CHECK(factor(row, column) == A(row, column)); // not touched
                    continue;
                }
                double sum = 0;
                for (int inner = 0; inner <= std::min(row, column); ++inner)
                    sum += uplo == CUBLAS_FILL_MODE_LOWER ? factor(row, inner) * factor(column, inner)
                                                          : factor(inner, row) * factor(inner, column);
                CHECK_NEAR(sum, A(row, column), tolerance);
            }

        CHECK(cusolverDnDpotrs(solver, uplo, order, 3, a, ld, b, B.ld, info) == CUSOLVER_STATUS_SUCCESS);
        CHECK(info.read()[0] == 0);
        const Matrix X = read_matrix(b, B);
        CHECK(cusolverDnDpotri_bufferSize(solver, uplo, order, a, ld, &lwork) == CUSOLVER_STATUS_SUCCESS);
        DeviceArray<double> more(size(lwork));
        CHECK(cusolverDnDpotri(solver, uplo, order, a, ld, more, lwork, info) == CUSOLVER_STATUS_SUCCESS);
        CHECK(info.read()[0] == 0);
        const Matrix inverse = read_matrix(a, A);
        for (int row = 0; row < order; ++row) {
            for (int column = 0; column < 3; ++column) {
                double sum = 0;
                for (int inner = 0; inner < order; ++inner) sum += A(row, inner) * X(inner, column);
                CHECK_NEAR(sum, B(row, column), tolerance);
            }
            for (int column = 0; column < order; ++column) {
                double sum = 0;
                for (int inner = 0; inner < order; ++inner)
                    sum += A(row, inner) *
                           (in_triangle(uplo, inner, column) ? inverse(inner, column) : inverse(column, inner));
                CHECK_NEAR(sum, row == column ? 1.0 : 0.0, tolerance);
            }
        }
    }
}

TEST(potrf_tells_where_a_matrix_is_not_positive) {
    Solver solver;
    Matrix A = positive_matrix(order, ld);
    A(3, 3) = -1;
    DeviceArray<double> a(A.elements), work(1000);
    DeviceArray<int> info(1);
    CHECK(cusolverDnDpotrf(solver, CUBLAS_FILL_MODE_LOWER, order, a, ld, work, 1000, info) == CUSOLVER_STATUS_SUCCESS);
    CHECK(info.read()[0] == 4); // counted from 1
}

TEST(syevd_gives_eigenvalues_in_ascending_order) {
    Solver solver;
    for (const cublasFillMode_t uplo : triangles)
        for (const cusolverEigMode_t mode : {CUSOLVER_EIG_MODE_VECTOR, CUSOLVER_EIG_MODE_NOVECTOR}) {
            const Matrix A = positive_matrix(order, ld);
            Matrix given = A;
            for (int column = 0; column < order; ++column) // the other triangle is not read
                for (int row = 0; row < order; ++row)
                    if (!in_triangle(uplo, row, column)) given(row, column) = std::nan("");
            DeviceArray<double> a(given.elements), values(order);
            DeviceArray<int> info(1);
            int lwork = 0;
            CHECK(cusolverDnDsyevd_bufferSize(solver, mode, uplo, order, a, ld, values, &lwork) ==
                  CUSOLVER_STATUS_SUCCESS);
            DeviceArray<double> work(size(lwork));
            CHECK(cusolverDnDsyevd(solver, mode, uplo, order, a, ld, values, work, lwork, info) ==
                  CUSOLVER_STATUS_SUCCESS);
            CHECK(info.read()[0] == 0);
            const std::vector<double> lambda = values.read();
            double trace = 0;
            for (int place = 0; place < order; ++place) {
                trace += lambda[size(place)];
                CHECK(place == 0 || lambda[size(place - 1)] <= lambda[size(place)]);
            }
            CHECK_NEAR(trace, order * (order + 1.0), tolerance * 10);
            if (mode == CUSOLVER_EIG_MODE_NOVECTOR) continue;
            const Matrix V = read_matrix(a, A);
            for (int column = 0; column < order; ++column)
                for (int row = 0; row < order; ++row) {
                    double image = 0, product = 0;
                    for (int inner = 0; inner < order; ++inner) {
                        image += A(row, inner) * V(inner, column);
                        product += V(inner, row) * V(inner, column);
                    }
                    CHECK_NEAR(image, lambda[size(column)] * V(row, column), tolerance * 10);
                    CHECK_NEAR(product, row == column ? 1.0 : 0.0, tolerance);
                }
        }
}

TEST(gesvd_gives_singular_values_in_descending_order) {
    Solver solver;
    constexpr int rows = 7, columns = 4, lda = 9, ldu = 8, ldvt = 5;
    for (const char job : {'A', 'S'}) {
        const Matrix A = random_matrix(5, rows, columns, lda);
        const Matrix likeU(rows, job == 'A' ? rows : columns, ldu), likeVT(columns, columns, ldvt);
        DeviceArray<double> a(A.elements), s(columns), u(likeU.elements), vt(likeVT.elements);
        DeviceArray<int> info(1);
        int lwork = 0;
        CHECK(cusolverDnDgesvd_bufferSize(solver, rows, columns, &lwork) == CUSOLVER_STATUS_SUCCESS);
        DeviceArray<double> work(size(lwork));
        CHECK(cusolverDnDgesvd(solver, static_cast<signed char>(job), static_cast<signed char>(job), rows, columns, a,
                               lda, s, u, ldu, vt, ldvt, work, lwork, nullptr, info) == CUSOLVER_STATUS_SUCCESS);
        CHECK(info.read()[0] == 0);
        const std::vector<double> sigma = s.read();
        const Matrix U = read_matrix(u, likeU), VT = read_matrix(vt, likeVT);
        for (int column = 0; column < columns; ++column) {
            CHECK(sigma[size(column)] > 0 && (column == 0 || sigma[size(column)] <= sigma[size(column - 1)]));
            for (int row = 0; row < rows; ++row) {
                double sum = 0;
                for (int inner = 0; inner < columns; ++inner)
                    sum += U(row, inner) * sigma[size(inner)] * VT(inner, column);
                CHECK_NEAR(sum, A(row, column), tolerance);
            }
        }
        for (int column = 0; column < U.columns; ++column)
            for (int other = 0; other < U.columns; ++other) {
                double product = 0;
                for (int inner = 0; inner < rows; ++inner) product += U(inner, column) * U(inner, other);
                CHECK_NEAR(product, column == other ? 1.0 : 0.0, tolerance);
            }
        // Like cuSOLVER's, wide matrices are refused.
        CHECK(cusolverDnDgesvd(solver, 'A', 'A', columns, rows, a, lda, s, u, ldu, vt, ldvt, work, lwork, nullptr,
                               info) == CUSOLVER_STATUS_INVALID_VALUE);
    }
}

TEST(geqrf_and_orgqr_give_an_orthogonal_factor) {
    Solver solver;
    constexpr int rows = 7, columns = 4, lda = 9;
    const Matrix A = random_matrix(6, rows, columns, lda);
    DeviceArray<double> a(A.elements), tau(columns);
    DeviceArray<int> info(1);
    int lwork = 0, more = 0;
    CHECK(cusolverDnDgeqrf_bufferSize(solver, rows, columns, a, lda, &lwork) == CUSOLVER_STATUS_SUCCESS);
    CHECK(cusolverDnDorgqr_bufferSize(solver, rows, columns, columns, a, lda, tau, &more) == CUSOLVER_STATUS_SUCCESS);
    DeviceArray<double> work(size(std::max(lwork, more)));
    CHECK(cusolverDnDgeqrf(solver, rows, columns, a, lda, tau, work, lwork, info) == CUSOLVER_STATUS_SUCCESS);
    CHECK(info.read()[0] == 0);
    const Matrix R = read_matrix(a, A);
    CHECK(cusolverDnDorgqr(solver, rows, columns, columns, a, lda, tau, work, more, info) == CUSOLVER_STATUS_SUCCESS);
    CHECK(info.read()[0] == 0);
    const Matrix Q = read_matrix(a, A);
    for (int column = 0; column < columns; ++column) {
        for (int row = 0; row < rows; ++row) {
            double sum = 0;
            for (int inner = 0; inner <= column; ++inner) sum += Q(row, inner) * R(inner, column);
            CHECK_NEAR(sum, A(row, column), tolerance);
        }
        for (int other = 0; other < columns; ++other) {
            double product = 0;
            for (int inner = 0; inner < rows; ++inner) product += Q(inner, column) * Q(inner, other);
            CHECK_NEAR(product, column == other ? 1.0 : 0.0, tolerance);
        }
    }
}

TEST(workspaces_have_to_be_large_enough_and_there) {
    Solver solver;
    DeviceArray<double> a(positive_matrix(order, ld).elements), work(10);
    DeviceArray<int> info(1);
    CHECK(cusolverDnDpotrf(solver, CUBLAS_FILL_MODE_LOWER, order, a, ld, work, 10, info) ==
          CUSOLVER_STATUS_INVALID_VALUE);
    CHECK(cusolverDnDpotrf(solver, CUBLAS_FILL_MODE_LOWER, order, a, ld, work, 1000, info) == CUSOLVER_STATUS_SUCCESS);
    CHECK(cudaDeviceSynchronize() == cudaErrorIllegalAddress);
    CHECK(message_has("cusolverDnDpotrf: the workspace: 8000 bytes at offset 0 leave allocation 2 of 80 bytes"));
}
