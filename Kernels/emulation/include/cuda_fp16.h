// __half: IEEE 754 binary16. Conversions round to nearest even; a NaN stays one.
#pragma once

#include "cuda_bf16.h" // for round_to_odd

struct __half_raw {
    unsigned short x;
};

namespace emulation {
inline std::uint16_t half_bits(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    const std::uint16_t sign = std::uint16_t(bits >> 16 & 0x8000u);
    bits &= 0x7fffffffu;
    if (bits > 0x7f800000u) return 0x7fff;          // the one NaN that CUDA gives
    if (bits >= 0x47800000u) return sign | 0x7c00u; // 65536 and beyond
    if (bits >= 0x38800000u) {                      // normal: 2^-14 and above; a carry may reach infinity
        const std::uint32_t rebased = bits - 0x38000000u;
        return std::uint16_t(sign | (rebased + 0xfffu + (rebased >> 13 & 1u)) >> 13);
    }
    if (bits < 0x33000000u) return sign; // below half of the least subnormal
    // Subnormal: count in units of 2^-24.
    const unsigned shift = 126u - (bits >> 23);
    const std::uint32_t significand = (bits & 0x7fffffu) | 0x800000u;
    const std::uint32_t units = significand >> shift, rest = significand & ((1u << shift) - 1),
                        half = 1u << (shift - 1);
    return std::uint16_t(sign | (units + (rest > half || (rest == half && (units & 1u)) ? 1u : 0u)));
}
inline float half_value(std::uint16_t bits) {
    const std::uint32_t sign = std::uint32_t(bits & 0x8000u) << 16, exponent = bits >> 10 & 0x1fu;
    std::uint32_t significand = bits & 0x3ffu, wide;
    if (exponent == 0x1f) {
        wide = sign | 0x7f800000u | significand << 13;
    } else if (exponent != 0) {
        wide = sign | (exponent + 112u) << 23 | significand << 13;
    } else if (significand == 0) {
        wide = sign;
    } else {
        std::uint32_t rebased = 113;
        while ((significand & 0x400u) == 0) {
            significand <<= 1;
            --rebased;
        }
        wide = sign | rebased << 23 | (significand & 0x3ffu) << 13;
    }
    float value;
    std::memcpy(&value, &wide, sizeof value);
    return value;
}
} // namespace emulation

struct __half {
    __half() = default;
    __half(__half_raw raw) : bits(raw.x) {}
    __half(float value) : bits(emulation::half_bits(value)) {}
    __half(double value) : bits(emulation::half_bits(emulation::round_to_odd(value))) {}
    operator float() const { return emulation::half_value(bits); }
    operator __half_raw() const { return {bits}; }

    unsigned short bits;
};
using half = __half;

struct alignas(4) __half2 {
    __half2() = default;
    __half2(__half x, __half y) : x(x), y(y) {}

    __half x, y;
};
using half2 = __half2;

inline float __half2float(__half value) { return value; }
inline __half __float2half(float value) { return {value}; }
inline __half __float2half_rn(float value) { return {value}; }
inline __half __double2half(double value) { return {value}; }
inline unsigned short __half_as_ushort(__half value) { return value.bits; }
inline __half __ushort_as_half(unsigned short bits) { return __half_raw{bits}; }

inline __half2 __floats2half2_rn(float x, float y) { return {x, y}; }
inline __half2 __float22half2_rn(float2 values) { return {values.x, values.y}; }
inline __half2 __float2half2_rn(float value) { return {value, value}; }
inline __half2 __halves2half2(__half x, __half y) { return {x, y}; }
inline __half2 __half2half2(__half value) { return {value, value}; }
inline float2 __half22float2(__half2 values) { return {values.x, values.y}; }
inline float __low2float(__half2 values) { return values.x; }
inline float __high2float(__half2 values) { return values.y; }
inline __half __low2half(__half2 values) { return values.x; }
inline __half __high2half(__half2 values) { return values.y; }
