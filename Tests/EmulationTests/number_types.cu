// float16 and bfloat16 against a plain definition, for every bit pattern.
#include "check.h"

#include <cmath>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <limits>

namespace {

// A format of 16 bits: a sign, then exponent bits, then `fractionBits` bits of fraction.
struct Format {
    int fractionBits;
    int leastExponent; // of a normal number

    int exponent_count() const { return 1 << (15 - fractionBits); }
    double value(unsigned bits) const {
        const int fractionCount = 1 << fractionBits;
        const int exponent = static_cast<int>(bits & 0x7fffu) >> fractionBits;
        const int fraction = static_cast<int>(bits) & (fractionCount - 1);
        const double sign = (bits & 0x8000u) != 0 ? -1.0 : 1.0;
        if (exponent == exponent_count() - 1)
            return fraction != 0 ? std::numeric_limits<double>::quiet_NaN()
                                 : sign * std::numeric_limits<double>::infinity();
        const double significand = static_cast<double>(exponent == 0 ? fraction : fraction + fractionCount);
        return sign * std::ldexp(significand, leastExponent + (exponent == 0 ? 0 : exponent - 1) - fractionBits);
    }
    unsigned infinity() const { return static_cast<unsigned>(exponent_count() - 1) << fractionBits; }
    bool is_nan(unsigned bits) const { return (bits & 0x7fffu) > infinity(); }
};

constexpr Format half16{10, -14}, brain16{7, -126};

// What rounds to `bits`: the number itself and a little to either side; ties go to the even neighbour.
template <typename Round> void check_rounding(const Format &format, Round round) {
    int wrongCount = 0;
    for (unsigned bits = 0; bits < 0x10000u; ++bits) {
        const double value = format.value(bits);
        if (format.is_nan(bits)) {
            wrongCount += !format.is_nan(round(static_cast<double>(std::nanf("")))) ||
                          !format.is_nan(round(static_cast<double>(-std::nanf(""))));
            continue;
        }
        wrongCount += round(value) != bits;
        const unsigned magnitude = bits & 0x7fffu, sign = bits & 0x8000u;
        if (magnitude == format.infinity()) continue;
        // The middle between this number and the next away from zero; beyond the last it is where infinity starts.
        const double step = std::fabs(format.value(magnitude >= format.infinity() - 1 ? bits - 1 : bits + 1) - value);
        const double middle = value + (sign != 0 ? -step : step) / 2;
        const unsigned even = bits % 2 == 0 ? bits : bits + 1;
        wrongCount += round(middle) != even;
        const double inside = static_cast<double>(std::nextafterf(static_cast<float>(middle), 0.0f));
        const double outside = static_cast<double>(
            std::nextafterf(static_cast<float>(middle), sign != 0 ? -std::numeric_limits<float>::infinity()
                                                                  : std::numeric_limits<float>::infinity()));
        if (static_cast<double>(static_cast<float>(middle)) != middle) continue; // bfloat16's least: no such float
        wrongCount += round(inside) != bits;
        wrongCount += round(outside) != bits + 1;
    }
    CHECK(wrongCount == 0);
}

bool same(double got, double want) {
    return (got != got && want != want) || (got == want && std::signbit(got) == std::signbit(want));
}

} // namespace

TEST(every_bfloat16_means_what_its_bits_say) {
    int wrongCount = 0;
    for (unsigned bits = 0; bits < 0x10000u; ++bits) {
        const __nv_bfloat16 value = __ushort_as_bfloat16(static_cast<unsigned short>(bits));
        wrongCount += !same(static_cast<double>(__bfloat162float(value)), brain16.value(bits));
        wrongCount += __bfloat16_as_ushort(value) != bits;
    }
    CHECK(wrongCount == 0);
}

TEST(every_float16_means_what_its_bits_say) {
    int wrongCount = 0;
    for (unsigned bits = 0; bits < 0x10000u; ++bits) {
        const __half value = __ushort_as_half(static_cast<unsigned short>(bits));
        wrongCount += !same(static_cast<double>(__half2float(value)), half16.value(bits));
        wrongCount += __half_as_ushort(value) != bits;
    }
    CHECK(wrongCount == 0);
}

TEST(rounding_to_bfloat16_is_to_nearest_even) {
    check_rounding(brain16, [](double value) {
        return static_cast<unsigned>(__bfloat16_as_ushort(__float2bfloat16(static_cast<float>(value))));
    });
    check_rounding(brain16,
                   [](double value) { return static_cast<unsigned>(__bfloat16_as_ushort(__double2bfloat16(value))); });
}

TEST(rounding_to_float16_is_to_nearest_even) {
    check_rounding(half16, [](double value) {
        return static_cast<unsigned>(__half_as_ushort(__float2half(static_cast<float>(value))));
    });
    check_rounding(half16, [](double value) { return static_cast<unsigned>(__half_as_ushort(__double2half(value))); });
}

TEST(what_is_too_large_becomes_infinite) {
    for (const float value : {65520.0f, 65536.0f, 70000.0f, 1e9f, std::numeric_limits<float>::infinity()}) {
        CHECK(__half_as_ushort(__float2half(value)) == 0x7c00);
        CHECK(__half_as_ushort(__float2half(-value)) == 0xfc00);
    }
    CHECK(__half_as_ushort(__double2half(1e300)) == 0x7c00);
    CHECK(__bfloat16_as_ushort(__float2bfloat16(std::numeric_limits<float>::max())) == 0x7f80);
    CHECK(__bfloat16_as_ushort(__double2bfloat16(-1e300)) == 0xff80);
}

// A double just beside a tie, which a detour over float would round away.
TEST(doubles_are_rounded_once) {
    CHECK(__bfloat16_as_ushort(__double2bfloat16(1 + 0x1p-8 + 0x1p-40)) == 0x3f81);
    CHECK(__bfloat16_as_ushort(__double2bfloat16(1 + 0x3p-8 - 0x1p-40)) == 0x3f81);
    CHECK(__half_as_ushort(__double2half(1 + 0x1p-11 + 0x1p-45)) == 0x3c01);
    CHECK(__half_as_ushort(__double2half(-1 - 0x3p-11 + 0x1p-45)) == 0xbc01);
}

namespace {

__global__ void convert_pairs(const float2 *values, __nv_bfloat162 *brains, __half2 *halves, float *back) {
    const float2 value = values[threadIdx.x];
    brains[threadIdx.x] = __float22bfloat162_rn(value);
    halves[threadIdx.x] = __floats2half2_rn(value.x, value.y);
    const float2 brain = __bfloat1622float2(brains[threadIdx.x]), half = __half22float2(halves[threadIdx.x]);
    back[threadIdx.x] =
        brain.x + brain.y + half.x + half.y + __low2float(brains[threadIdx.x]) + __high2float(halves[threadIdx.x]);
}

} // namespace

TEST(pairs_convert_element_by_element) {
    const std::vector<float> numbersOfPairs = numbers<float>(4, 64);
    std::vector<float2> pairs(32);
    std::memcpy(static_cast<void *>(pairs.data()), numbersOfPairs.data(), 64 * sizeof(float));
    DeviceArray<float2> values(pairs);
    DeviceArray<__nv_bfloat162> brains(32);
    DeviceArray<__half2> halves(32);
    DeviceArray<float> back(32);
    CHECK(launch(convert_pairs, 1, 32, 0, nullptr, values, brains, halves, back) == cudaSuccess);
    const std::vector<float> sums = back.read();
    for (std::size_t place = 0; place < 32; ++place) CHECK(sums[place] == 3 * pairs[place].x + 3 * pairs[place].y);
}
