// cuSOLVER on LAPACK: each call checks its arguments as cuSOLVER does, and enqueues the work on the handle's stream.
#include "include/cusolverDn.h"

#include "device.h"
#include "openblas.h"

#include <algorithm>
#include <cstring>
#include <vector>

using namespace emulation;

struct cusolverDnContext {
    cudaStream_t stream = nullptr;
};

namespace {

constexpr int version = 12000;

char uplo_of(cublasFillMode_t uplo) { return uplo == CUBLAS_FILL_MODE_LOWER ? 'L' : 'U'; }
bool is_triangle(cublasFillMode_t uplo) { return uplo == CUBLAS_FILL_MODE_LOWER || uplo == CUBLAS_FILL_MODE_UPPER; }
bool is_leading_dimension(int leadingDimension, int rows) { return leadingDimension >= std::max(1, rows); }

std::size_t matrix_byte_count(int rows, int columns, int leadingDimension) {
    if (rows == 0 || columns == 0) return 0;
    return (std::size_t(leadingDimension) * std::size_t(columns - 1) + std::size_t(rows)) * sizeof(double);
}

// What a call touches on the device, checked when its work runs.
struct Operand {
    const char *name;
    const void *address;
    std::size_t byteCount;
};

// Device workspace: LAPACK brings its own, but the caller's must be there, and loses what it held.
struct Workspace {
    double *elements;
    int count;
};

cusolverStatus_t enqueue(const char *call, cusolverDnHandle_t handle, std::vector<Operand> operands,
                         Workspace workspace, int *devInfo, std::function<int()> factorize) {
    const auto lock = lock_device();
    operands.push_back({"the workspace", workspace.elements, std::size_t(workspace.count) * sizeof(double)});
    operands.push_back({"devInfo", devInfo, sizeof *devInfo});
    const bool isTaken = enqueue_library_call(handle->stream, [=] {
        for (const Operand &operand : operands)
            if (!require_device_range(call, operand.name, operand.address, operand.byteCount)) return;
        std::fill_n(reinterpret_cast<unsigned char *>(workspace.elements),
                    std::size_t(workspace.count) * sizeof(double), static_cast<unsigned char>(0xff));
        *devInfo = factorize();
    });
    return isTaken ? CUSOLVER_STATUS_SUCCESS : CUSOLVER_STATUS_EXECUTION_FAILED;
}

// Runs a LAPACK routine twice: for the size of its workspace, then for its result.
template <typename Routine> int with_workspace(Routine routine) {
    double wanted = 0;
    int info = 0, query = -1;
    routine(&wanted, &query, &info);
    if (info != 0) return info;
    int count = std::max(1, int(wanted));
    std::vector<double> workspace(std::size_t(count), 0.0);
    routine(workspace.data(), &count, &info);
    return info;
}

cusolverStatus_t set_size(cusolverDnHandle_t handle, bool isSound, int *lwork, long long count) {
    if (handle == nullptr) return CUSOLVER_STATUS_NOT_INITIALIZED;
    if (!isSound || lwork == nullptr || count > 0x7fffffff) return CUSOLVER_STATUS_INVALID_VALUE;
    *lwork = std::max(1, int(count));
    return CUSOLVER_STATUS_SUCCESS;
}

// Sizes of workspaces, in elements: enough to be of the order of cuSOLVER's, so that forgetting one is an error here
// too.
long long potrf_count(int n) { return 32LL * n; }
long long potri_count(int n) { return 32LL * n; }
long long syevd_count(int n) { return 2LL * n * n + 32LL * n + 1; }
long long gesvd_count(int m, int n) { return 32LL * (m + n) + 1LL * n * n; }
long long geqrf_count(int n) { return 32LL * n; }
long long orgqr_count(int n) { return 32LL * n; }

} // namespace

cusolverStatus_t cusolverGetVersion(int *value) {
    if (value == nullptr) return CUSOLVER_STATUS_INVALID_VALUE;
    *value = version;
    return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverGetProperty(libraryPropertyType type, int *value) {
    if (value == nullptr) return CUSOLVER_STATUS_INVALID_VALUE;
    *value = type == MAJOR_VERSION ? version / 1000 : type == MINOR_VERSION ? version / 100 % 10 : version % 100;
    return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnCreate(cusolverDnHandle_t *handle) {
    if (handle == nullptr) return CUSOLVER_STATUS_INVALID_VALUE;
    *handle = new cusolverDnContext;
    return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnDestroy(cusolverDnHandle_t handle) {
    delete handle;
    return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnSetStream(cusolverDnHandle_t handle, cudaStream_t stream) {
    if (handle == nullptr) return CUSOLVER_STATUS_NOT_INITIALIZED;
    handle->stream = stream;
    return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnGetStream(cusolverDnHandle_t handle, cudaStream_t *stream) {
    if (handle == nullptr) return CUSOLVER_STATUS_NOT_INITIALIZED;
    *stream = handle->stream;
    return CUSOLVER_STATUS_SUCCESS;
}

// Cholesky

cusolverStatus_t cusolverDnDpotrf_bufferSize(cusolverDnHandle_t handle, cublasFillMode_t uplo, int n, double *, int lda,
                                             int *lwork) {
    return set_size(handle, n >= 0 && is_triangle(uplo) && is_leading_dimension(lda, n), lwork, potrf_count(n));
}

cusolverStatus_t cusolverDnDpotrf(cusolverDnHandle_t handle, cublasFillMode_t uplo, int n, double *A, int lda,
                                  double *work, int lwork, int *devInfo) {
    if (handle == nullptr) return CUSOLVER_STATUS_NOT_INITIALIZED;
    if (n < 0 || !is_triangle(uplo) || !is_leading_dimension(lda, n) || lwork < potrf_count(n))
        return CUSOLVER_STATUS_INVALID_VALUE;
    return enqueue("cusolverDnDpotrf", handle, {{"A", A, matrix_byte_count(n, n, lda)}}, {work, lwork}, devInfo, [=] {
        int info = 0;
        const char triangle = uplo_of(uplo);
        dpotrf_(&triangle, &n, A, &lda, &info, 1);
        return info;
    });
}

cusolverStatus_t cusolverDnDpotri_bufferSize(cusolverDnHandle_t handle, cublasFillMode_t uplo, int n, double *, int lda,
                                             int *lwork) {
    return set_size(handle, n >= 0 && is_triangle(uplo) && is_leading_dimension(lda, n), lwork, potri_count(n));
}

cusolverStatus_t cusolverDnDpotri(cusolverDnHandle_t handle, cublasFillMode_t uplo, int n, double *A, int lda,
                                  double *work, int lwork, int *devInfo) {
    if (handle == nullptr) return CUSOLVER_STATUS_NOT_INITIALIZED;
    if (n < 0 || !is_triangle(uplo) || !is_leading_dimension(lda, n) || lwork < potri_count(n))
        return CUSOLVER_STATUS_INVALID_VALUE;
    return enqueue("cusolverDnDpotri", handle, {{"A", A, matrix_byte_count(n, n, lda)}}, {work, lwork}, devInfo, [=] {
        int info = 0;
        const char triangle = uplo_of(uplo);
        dpotri_(&triangle, &n, A, &lda, &info, 1);
        return info;
    });
}

cusolverStatus_t cusolverDnDpotrs(cusolverDnHandle_t handle, cublasFillMode_t uplo, int n, int nrhs, const double *A,
                                  int lda, double *B, int ldb, int *devInfo) {
    if (handle == nullptr) return CUSOLVER_STATUS_NOT_INITIALIZED;
    if (n < 0 || nrhs < 0 || !is_triangle(uplo) || !is_leading_dimension(lda, n) || !is_leading_dimension(ldb, n))
        return CUSOLVER_STATUS_INVALID_VALUE;
    return enqueue("cusolverDnDpotrs", handle,
                   {{"A", A, matrix_byte_count(n, n, lda)}, {"B", B, matrix_byte_count(n, nrhs, ldb)}}, {nullptr, 0},
                   devInfo, [=] {
                       int info = 0;
                       const char triangle = uplo_of(uplo);
                       dpotrs_(&triangle, &n, &nrhs, A, &lda, B, &ldb, &info, 1);
                       return info;
                   });
}

// Eigenvalues of a symmetric matrix, ascending

cusolverStatus_t cusolverDnDsyevd_bufferSize(cusolverDnHandle_t handle, cusolverEigMode_t, cublasFillMode_t uplo, int n,
                                             const double *, int lda, const double *, int *lwork) {
    return set_size(handle, n >= 0 && is_triangle(uplo) && is_leading_dimension(lda, n), lwork, syevd_count(n));
}

cusolverStatus_t cusolverDnDsyevd(cusolverDnHandle_t handle, cusolverEigMode_t jobz, cublasFillMode_t uplo, int n,
                                  double *A, int lda, double *W, double *work, int lwork, int *devInfo) {
    if (handle == nullptr) return CUSOLVER_STATUS_NOT_INITIALIZED;
    if (n < 0 || !is_triangle(uplo) || !is_leading_dimension(lda, n) || lwork < syevd_count(n))
        return CUSOLVER_STATUS_INVALID_VALUE;
    return enqueue(
        "cusolverDnDsyevd", handle, {{"A", A, matrix_byte_count(n, n, lda)}, {"W", W, std::size_t(n) * sizeof(double)}},
        {work, lwork}, devInfo, [=] {
            const char job = jobz == CUSOLVER_EIG_MODE_VECTOR ? 'V' : 'N', triangle = uplo_of(uplo);
            int integerCount = 5 * n + 3; // LAPACK's bound for either job
            std::vector<int> integers(std::size_t(integerCount), 0);
            return with_workspace([&](double *workspace, int *count, int *info) {
                // A query of one size is one of both.
                const int integersGiven = *count == -1 ? -1 : integerCount;
                dsyevd_(&job, &triangle, &n, A, &lda, W, workspace, count, integers.data(), &integersGiven, info, 1, 1);
            });
        });
}

// Singular values, descending

cusolverStatus_t cusolverDnDgesvd_bufferSize(cusolverDnHandle_t handle, int m, int n, int *lwork) {
    return set_size(handle, n >= 0 && m >= n, lwork, gesvd_count(m, n));
}

// Like cuSOLVER's, for m >= n alone.
cusolverStatus_t cusolverDnDgesvd(cusolverDnHandle_t handle, signed char jobu, signed char jobvt, int m, int n,
                                  double *A, int lda, double *S, double *U, int ldu, double *VT, int ldvt, double *work,
                                  int lwork, double *, int *devInfo) {
    if (handle == nullptr) return CUSOLVER_STATUS_NOT_INITIALIZED;
    const auto is_job = [](signed char job) { return job == 'A' || job == 'S' || job == 'O' || job == 'N'; };
    const bool hasU = jobu == 'A' || jobu == 'S', hasVT = jobvt == 'A' || jobvt == 'S';
    if (n < 0 || m < n || !is_job(jobu) || !is_job(jobvt) || (jobu == 'O' && jobvt == 'O') ||
        !is_leading_dimension(lda, m) || ldu < 1 || (hasU && ldu < m) || ldvt < 1 || (hasVT && ldvt < n) ||
        lwork < gesvd_count(m, n))
        return CUSOLVER_STATUS_INVALID_VALUE;
    return enqueue("cusolverDnDgesvd", handle,
                   {{"A", A, matrix_byte_count(m, n, lda)},
                    {"S", S, std::size_t(n) * sizeof(double)},
                    {"U", U, hasU ? matrix_byte_count(m, jobu == 'A' ? m : n, ldu) : 0},
                    {"VT", VT, hasVT ? matrix_byte_count(n, n, ldvt) : 0}},
                   {work, lwork}, devInfo, [=] {
                       const char leftJob = char(jobu), rightJob = char(jobvt);
                       return with_workspace([&](double *workspace, int *count, int *info) {
                           dgesvd_(&leftJob, &rightJob, &m, &n, A, &lda, S, U, &ldu, VT, &ldvt, workspace, count, info,
                                   1, 1);
                       });
                   });
}

// QR

cusolverStatus_t cusolverDnDgeqrf_bufferSize(cusolverDnHandle_t handle, int m, int n, double *, int lda, int *lwork) {
    return set_size(handle, m >= 0 && n >= 0 && is_leading_dimension(lda, m), lwork, geqrf_count(n));
}

cusolverStatus_t cusolverDnDgeqrf(cusolverDnHandle_t handle, int m, int n, double *A, int lda, double *tau,
                                  double *work, int lwork, int *devInfo) {
    if (handle == nullptr) return CUSOLVER_STATUS_NOT_INITIALIZED;
    if (m < 0 || n < 0 || !is_leading_dimension(lda, m) || lwork < geqrf_count(n)) return CUSOLVER_STATUS_INVALID_VALUE;
    return enqueue("cusolverDnDgeqrf", handle,
                   {{"A", A, matrix_byte_count(m, n, lda)}, {"tau", tau, std::size_t(std::min(m, n)) * sizeof(double)}},
                   {work, lwork}, devInfo, [=] {
                       return with_workspace([&](double *workspace, int *count, int *info) {
                           dgeqrf_(&m, &n, A, &lda, tau, workspace, count, info);
                       });
                   });
}

cusolverStatus_t cusolverDnDorgqr_bufferSize(cusolverDnHandle_t handle, int m, int n, int k, const double *, int lda,
                                             const double *, int *lwork) {
    return set_size(handle, k >= 0 && n >= k && m >= n && is_leading_dimension(lda, m), lwork, orgqr_count(n));
}

cusolverStatus_t cusolverDnDorgqr(cusolverDnHandle_t handle, int m, int n, int k, double *A, int lda, const double *tau,
                                  double *work, int lwork, int *devInfo) {
    if (handle == nullptr) return CUSOLVER_STATUS_NOT_INITIALIZED;
    if (k < 0 || n < k || m < n || !is_leading_dimension(lda, m) || lwork < orgqr_count(n))
        return CUSOLVER_STATUS_INVALID_VALUE;
    return enqueue("cusolverDnDorgqr", handle,
                   {{"A", A, matrix_byte_count(m, n, lda)}, {"tau", tau, std::size_t(k) * sizeof(double)}},
                   {work, lwork}, devInfo, [=] {
                       return with_workspace([&](double *workspace, int *count, int *info) {
                           dorgqr_(&m, &n, &k, A, &lda, tau, workspace, count, info);
                       });
                   });
}
