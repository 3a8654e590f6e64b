// CBLAS as OpenBLAS ships it, and prototypes of the Fortran LAPACK routines that Straightedge calls. All of them are
// in libopenblas itself (Debian's build has no LAPACKE). Matrices are column-major here; int is 32 bits (LP64).
#ifndef STRAIGHTEDGE_OPENBLAS_H
#define STRAIGHTEDGE_OPENBLAS_H

#include <cblas.h>

// Cholesky factorization of a symmetric positive definite matrix.
void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info);

// Solution of A·X = B with A factored by dpotrf_.
void dpotrs_(const char *uplo, const int *n, const int *nrhs, const double *a, const int *lda, double *b,
             const int *ldb, int *info);

// QR factorization of a triangular matrix A above a rectangular (l = 0) matrix B: A becomes the factor R.
void dtpqrt_(const int *m, const int *n, const int *l, const int *nb, double *a, const int *lda, double *b,
             const int *ldb, double *t, const int *ldt, double *work, int *info);

// Eigenvalues and, with jobz 'V', eigenvectors of a symmetric matrix, by divide and conquer.
void dsyevd_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w, double *work,
             const int *lwork, int *iwork, const int *liwork, int *info);

// Eigenvalues and, with jobz 'V', eigenvectors of a symmetric tridiagonal matrix.
void dstev_(const char *jobz, const int *n, double *d, double *e, double *z, const int *ldz, double *work, int *info);

// Singular values and, with jobz 'S', singular vectors of a general matrix, by divide and conquer.
void dgesdd_(const char *jobz, const int *m, const int *n, double *a, const int *lda, double *s, double *u,
             const int *ldu, double *vt, const int *ldvt, double *work, const int *lwork, int *iwork, int *info);

#endif
