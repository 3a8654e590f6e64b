// __nv_bfloat16: the upper half of a float. Conversions round to nearest even; a NaN stays one.
#pragma once

#include "vector_types.h"

#include <cstdint>
#include <cstring>

struct __nv_bfloat16_raw {
    unsigned short x;
};

namespace emulation {
inline std::uint16_t bfloat16_bits(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fff; // the one NaN that CUDA gives
    return std::uint16_t((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}
inline float bfloat16_value(std::uint16_t bits) {
    const std::uint32_t wide = std::uint32_t(bits) << 16;
    float value;
    std::memcpy(&value, &wide, sizeof value);
    return value;
}
// Rounds a double to the nearest float, but to the odd one of its two neighbours where it lies between them, so that
// rounding the float again gives what rounding the double at once would have given.
inline float round_to_odd(double value) {
    float rounded = float(value);
    if (double(rounded) == value || rounded != rounded) return rounded;
    std::uint32_t bits;
    std::memcpy(&bits, &rounded, sizeof bits);
    if ((bits & 1u) == 0) {
        const bool tooFar = value < 0 ? double(rounded) < value : double(rounded) > value;
        bits += tooFar ? -1u : 1u; // away from zero is up in both signs' bits
    }
    std::memcpy(&rounded, &bits, sizeof bits);
    return rounded;
}
} // namespace emulation

struct __nv_bfloat16 {
    __nv_bfloat16() = default;
    __nv_bfloat16(__nv_bfloat16_raw raw) : bits(raw.x) {}
    __nv_bfloat16(float value) : bits(emulation::bfloat16_bits(value)) {}
    __nv_bfloat16(double value) : bits(emulation::bfloat16_bits(emulation::round_to_odd(value))) {}
    operator float() const { return emulation::bfloat16_value(bits); }
    operator __nv_bfloat16_raw() const { return {bits}; }

    unsigned short bits;
};
using nv_bfloat16 = __nv_bfloat16;

struct alignas(4) __nv_bfloat162 {
    __nv_bfloat162() = default;
    __nv_bfloat162(__nv_bfloat16 x, __nv_bfloat16 y) : x(x), y(y) {}

    __nv_bfloat16 x, y;
};
using nv_bfloat162 = __nv_bfloat162;

inline float __bfloat162float(__nv_bfloat16 value) { return value; }
inline __nv_bfloat16 __float2bfloat16(float value) { return {value}; }
inline __nv_bfloat16 __float2bfloat16_rn(float value) { return {value}; }
inline __nv_bfloat16 __double2bfloat16(double value) { return {value}; }
inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 value) { return value.bits; }
inline __nv_bfloat16 __ushort_as_bfloat16(unsigned short bits) { return __nv_bfloat16_raw{bits}; }

inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y) { return {x, y}; }
inline __nv_bfloat162 __float22bfloat162_rn(float2 values) { return {values.x, values.y}; }
inline __nv_bfloat162 __float2bfloat162_rn(float value) { return {value, value}; }
inline __nv_bfloat162 __halves2bfloat162(__nv_bfloat16 x, __nv_bfloat16 y) { return {x, y}; }
inline __nv_bfloat162 __bfloat162bfloat162(__nv_bfloat16 value) { return {value, value}; }
inline float2 __bfloat1622float2(__nv_bfloat162 values) { return {values.x, values.y}; }
inline float __low2float(__nv_bfloat162 values) { return values.x; }
inline float __high2float(__nv_bfloat162 values) { return values.y; }
inline __nv_bfloat16 __low2bfloat16(__nv_bfloat162 values) { return values.x; }
inline __nv_bfloat16 __high2bfloat16(__nv_bfloat162 values) { return values.y; }
