// Sums, differences and biases, element by element.
#include "operations.h"
#include "vectors.h"

namespace straightedge {
namespace {

struct Sum {
    static __device__ __forceinline__ float value(float a, float b) { return a + b; }
};

struct Difference {
    static __device__ __forceinline__ float value(float a, float b) { return a - b; }
};

// result = a op b; result may be a or b.
template <typename Function, int vectorWidth> struct Combine {
    static constexpr int width = vectorWidth;
    Matrix<const float> a;
    Matrix<const float> b;
    Matrix<float> result;

    struct Loaded {
        Vector<float, width> a;
        Vector<float, width> b;
    };

    __device__ __forceinline__ Loaded load(Place place) const {
        return {Vector<float, width>::load(place.in(a)), Vector<float, width>::load(place.in(b))};
    }

    __device__ __forceinline__ void store(Place place, const Loaded &loaded) const {
        Vector<float, width> values;
        for (int i = 0; i < width; ++i)
            values.elements[i] = Function::value(loaded.a.elements[i], loaded.b.elements[i]);
        values.store(place.in(result));
    }
};

// x += bias, row by row; the sum is rounded once.
template <typename T, int vectorWidth> struct AddBias {
    static constexpr int width = vectorWidth;
    const float *bias;
    Matrix<T> x;

    using Loaded = Vector<T, width>;

    __device__ __forceinline__ Loaded load(Place place) const { return Loaded::load(place.in(x)); }

    __device__ __forceinline__ void store(Place place, Loaded values) const {
        const auto addends = Vector<float, width>::load(bias + place.column);
        for (int i = 0; i < width; ++i) values.set(i, values.at(i) + addends.elements[i]);
        values.store(place.in(x));
    }
};

template <typename Function> void combine(ck_context &context, ck_tensor a, ck_tensor b, ck_tensor result) {
    if (result.rows == 0 || result.columns == 0) return;
    // Rows of an odd width that follow each other are one.
    if (is_contiguous(a) && is_contiguous(b) && is_contiguous(result)) {
        for (ck_tensor *tensor : {&a, &b, &result}) {
            const std::int64_t count = tensor->rows * tensor->columns;
            *tensor = {tensor->address, 1, count, count, tensor->type};
        }
    }
    constexpr int width = vectorWidth<float>;
    const auto run = [&](auto operation) { walk(context, result.rows, result.columns, operation); };
    const Matrix<const float> left = matrix<const float>(a), right = matrix<const float>(b);
    if (result.columns % width == 0 && has_vectors(a, width, 4) && has_vectors(b, width, 4) &&
        has_vectors(result, width, 4)) {
        run(Combine<Function, width>{left, right, matrix<float>(result)});
    } else {
        run(Combine<Function, 1>{left, right, matrix<float>(result)});
    }
}

} // namespace

void add(ck_context &context, ck_tensor a, ck_tensor b, ck_tensor result) { combine<Sum>(context, a, b, result); }

void subtract(ck_context &context, ck_tensor a, ck_tensor b, ck_tensor result) {
    combine<Difference>(context, a, b, result);
}

void add_bias(ck_context &context, ck_tensor bias, ck_tensor x) {
    if (x.rows == 0 || x.columns == 0) return;
    with_activation_type(x.type, [&](auto type) {
        using T = typename decltype(type)::type;
        constexpr int width = vectorWidth<T>;
        const float *addends = address<const float>(bias);
        if (x.columns % width == 0 && has_vectors(x, width, sizeof(T)) && has_vectors(bias, width, 4)) {
            walk(context, x.rows, x.columns, AddBias<T, width>{addends, matrix<T>(x)});
        } else {
            walk(context, x.rows, x.columns, AddBias<T, 1>{addends, matrix<T>(x)});
        }
    });
}

} // namespace straightedge
