// What the table offers, as functions that throw `Failure`. See `ck_api` for what each does.
#pragma once

#include "context.h"

#include <cstdint>

namespace straightedge {

void allocate(ck_context &, std::int64_t byteCount, std::uint64_t *address);
void memory_info(ck_context &, std::int64_t *freeByteCount, std::int64_t *totalByteCount);
void allocate_host(ck_context &, std::int64_t byteCount, void **address);
void write(ck_context &, const void *bytes, std::int64_t byteCount, std::uint64_t address);
void read(ck_context &, std::uint64_t address, void *bytes, std::int64_t byteCount);
void copy(ck_context &, ck_tensor source, ck_tensor destination);
void fill_zero(ck_context &, ck_tensor tensor);

void decode(Queue &, const void *bytes, std::int64_t byteCount, std::int32_t type, ck_tensor result);
void normalize(ck_context &, ck_tensor x, ck_norm norm, ck_tensor weight, ck_tensor bias, ck_tensor result);
void product(ck_context &, ck_tensor a, ck_tensor b, ck_product how, ck_tensor result);
void add_bias(ck_context &, ck_tensor bias, ck_tensor x);
void rotate(ck_context &, ck_tensor x, ck_tensor cosines, ck_tensor sines, const std::int32_t *positions,
            std::int64_t headWidth, std::int32_t isInterleaved);
void attention(ck_context &, ck_tensor query, ck_tensor key, ck_tensor value, const std::int32_t *lengths,
               std::int64_t sequenceCount, ck_heads heads, ck_attention_rule rule, const float *slopes,
               ck_tensor result);
void activate(ck_context &, ck_tensor x, ck_tensor bias, std::int32_t activation, std::int32_t isGated,
              ck_tensor result);
void scale_elements(ck_context &, ck_tensor x, float factor);
void soft_cap(ck_context &, ck_tensor x, float cap);
void add(ck_context &, ck_tensor a, ck_tensor b, ck_tensor result);
void subtract(ck_context &, ck_tensor a, ck_tensor b, ck_tensor result);
void convert(ck_context &, ck_tensor x, ck_tensor result);
void clamp(ck_context &, ck_tensor x, float limit);
void token_scores(ck_context &, ck_tensor logits, const std::int32_t *targets, ck_tensor result);
void token_divergences(ck_context &, ck_tensor reference, ck_tensor logits, ck_tensor result);
void softmax(ck_context &, ck_tensor x, ck_tensor result);
void first_non_finite_row(ck_context &, ck_tensor x, std::int64_t *row);
// Lowers `first`, a number of the device, to the first row that holds a NaN or an infinity.
void find_non_finite_row(Queue &, ck_tensor x, unsigned long long *first);

void begin_transfer(ck_context &, std::int64_t *ticket);
void allocate_for_transfer(ck_context &, std::int64_t ticket, std::int64_t byteCount, std::uint64_t *address);
void decode_for_transfer(ck_context &, std::int64_t ticket, const void *bytes, std::int64_t byteCount,
                         std::int32_t type, ck_tensor result);
void finish_transfer(ck_context &, std::int64_t ticket);
void wait_for_transfer(ck_context &, std::int64_t ticket);
void non_finite_rows_of_transfer(ck_context &, std::int64_t ticket, std::int64_t *rows);
// These two cannot fail: see `release` in the table.
void release_of_transfer(ck_context &, std::int64_t ticket, std::uint64_t address) noexcept;
void end_transfer(ck_context &, std::int64_t ticket) noexcept;

void gather_panels(ck_context &, ck_stream_pair pair, const std::int32_t *rows, std::int64_t rowCount,
                   ck_panels panels);
void add_cross_products(ck_context &, ck_panels panels, std::int64_t rowCount, ck_tensor gram, ck_tensor cross,
                        ck_tensor targetGram);
void row_statistics(ck_context &, ck_tensor x, ck_tensor y, ck_tensor result);
void row_products(ck_context &, ck_tensor x, ck_tensor y, ck_tensor result);
void squared_distances(ck_context &, ck_tensor x, ck_tensor center, ck_tensor result);
void prediction_errors(ck_context &, ck_tensor prediction, ck_tensor bias, ck_tensor target, ck_tensor x,
                       ck_tensor inputWeights, ck_tensor outputWeights, ck_tensor result);

void add_outer_product(ck_context &, ck_tensor x, ck_tensor y, double scale, ck_tensor a);
void scale(ck_context &, ck_tensor a, ck_tensor rows, ck_tensor columns);
void diagonal(ck_context &, ck_tensor a, double *values);
void fill_diagonal(ck_context &, ck_tensor a, double value);
void mirror_upper_triangle(ck_context &, ck_tensor a);
void inner_product(ck_context &, ck_tensor a, ck_tensor b, double *value);
void add_scaled(ck_context &, ck_tensor x, double scale, ck_tensor y);
void transpose(ck_context &, ck_tensor a, ck_tensor result);
void cholesky_factor(ck_context &, ck_tensor a, std::int64_t *order);
void update_triangular_factor(ck_context &, ck_tensor factor, ck_tensor rows, std::int32_t transposesRows);
void solve_triangular(ck_context &, ck_tensor factor, std::int32_t transposes, ck_tensor b);
void symmetric_eigen(ck_context &, ck_tensor a, double *values);
void singular_decomposition(ck_context &, ck_tensor a, ck_tensor left, ck_tensor right, double *values);
void symmetric_product(ck_context &, ck_tensor a, ck_tensor x, ck_tensor y);

} // namespace straightedge
