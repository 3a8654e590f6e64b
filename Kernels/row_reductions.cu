// Sums over single rows in float64, one warp a row, and the search for numbers that are none.
#include "operations.h"
#include "vectors.h"

#include <climits>
#include <initializer_list>
#include <type_traits>

namespace straightedge {
namespace {

// Calls `body(column)` for the first column of each vector of `width` columns that is this lane's.
template <int width, typename Body>
__device__ __forceinline__ void for_vectors_of_lane(std::int64_t columns, Body body) {
#pragma unroll 4
    for (std::int64_t i = threadIdx.x * width; i < columns; i += warpLaneCount * width) body(i);
}

// result[i] = (‖x‖, ‖y‖, ‖y - x‖, x·y).
template <typename T, int width>
__global__ void row_statistics_kernel(Matrix<const T> x, Matrix<const T> y, Matrix<double> result) {
    const std::int64_t row = row_of_warp();
    if (row >= x.rows) return;
    double xx = 0, yy = 0, bb = 0, xy = 0;
    for_vectors_of_lane<width>(x.columns, [&](std::int64_t column) {
        const auto inputs = Vector<T, width>::load(x.row(row) + column);
        const auto outputs = Vector<T, width>::load(y.row(row) + column);
        for (int i = 0; i < width; ++i) {
            const double a = inputs.elements[i], b = outputs.elements[i];
            const double difference = b - a;
            xx += a * a;
            yy += b * b;
            bb += difference * difference;
            xy += a * b;
        }
    });
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

// result[i] = x·y.
template <typename T, int width>
__global__ void row_products_kernel(Matrix<const T> x, Matrix<const T> y, double *result) {
    const std::int64_t row = row_of_warp();
    if (row >= x.rows) return;
    double sum = 0;
    for_vectors_of_lane<width>(x.columns, [&](std::int64_t column) {
        const auto a = Vector<T, width>::load(x.row(row) + column);
        const auto b = Vector<T, width>::load(y.row(row) + column);
        for (int i = 0; i < width; ++i) sum += static_cast<double>(a.elements[i]) * static_cast<double>(b.elements[i]);
    });
    sum = warp_sum(sum);
    if (threadIdx.x == 0) result[row] = sum;
}

// result[i] = ‖x - center‖².
template <typename T, int width>
__global__ void squared_distances_kernel(Matrix<const T> x, const double *center, double *result) {
    const std::int64_t row = row_of_warp();
    if (row >= x.rows) return;
    double sum = 0;
    for_vectors_of_lane<width>(x.columns, [&](std::int64_t column) {
        const auto values = Vector<T, width>::load(x.row(row) + column);
        const auto centers = Vector<double, width>::load(center + column);
        for (int i = 0; i < width; ++i) {
            const double difference = static_cast<double>(values.elements[i]) - centers.elements[i];
            sum += difference * difference;
        }
    });
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
template <typename T, int width>
__global__ void prediction_errors_kernel(Prediction<T> operands, Matrix<double> result) {
    const std::int64_t row = row_of_warp();
    if (row >= operands.prediction.rows) return;
    double errors = 0, inputs = 0, weighted = 0;
    for_vectors_of_lane<width>(operands.prediction.columns, [&](std::int64_t column) {
        const auto predicted = Vector<T, width>::load(operands.prediction.row(row) + column);
        const auto wanted = Vector<T, width>::load(operands.target.row(row) + column);
        const auto biases = Vector<double, width>::load(operands.bias + column);
        const auto weights = Vector<double, width>::load(operands.outputWeights + column);
        for (int i = 0; i < width; ++i) {
            const double difference =
                static_cast<double>(predicted.elements[i]) - static_cast<double>(wanted.elements[i]);
            const double error = difference + biases.elements[i];
            errors += error * error;
            weighted += error * error * weights.elements[i];
        }
    });
    for_vectors_of_lane<width>(operands.x.columns, [&](std::int64_t column) {
        const auto values = Vector<T, width>::load(operands.x.row(row) + column);
        const auto weights = Vector<double, width>::load(operands.inputWeights + column);
        for (int i = 0; i < width; ++i) {
            const double value = values.elements[i];
            inputs += value * value * weights.elements[i];
        }
    });
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
template <typename T, int vectorWidth> struct FindNonFinite {
    static constexpr int width = vectorWidth;
    Matrix<const T> x;
    unsigned long long *first;

    using Loaded = Vector<T, width>;

    __device__ __forceinline__ Loaded load(Place place) const { return Loaded::load(place.in(x)); }

    __device__ __forceinline__ void store(Place place, const Loaded &values) const {
        bool isFound = false;
        for (int i = 0; i < width; ++i) isFound |= !is_finite(values.elements[i]);
        if (isFound) atomicMin(first, static_cast<unsigned long long>(place.row));
    }
};

// Calls `body` with the width in which all rows of the tensors can be taken: that of vectors, or one.
template <typename T, typename Body> void with_width(std::initializer_list<ck_tensor> tensors, Body &&body) {
    constexpr int width = vectorWidth<T>;
    const bool isInVectors = std::all_of(tensors.begin(), tensors.end(), [](const ck_tensor &tensor) {
        const int byteCount = tensor.type == CK_FLOAT64 ? 8 : static_cast<int>(sizeof(T));
        return tensor.columns % width == 0 && has_vectors(tensor, width, byteCount);
    });
    if (isInVectors) {
        body(std::integral_constant<int, width>{});
    } else {
        body(std::integral_constant<int, 1>{});
    }
}

} // namespace

void row_statistics(ck_context &context, ck_tensor x, ck_tensor y, ck_tensor result) {
    if (x.rows == 0) return;
    with_real_type(x.type, [&](auto type) {
        using T = typename decltype(type)::type;
        with_width<T>({x, y}, [&](auto width) {
            CHECK(launch(row_statistics_kernel<T, width>, row_grid(x.rows), row_block(), 0, context.stream,
                         matrix<const T>(x), matrix<const T>(y), matrix<double>(result)));
        });
    });
}

void row_products(ck_context &context, ck_tensor x, ck_tensor y, ck_tensor result) {
    if (x.rows == 0) return;
    with_real_type(x.type, [&](auto type) {
        using T = typename decltype(type)::type;
        with_width<T>({x, y}, [&](auto width) {
            CHECK(launch(row_products_kernel<T, width>, row_grid(x.rows), row_block(), 0, context.stream,
                         matrix<const T>(x), matrix<const T>(y), address<double>(result)));
        });
    });
}

void squared_distances(ck_context &context, ck_tensor x, ck_tensor center, ck_tensor result) {
    if (x.rows == 0) return;
    with_real_type(x.type, [&](auto type) {
        using T = typename decltype(type)::type;
        with_width<T>({x, center}, [&](auto width) {
            CHECK(launch(squared_distances_kernel<T, width>, row_grid(x.rows), row_block(), 0, context.stream,
                         matrix<const T>(x), address<const double>(center), address<double>(result)));
        });
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
        with_width<T>({prediction, bias, target, x, inputWeights, outputWeights}, [&](auto width) {
            CHECK(launch(prediction_errors_kernel<T, width>, row_grid(prediction.rows), row_block(), 0, context.stream,
                         operands, matrix<double>(result)));
        });
    });
}

void find_non_finite_row(Queue &queue, ck_tensor x, unsigned long long *first) {
    if (x.rows == 0 || x.columns == 0) return;
    const auto run = [&](auto type) {
        using T = typename decltype(type)::type;
        with_width<T>({x}, [&](auto width) {
            walk(queue, x.rows, x.columns, FindNonFinite<T, width>{matrix<const T>(x), first});
        });
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
    const Scratch found(context, sizeof(unsigned long long));
    CHECK(cudaMemsetAsync(found.as<void>(), 0xFF, sizeof(unsigned long long), context.stream));
    find_non_finite_row(context, x, found.as<unsigned long long>());
    unsigned long long first = ULLONG_MAX;
    read_back(context, found.as<void>(), &first, sizeof first);
    if (first != ULLONG_MAX) *row = static_cast<std::int64_t>(first);
}

} // namespace straightedge
