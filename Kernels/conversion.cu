// Activations of another type, and activations within bounds.
#include "operations.h"
#include "vectors.h"

namespace straightedge {
namespace {

// result = x, rounded to nearest.
template <typename T, int vectorWidth> struct Convert {
    static constexpr int width = vectorWidth;
    Matrix<const float> x;
    Matrix<T> result;

    using Loaded = Vector<float, width>;

    __device__ __forceinline__ Loaded load(Place place) const { return Loaded::load(place.in(x)); }

    __device__ __forceinline__ void store(Place place, const Loaded &loaded) const {
        Vector<T, width> values;
        for (int i = 0; i < width; ++i) values.set(i, loaded.elements[i]);
        values.store(place.in(result));
    }
};

// x = min(max(x, -limit), limit); a NaN stays one. What lies within is not written.
template <typename T, int vectorWidth> struct Clamp {
    static constexpr int width = vectorWidth;
    Matrix<T> x;
    float limit;

    using Loaded = Vector<T, width>;

    __device__ __forceinline__ Loaded load(Place place) const { return Loaded::load(place.in(x)); }

    __device__ __forceinline__ void store(Place place, Loaded values) const {
        bool isChanged = false;
        for (int i = 0; i < width; ++i) {
            const float value = values.at(i);
            if (!(fabsf(value) > limit)) continue;
            values.set(i, copysignf(limit, value));
            isChanged = true;
        }
        if (isChanged) values.store(place.in(x));
    }
};

} // namespace

void convert(ck_context &context, ck_tensor x, ck_tensor result) {
    if (result.rows == 0 || result.columns == 0) return;
    with_activation_type(result.type, [&](auto type) {
        using T = typename decltype(type)::type;
        constexpr int width = vectorWidth<T>;
        const Matrix<const float> input = matrix<const float>(x);
        if (x.columns % width == 0 && has_vectors(x, width, 4) && has_vectors(result, width, sizeof(T))) {
            walk(context, x.rows, x.columns, Convert<T, width>{input, matrix<T>(result)});
        } else {
            walk(context, x.rows, x.columns, Convert<T, 1>{input, matrix<T>(result)});
        }
    });
}

void clamp(ck_context &context, ck_tensor x, float limit) {
    if (x.rows == 0 || x.columns == 0) return;
    with_activation_type(x.type, [&](auto type) {
        using T = typename decltype(type)::type;
        constexpr int width = vectorWidth<T>;
        if (x.columns % width == 0 && has_vectors(x, width, sizeof(T))) {
            walk(context, x.rows, x.columns, Clamp<T, width>{matrix<T>(x), limit});
        } else {
            walk(context, x.rows, x.columns, Clamp<T, 1>{matrix<T>(x), limit});
        }
    });
}

} // namespace straightedge
