// Activations of the MLP, gated or not, and the soft cap of logits.
#include "operations.h"
#include "tensors.h"

namespace straightedge {
namespace {

// x · σ(k).
__device__ __forceinline__ float gated(float x, float k) { return x / (1.0f + expf(-k)); }

// max(x, 0), and NaN of NaN.
__device__ __forceinline__ float positive_part(float x) { return x < 0 ? 0.0f : x; }

// Φ(x): with a = |x| and t = 1 / (1 + 0.35·a), Φ(-a) = exp(-a²/2) · t · p(t). p is a minimax polynomial of degree 8,
// fitted to a relative error of 3.2e-8 for a up to 14.5, beyond which Φ(-a) is no float32.
__device__ __forceinline__ float normal_distribution(float x) {
    const float a = fabsf(x), t = 1.0f / (1.0f + 0.35f * a);
    float p = -0.029157886f;
    p = p * t + 0.14403091f;
    p = p * t - 0.255839f;
    p = p * t + 0.1593197f;
    p = p * t - 0.023212353f;
    p = p * t + 0.1055525f;
    p = p * t + 0.11982129f;
    p = p * t + 0.13986352f;
    p = p * t + 0.1396213f;
    const float tail = p * t * expf(-0.5f * (a * a));
    return x < 0 ? tail : 1.0f - tail;
}

struct SiLU {
    static __device__ __forceinline__ float value(float x) { return gated(x, x); }
};

struct GELU {
    static __device__ __forceinline__ float value(float x) { return x * normal_distribution(x); }
};

// (1 + tanh(u)) / 2 = σ(2·u), which loses nothing where tanh(u) is near -1.
struct GELUTanh {
    static __device__ __forceinline__ float value(float x) {
        return gated(x, x * (1.59576912f + 0.071354816f * (x * x)));
    }
};

struct ReLU {
    static __device__ __forceinline__ float value(float x) { return positive_part(x); }
};

struct ReLUSquared {
    static __device__ __forceinline__ float value(float x) { return positive_part(x) * positive_part(x); }
};

struct QuickGELU {
    static __device__ __forceinline__ float value(float x) { return gated(x, 1.702f * x); }
};

// Calls `body(Type<SiLU>{})` for the activation.
template <typename Body> void with_activation(std::int32_t activation, Body &&body) {
    switch (activation) {
    case CK_SILU:
        return body(Type<SiLU>{});
    case CK_GELU:
        return body(Type<GELU>{});
    case CK_GELU_TANH:
        return body(Type<GELUTanh>{});
    case CK_RELU:
        return body(Type<ReLU>{});
    case CK_RELU_SQUARED:
        return body(Type<ReLUSquared>{});
    case CK_QUICK_GELU:
        return body(Type<QuickGELU>{});
    default:
        throw Failure{CK_DEVICE_FAILED, "activate: activation " + std::to_string(activation) + " is not known"};
    }
}

// result = f(x + bias), times the second half of the columns of x + bias where the activation is gated.
template <typename Function, typename T>
__global__ void activate_kernel(Matrix<const T> x, const float *bias, bool isGated, Matrix<T> result) {
    const std::int64_t count = result.rows * result.columns;
    for (std::int64_t i = first_element(); i < count; i += element_stride()) {
        const std::int64_t row = i / result.columns, column = i % result.columns;
        const auto input = [&](std::int64_t column) {
            return to_float(x.row(row)[column]) + (bias ? bias[column] : 0.0f);
        };
        float value = Function::value(input(column));
        if (isGated) value *= input(column + result.columns);
        result.row(row)[column] = from_float<T>(value);
    }
}

__global__ void scale_kernel(Matrix<float> x, float factor) {
    const std::int64_t count = x.rows * x.columns;
    for (std::int64_t i = first_element(); i < count; i += element_stride()) {
        x.row(i / x.columns)[i % x.columns] *= factor;
    }
}

__global__ void soft_cap_kernel(Matrix<float> x, float cap) {
    const std::int64_t count = x.rows * x.columns;
    for (std::int64_t i = first_element(); i < count; i += element_stride()) {
        float &element = x.row(i / x.columns)[i % x.columns];
        element = cap * tanhf(element / cap);
    }
}

} // namespace

void activate(ck_context &context, ck_tensor x, ck_tensor bias, std::int32_t activation, std::int32_t isGated,
              ck_tensor result) {
    const std::int64_t count = result.rows * result.columns;
    if (count == 0) return;
    with_activation_type(result.type, [&](auto type) {
        using T = typename decltype(type)::type;
        with_activation(activation, [&](auto function) {
            using Function = typename decltype(function)::type;
            CHECK(launch(activate_kernel<Function, T>, element_grid(context, count), dim3(blockLaneCount), 0,
                         context.stream, matrix<const T>(x), address<const float>(bias), isGated != 0,
                         matrix<T>(result)));
        });
    });
}

void scale_elements(ck_context &context, ck_tensor x, float factor) {
    const std::int64_t count = x.rows * x.columns;
    if (count == 0) return;
    CHECK(launch(scale_kernel, element_grid(context, count), dim3(blockLaneCount), 0, context.stream, matrix<float>(x),
                 factor));
}

void soft_cap(ck_context &context, ck_tensor x, float cap) {
    const std::int64_t count = x.rows * x.columns;
    if (count == 0) return;
    CHECK(launch(soft_cap_kernel, element_grid(context, count), dim3(blockLaneCount), 0, context.stream,
                 matrix<float>(x), cap));
}

} // namespace straightedge
