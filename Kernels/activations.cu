// Activations of the MLP, gated or not, and the soft cap of logits.
#include "operations.h"
#include "vectors.h"

namespace straightedge {
namespace {

// x · σ(k). The quotient errs by two units, and is 0 where the divisor is beyond 2^126.
__device__ __forceinline__ float gated(float x, float k) { return __fdividef(x, 1.0f + expf(-k)); }

// max(x, 0), and NaN of NaN.
__device__ __forceinline__ float positive_part(float x) { return x < 0 ? 0.0f : x; }

// Φ(x): with a = |x| and t = 1 / (1 + 0.35·a), Φ(-a) = exp(-a²/2) · t · p(t). p is a minimax polynomial of degree 8,
// fitted to a relative error of 3.2e-8 for a up to 14.5, beyond which Φ(-a) is no float32.
__device__ __forceinline__ float normal_distribution(float x) {
    const float a = fabsf(x), t = __fdividef(1.0f, 1.0f + 0.35f * a);
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
template <typename Function, typename T, bool isGated, int vectorWidth> struct Activate {
    static constexpr int width = vectorWidth;
    Matrix<const T> x;
    const float *bias;
    Matrix<T> result;

    struct Loaded {
        Vector<T, width> values;
        Vector<T, isGated ? width : 1> factors;
    };

    __device__ __forceinline__ Loaded load(Place place) const {
        Loaded loaded;
        loaded.values = Vector<T, width>::load(place.in(x));
        if constexpr (isGated) loaded.factors = Vector<T, width>::load(place.in(x) + result.columns);
        return loaded;
    }

    __device__ __forceinline__ void store(Place place, const Loaded &loaded) const {
        Vector<T, width> output;
        Vector<float, width> values, factors;
        for (int i = 0; i < width; ++i) values.elements[i] = loaded.values.at(i);
        if (bias) add(values, place.column);
        if constexpr (isGated) {
            for (int i = 0; i < width; ++i) factors.elements[i] = loaded.factors.at(i);
            if (bias) add(factors, place.column + result.columns);
        }
        for (int i = 0; i < width; ++i) {
            const float value = Function::value(values.elements[i]);
            output.set(i, isGated ? value * factors.elements[i] : value);
        }
        output.store(place.in(result));
    }

    __device__ __forceinline__ void add(Vector<float, width> &values, std::int64_t column) const {
        const auto addends = Vector<float, width>::load(bias + column);
        for (int i = 0; i < width; ++i) values.elements[i] += addends.elements[i];
    }
};

// An operation on each element of a float32 matrix, in place.
template <typename Function, int vectorWidth> struct Change {
    static constexpr int width = vectorWidth;
    Matrix<float> x;
    Function function;

    using Loaded = Vector<float, width>;

    __device__ __forceinline__ Loaded load(Place place) const { return Loaded::load(place.in(x)); }

    __device__ __forceinline__ void store(Place place, Loaded values) const {
        for (int i = 0; i < width; ++i) values.elements[i] = function(values.elements[i]);
        values.store(place.in(x));
    }
};

struct Scaling {
    float factor;
    __device__ __forceinline__ float operator()(float x) const { return x * factor; }
};

struct SoftCap {
    float cap;
    __device__ __forceinline__ float operator()(float x) const { return cap * tanhf(x / cap); }
};

template <typename Function> void change(ck_context &context, ck_tensor x, const Function &function) {
    if (x.rows == 0 || x.columns == 0) return;
    // Rows of an odd width that follow each other are one.
    if (is_contiguous(x)) x = {x.address, 1, x.rows * x.columns, x.rows * x.columns, x.type};
    constexpr int width = vectorWidth<float>;
    const Matrix<float> elements = matrix<float>(x);
    const std::int64_t inVectors = has_vectors(x, width, 4) ? x.columns / width * width : 0;
    if (inVectors > 0) walk(context, x.rows, inVectors, Change<Function, width>{elements, function});
    if (inVectors == x.columns) return;
    const Matrix<float> rest{elements.elements + inVectors, x.rows, x.columns - inVectors, x.leading};
    walk(context, rest.rows, rest.columns, Change<Function, 1>{rest, function});
}

template <typename Function, typename T, bool isGated>
void activate(ck_context &context, ck_tensor x, ck_tensor bias, ck_tensor result) {
    constexpr int width = vectorWidth<T>;
    const bool isInVectors = result.columns % width == 0 && has_vectors(x, width, sizeof(T)) &&
                             has_vectors(result, width, sizeof(T)) && has_vectors(bias, width, 4);
    const auto run = [&](auto operation) { walk(context, result.rows, result.columns, operation); };
    if (isInVectors) {
        run(Activate<Function, T, isGated, width>{matrix<const T>(x), address<const float>(bias), matrix<T>(result)});
    } else {
        run(Activate<Function, T, isGated, 1>{matrix<const T>(x), address<const float>(bias), matrix<T>(result)});
    }
}

} // namespace

void activate(ck_context &context, ck_tensor x, ck_tensor bias, std::int32_t activation, std::int32_t isGated,
              ck_tensor result) {
    if (result.rows == 0 || result.columns == 0) return;
    with_activation_type(result.type, [&](auto type) {
        using T = typename decltype(type)::type;
        with_activation(activation, [&](auto function) {
            using Function = typename decltype(function)::type;
            if (isGated) {
                activate<Function, T, true>(context, x, bias, result);
            } else {
                activate<Function, T, false>(context, x, bias, result);
            }
        });
    });
}

void scale_elements(ck_context &context, ck_tensor x, float factor) { change(context, x, Scaling{factor}); }

void soft_cap(ck_context &context, ck_tensor x, float cap) { change(context, x, SoftCap{cap}); }

} // namespace straightedge
