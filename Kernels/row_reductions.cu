// Sums over single rows in float64, one warp a row, and the search for numbers that are none.
#include "operations.h"
#include "tensors.h"

#include <climits>

namespace straightedge {
namespace {

// result[i] = (‖x‖, ‖y‖, ‖y - x‖, x·y).
template <typename T>
__global__ void row_statistics_kernel(Matrix<const T> x, Matrix<const T> y, Matrix<double> result) {
    const std::int64_t row = row_of_warp();
    if (row >= x.rows) return;
    double xx = 0, yy = 0, bb = 0, xy = 0;
    for (std::int64_t i = threadIdx.x; i < x.columns; i += warpLaneCount) {
        const double a = x.row(row)[i], b = y.row(row)[i];
        const double difference = b - a;
        xx += a * a;
        yy += b * b;
        bb += difference * difference;
        xy += a * b;
    }
    xx = warp_sum(xx);
    yy = warp_sum(yy);
    bb = warp_sum(bb);
    xy = warp_sum(xy);
    if (threadIdx.x > 0) return;
    double *output = result.row(row);
    output[0] = sqrt(xx);
    output[1] = sqrt(yy);
    output[2] = sqrt(bb);
    output[3] = xy;
}

// result[i] = ‖x - center‖².
template <typename T>
__global__ void squared_distances_kernel(Matrix<const T> x, const double *center, double *result) {
    const std::int64_t row = row_of_warp();
    if (row >= x.rows) return;
    double sum = 0;
    for (std::int64_t i = threadIdx.x; i < x.columns; i += warpLaneCount) {
        const double difference = static_cast<double>(x.row(row)[i]) - center[i];
        sum += difference * difference;
    }
    sum = warp_sum(sum);
    if (threadIdx.x == 0) result[row] = sum;
}

template <typename T> struct Prediction {
    Matrix<const T> prediction;
    const double *bias;
    Matrix<const T> target;
    Matrix<const T> x;
    const double *inputWeights;
    const double *outputWeights;
};

// With e = prediction + bias - target: result[i] = (‖e‖, √Σ x²·inputWeights, √Σ e²·outputWeights).
template <typename T> __global__ void prediction_errors_kernel(Prediction<T> operands, Matrix<double> result) {
    const std::int64_t row = row_of_warp();
    if (row >= operands.prediction.rows) return;
    double errors = 0, inputs = 0, weighted = 0;
    for (std::int64_t i = threadIdx.x; i < operands.prediction.columns; i += warpLaneCount) {
        const double predicted = operands.prediction.row(row)[i], wanted = operands.target.row(row)[i];
        const double error = predicted - wanted + operands.bias[i];
        errors += error * error;
        weighted += error * error * operands.outputWeights[i];
    }
    for (std::int64_t i = threadIdx.x; i < operands.x.columns; i += warpLaneCount) {
        const double value = operands.x.row(row)[i];
        inputs += value * value * operands.inputWeights[i];
    }
    errors = warp_sum(errors);
    inputs = warp_sum(inputs);
    weighted = warp_sum(weighted);
    if (threadIdx.x > 0) return;
    double *output = result.row(row);
    output[0] = sqrt(errors);
    output[1] = sqrt(inputs);
    output[2] = sqrt(weighted);
}

template <typename T> __device__ __forceinline__ bool is_finite(T value) { return isfinite(to_float(value)); }
template <> __device__ __forceinline__ bool is_finite(double value) { return isfinite(value); }

// *first = the smaller of itself and the first row with a NaN or an infinity.
template <typename T> __global__ void first_non_finite_row_kernel(Matrix<const T> x, unsigned long long *first) {
    const std::int64_t row = row_of_warp();
    if (row >= x.rows) return;
    int isFound = 0;
    for (std::int64_t i = threadIdx.x; i < x.columns; i += warpLaneCount) isFound |= !is_finite(x.row(row)[i]);
    if (__any_sync(0xFFFFFFFFu, isFound) && threadIdx.x == 0) atomicMin(first, static_cast<unsigned long long>(row));
}

} // namespace

void row_statistics(ck_context &context, ck_tensor x, ck_tensor y, ck_tensor result) {
    if (x.rows == 0) return;
    with_real_type(x.type, [&](auto type) {
        using T = typename decltype(type)::type;
        CHECK(launch(row_statistics_kernel<T>, row_grid(x.rows), row_block(), 0, context.stream, matrix<const T>(x),
                     matrix<const T>(y), matrix<double>(result)));
    });
}

void squared_distances(ck_context &context, ck_tensor x, ck_tensor center, ck_tensor result) {
    if (x.rows == 0) return;
    with_real_type(x.type, [&](auto type) {
        using T = typename decltype(type)::type;
        CHECK(launch(squared_distances_kernel<T>, row_grid(x.rows), row_block(), 0, context.stream, matrix<const T>(x),
                     address<const double>(center), address<double>(result)));
    });
}

void prediction_errors(ck_context &context, ck_tensor prediction, ck_tensor bias, ck_tensor target, ck_tensor x,
                       ck_tensor inputWeights, ck_tensor outputWeights, ck_tensor result) {
    if (prediction.rows == 0) return;
    with_real_type(prediction.type, [&](auto type) {
        using T = typename decltype(type)::type;
        const Prediction<T> operands{
            matrix<const T>(prediction), address<const double>(bias),         matrix<const T>(target),
            matrix<const T>(x),          address<const double>(inputWeights), address<const double>(outputWeights)};
        CHECK(launch(prediction_errors_kernel<T>, row_grid(prediction.rows), row_block(), 0, context.stream, operands,
                     matrix<double>(result)));
    });
}

void find_non_finite_row(Queue &queue, ck_tensor x, unsigned long long *first) {
    if (x.rows == 0 || x.columns == 0) return;
    const auto run = [&](auto type) {
        using T = typename decltype(type)::type;
        CHECK(launch(first_non_finite_row_kernel<T>, row_grid(x.rows), row_block(), 0, queue.stream, matrix<const T>(x),
                     first));
    };
    if (x.type == CK_FLOAT64) {
        run(Type<double>{});
    } else {
        with_activation_type(x.type, run);
    }
}

void first_non_finite_row(ck_context &context, ck_tensor x, std::int64_t *row) {
    *row = -1;
    if (x.rows == 0 || x.columns == 0) return;
    unsigned long long first = ULLONG_MAX;
    const Scratch found(context, &first, sizeof first);
    find_non_finite_row(context, x, found.as<unsigned long long>());
    read_back(context, found.as<void>(), &first, sizeof first);
    if (first != ULLONG_MAX) *row = static_cast<std::int64_t>(first);
}

} // namespace straightedge
