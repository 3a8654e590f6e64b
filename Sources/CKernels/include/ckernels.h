// The seam between Swift and the kernel library: one versioned table of functions.
//
// What crosses is an opaque context, device addresses, 64-bit sizes, 32-bit enumerations, plain structs and a status.
// Host pointers are read or written during the call, and not kept. Matrices are row-major. Functions of one context may
// be called from several threads; work is done in the order of the calls, and reads wait for it without keeping other
// threads from enqueueing. Transfers are done beside that order: their tickets say when it needs them.
//
// Both compilers read this file: Swift through the module, nvcc and g++ when the kernels are built.
#ifndef STRAIGHTEDGE_CKERNELS_H
#define STRAIGHTEDGE_CKERNELS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__clang__)
#define CK_NONNULL _Nonnull
#define CK_NULLABLE _Nullable
#else
#define CK_NONNULL
#define CK_NULLABLE
#endif

// Changes whenever the table or a struct in it does.
#define CK_ABI_VERSION 5

// What a function returns; `describe_error` has the words.
typedef enum {
    CK_OK = 0,
    // No memory of that size is free; the context stays usable.
    CK_OUT_OF_MEMORY = 1,
    // The device, its driver or its libraries refused before anything ran.
    CK_UNAVAILABLE = 2,
    // A launch, a copy or a library call failed; the context is lost.
    CK_DEVICE_FAILED = 3,
    // An iteration did not converge.
    CK_NOT_CONVERGED = 4
} ck_status;

// How elements are stored; see `ElementType` in Swift. Tensors of the device are of the first five.
typedef enum {
    CK_FLOAT64 = 0,
    CK_FLOAT32 = 1,
    CK_FLOAT16 = 2,
    CK_BFLOAT16 = 3,
    CK_INT32 = 4,
    CK_Q4_0 = 5,
    CK_Q4_1 = 6,
    CK_Q5_0 = 7,
    CK_Q5_1 = 8,
    CK_Q8_0 = 9,
    CK_IQ4_NL = 10,
    CK_Q2_K = 11,
    CK_Q3_K = 12,
    CK_Q4_K = 13,
    CK_Q5_K = 14,
    CK_Q6_K = 15,
    CK_Q8_K = 16
} ck_element_type;

// See `Activation` in Swift.
typedef enum {
    CK_SILU = 0,
    CK_GELU = 1,
    CK_GELU_TANH = 2,
    CK_RELU = 3,
    CK_RELU_SQUARED = 4,
    CK_QUICK_GELU = 5
} ck_activation;

// See `NormKind` in Swift.
typedef enum { CK_ROOT_MEAN_SQUARE_NORM = 0, CK_LAYER_NORM = 1 } ck_norm_kind;

typedef struct ck_context ck_context;

// Rows of `columns` elements that begin `leading` elements apart.
typedef struct {
    uint64_t address;
    int64_t rows;
    int64_t columns;
    int64_t leading;
    int32_t type;
} ck_tensor;

typedef struct {
    char name[256];
    int32_t compute_major;
    int32_t compute_minor;
    int32_t driver_version;
    int32_t runtime_version;
    int32_t cublas_version;
    int32_t cusolver_version;
    int32_t multiprocessor_count;
    int32_t reserved;
    int64_t memory_byte_count;
} ck_device_info;

// Query head h reads key head h / (query_count / key_count); heads are `width` wide.
typedef struct {
    int64_t query_count;
    int64_t key_count;
    int64_t width;
} ck_heads;

// A score is scale · query·key, and then soft_cap · tanh(score / soft_cap) where `soft_cap` is not 0. A query sees
// itself and the window - 1 tokens before it.
typedef struct {
    int64_t window;
    float scale;
    float soft_cap;
} ck_attention_rule;

// Statistics of `group_width` columns at a time; the norm is added to the result where `accumulates`.
typedef struct {
    int32_t kind;
    int32_t accumulates;
    int64_t group_width;
    float epsilon;
    int32_t reserved;
} ck_norm;

// Rows of x and of the target y - x (`is_contribution`) or y, and what is subtracted from them.
typedef struct {
    ck_tensor x;
    ck_tensor y;
    ck_tensor shift_x;
    ck_tensor shift_target;
    int32_t is_contribution;
} ck_stream_pair;

typedef struct {
    ck_tensor x;
    ck_tensor target;
    ck_tensor sums;
} ck_panels;

// op(a)·op(b)·scale, added to the result where `accumulates`.
typedef struct {
    int32_t transposes_a;
    int32_t transposes_b;
    int32_t accumulates;
    int32_t reserved;
    double scale;
} ck_product;

typedef struct ck_api {
    int32_t abi_version;
    int32_t struct_size;

    // MARK: Devices and contexts

    int32_t (*CK_NONNULL device_count)(int32_t *CK_NONNULL count);
    int32_t (*CK_NONNULL device_info)(int32_t device, ck_device_info *CK_NONNULL info);
    int32_t (*CK_NONNULL create_context)(int32_t device, ck_context *CK_NULLABLE *CK_NONNULL context);
    void (*CK_NONNULL destroy_context)(ck_context *CK_NONNULL context);
    // What the last failed call of this thread met: text of at most `size` bytes with its zero.
    void (*CK_NONNULL describe_error)(char *CK_NONNULL text, int64_t size);
    int32_t (*CK_NONNULL synchronize)(ck_context *CK_NONNULL context);

    // MARK: Memory

    int32_t (*CK_NONNULL allocate)(ck_context *CK_NONNULL context, int64_t byte_count, uint64_t *CK_NONNULL address);
    // After the work that was enqueued before.
    void (*CK_NONNULL release)(ck_context *CK_NONNULL context, uint64_t address);
    int32_t (*CK_NONNULL memory_info)(ck_context *CK_NONNULL context, int64_t *CK_NONNULL free_byte_count,
                                      int64_t *CK_NONNULL total_byte_count);
    // Pinned memory of the host, which `write` and `read` copy from and to directly.
    int32_t (*CK_NONNULL allocate_host)(ck_context *CK_NONNULL context, int64_t byte_count,
                                        void *CK_NULLABLE *CK_NONNULL address);
    void (*CK_NONNULL release_host)(ck_context *CK_NONNULL context, void *CK_NONNULL address);
    int32_t (*CK_NONNULL write)(ck_context *CK_NONNULL context, const void *CK_NONNULL bytes, int64_t byte_count,
                                uint64_t address);
    int32_t (*CK_NONNULL read)(ck_context *CK_NONNULL context, uint64_t address, void *CK_NONNULL bytes,
                               int64_t byte_count);
    int32_t (*CK_NONNULL copy)(ck_context *CK_NONNULL context, ck_tensor source, ck_tensor destination);
    int32_t (*CK_NONNULL fill_zero)(ck_context *CK_NONNULL context, ck_tensor tensor);

    // MARK: Forward pass

    // Stored elements of `type`, rows of whole blocks one after the other.
    int32_t (*CK_NONNULL decode)(ck_context *CK_NONNULL context, const void *CK_NONNULL bytes, int64_t byte_count,
                                 int32_t type, ck_tensor result);
    // `bias` has address 0 where there is none.
    int32_t (*CK_NONNULL normalize)(ck_context *CK_NONNULL context, ck_tensor x, ck_norm norm, ck_tensor weight,
                                    ck_tensor bias, ck_tensor result);
    int32_t (*CK_NONNULL product)(ck_context *CK_NONNULL context, ck_tensor a, ck_tensor b, ck_product how,
                                  ck_tensor result);
    int32_t (*CK_NONNULL add_bias)(ck_context *CK_NONNULL context, ck_tensor bias, ck_tensor x);
    int32_t (*CK_NONNULL rotate)(ck_context *CK_NONNULL context, ck_tensor x, ck_tensor cosines, ck_tensor sines,
                                 const int32_t *CK_NONNULL positions, int64_t head_width, int32_t is_interleaved);
    // `slopes` holds one number for each query head, which times key - query position is added to the scores, or is null.
    int32_t (*CK_NONNULL attention)(ck_context *CK_NONNULL context, ck_tensor query, ck_tensor key, ck_tensor value,
                                    const int32_t *CK_NONNULL lengths, int64_t sequence_count, ck_heads heads,
                                    ck_attention_rule rule, const float *CK_NULLABLE slopes, ck_tensor result);
    // `bias` has address 0 where there is none.
    int32_t (*CK_NONNULL activate)(ck_context *CK_NONNULL context, ck_tensor x, ck_tensor bias, int32_t activation,
                                   int32_t is_gated, ck_tensor result);
    int32_t (*CK_NONNULL scale_elements)(ck_context *CK_NONNULL context, ck_tensor x, float factor);
    // From float32 to the type of the result.
    int32_t (*CK_NONNULL convert)(ck_context *CK_NONNULL context, ck_tensor x, ck_tensor result);
    int32_t (*CK_NONNULL clamp)(ck_context *CK_NONNULL context, ck_tensor x, float limit);
    int32_t (*CK_NONNULL soft_cap)(ck_context *CK_NONNULL context, ck_tensor x, float cap);
    int32_t (*CK_NONNULL add)(ck_context *CK_NONNULL context, ck_tensor a, ck_tensor b, ck_tensor result);
    int32_t (*CK_NONNULL subtract)(ck_context *CK_NONNULL context, ck_tensor a, ck_tensor b, ck_tensor result);
    int32_t (*CK_NONNULL token_scores)(ck_context *CK_NONNULL context, ck_tensor logits,
                                       const int32_t *CK_NONNULL targets, ck_tensor result);
    // -1 where all rows are finite.
    int32_t (*CK_NONNULL first_non_finite_row)(ck_context *CK_NONNULL context, ck_tensor x, int64_t *CK_NONNULL row);

    // MARK: Transfers

    // Begins to bring tensors in beside the computing, by one thread; the ticket names them from here on.
    int32_t (*CK_NONNULL begin_transfer)(ck_context *CK_NONNULL context, int64_t *CK_NONNULL ticket);
    int32_t (*CK_NONNULL allocate_for_transfer)(ck_context *CK_NONNULL context, int64_t ticket, int64_t byte_count,
                                                uint64_t *CK_NONNULL address);
    // As `decode`, into memory of the transfer; numbers that are not finite are looked for.
    int32_t (*CK_NONNULL decode_for_transfer)(ck_context *CK_NONNULL context, int64_t ticket,
                                              const void *CK_NONNULL bytes, int64_t byte_count, int32_t type,
                                              ck_tensor result);
    // Nothing is added to the transfer any more.
    int32_t (*CK_NONNULL finish_transfer)(ck_context *CK_NONNULL context, int64_t ticket);
    // What is enqueued from here on comes after the finished transfer; the host does not wait.
    int32_t (*CK_NONNULL wait_for_transfer)(ck_context *CK_NONNULL context, int64_t ticket);
    // The first row that is not finite, or -1, of each tensor that was decoded, in their order; the host waits for them.
    int32_t (*CK_NONNULL non_finite_rows_of_transfer)(ck_context *CK_NONNULL context, int64_t ticket,
                                                      int64_t *CK_NONNULL rows);
    // Of memory of the transfer: after the transfer's work, and after that of the computing where it waited for it.
    void (*CK_NONNULL release_of_transfer)(ck_context *CK_NONNULL context, int64_t ticket, uint64_t address);
    // Forgets the ticket, when all of its memory has been released.
    void (*CK_NONNULL end_transfer)(ck_context *CK_NONNULL context, int64_t ticket);

    // MARK: Moments

    int32_t (*CK_NONNULL gather_panels)(ck_context *CK_NONNULL context, ck_stream_pair pair,
                                        const int32_t *CK_NONNULL rows, int64_t row_count, ck_panels panels);
    // `target_gram` has address 0 where it is not wanted.
    int32_t (*CK_NONNULL add_cross_products)(ck_context *CK_NONNULL context, ck_panels panels, int64_t row_count,
                                             ck_tensor gram, ck_tensor cross, ck_tensor target_gram);
    int32_t (*CK_NONNULL row_statistics)(ck_context *CK_NONNULL context, ck_tensor x, ck_tensor y, ck_tensor result);
    int32_t (*CK_NONNULL row_products)(ck_context *CK_NONNULL context, ck_tensor x, ck_tensor y, ck_tensor result);
    int32_t (*CK_NONNULL squared_distances)(ck_context *CK_NONNULL context, ck_tensor x, ck_tensor center,
                                            ck_tensor result);
    int32_t (*CK_NONNULL prediction_errors)(ck_context *CK_NONNULL context, ck_tensor prediction, ck_tensor bias,
                                            ck_tensor target, ck_tensor x, ck_tensor input_weights,
                                            ck_tensor output_weights, ck_tensor result);

    // MARK: Dense linear algebra in float64

    int32_t (*CK_NONNULL add_outer_product)(ck_context *CK_NONNULL context, ck_tensor x, ck_tensor y, double scale,
                                            ck_tensor a);
    // A factor of address 0 is 1.
    int32_t (*CK_NONNULL scale)(ck_context *CK_NONNULL context, ck_tensor a, ck_tensor rows, ck_tensor columns);
    int32_t (*CK_NONNULL diagonal)(ck_context *CK_NONNULL context, ck_tensor a, double *CK_NONNULL values);
    int32_t (*CK_NONNULL fill_diagonal)(ck_context *CK_NONNULL context, ck_tensor a, double value);
    int32_t (*CK_NONNULL mirror_upper_triangle)(ck_context *CK_NONNULL context, ck_tensor a);
    int32_t (*CK_NONNULL inner_product)(ck_context *CK_NONNULL context, ck_tensor a, ck_tensor b,
                                        double *CK_NONNULL value);
    int32_t (*CK_NONNULL add_scaled)(ck_context *CK_NONNULL context, ck_tensor x, double scale, ck_tensor y);
    int32_t (*CK_NONNULL transpose)(ck_context *CK_NONNULL context, ck_tensor a, ck_tensor result);
    // `order` becomes 0, or that of the first leading minor that is not positive definite, from 1.
    int32_t (*CK_NONNULL cholesky_factor)(ck_context *CK_NONNULL context, ck_tensor a, int64_t *CK_NONNULL order);
    int32_t (*CK_NONNULL update_triangular_factor)(ck_context *CK_NONNULL context, ck_tensor factor, ck_tensor rows,
                                                   int32_t transposes_rows);
    int32_t (*CK_NONNULL solve_triangular)(ck_context *CK_NONNULL context, ck_tensor factor, int32_t transposes,
                                           ck_tensor b);
    int32_t (*CK_NONNULL symmetric_eigen)(ck_context *CK_NONNULL context, ck_tensor a, double *CK_NONNULL values);
    // `left` and `right` have address 0 where they are not wanted.
    int32_t (*CK_NONNULL singular_decomposition)(ck_context *CK_NONNULL context, ck_tensor a, ck_tensor left,
                                                 ck_tensor right, double *CK_NONNULL values);
    int32_t (*CK_NONNULL symmetric_product)(ck_context *CK_NONNULL context, ck_tensor a, ck_tensor x, ck_tensor y);

    // MARK: Evaluation

    int32_t (*CK_NONNULL token_divergences)(ck_context *CK_NONNULL context, ck_tensor reference, ck_tensor logits,
                                            ck_tensor result);
    int32_t (*CK_NONNULL softmax)(ck_context *CK_NONNULL context, ck_tensor x, ck_tensor result);
} ck_api;

// The only symbol that a kernel library exports; null for another version.
typedef const ck_api *CK_NULLABLE (*ck_get_api_function)(int32_t abi_version);

#ifdef __cplusplus
}
#endif

#endif
