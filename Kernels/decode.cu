// Stored elements to numbers of the device: plain types and ggml's blocks.
//
// Plain types go through vectors; of blocks a lane takes an element, so that what is written lies side by side. Every
// product but Q8_K's is exact in float32, and sums round once, fused with a product or not: every bit is the host's.
#include "operations.h"
#include "vectors.h"

#include <type_traits>

namespace straightedge {
namespace {

using Byte = unsigned char;

__device__ __forceinline__ unsigned byte(const Byte *block, int place) { return block[place]; }

__device__ __forceinline__ int signed_byte(const Byte *block, int place) {
    return static_cast<signed char>(block[place]);
}

__device__ __forceinline__ unsigned word16(const Byte *block, int place) {
    return byte(block, place) | byte(block, place + 1) << 8;
}

__device__ __forceinline__ unsigned word32(const Byte *block, int place) {
    return word16(block, place) | word16(block, place + 2) << 16;
}

// A float16, exactly. 2^112 moves the exponent's bias from 15 to 127, and makes subnormal numbers normal.
__device__ __forceinline__ float half_value(unsigned bits) {
    const unsigned magnitude = (bits & 0x7FFF) << 13;
    const unsigned finite = __float_as_uint(__uint_as_float(magnitude) * 0x1p112f);
    return __uint_as_float((bits & 0x8000) << 16 | (magnitude >= 0x0F800000 ? magnitude | 0x7F800000 : finite));
}

__device__ __forceinline__ float half_at(const Byte *block, int place) { return half_value(word16(block, place)); }

// Plain types, from their bits.

struct Float64 {
    using Bits = unsigned long long;
    static __device__ __forceinline__ double value(Bits bits) {
        return __longlong_as_double(static_cast<long long>(bits));
    }
};

struct Float32 {
    using Bits = unsigned;
    static __device__ __forceinline__ float value(Bits bits) { return __uint_as_float(bits); }
};

struct Int32 {
    using Bits = unsigned;
    static __device__ __forceinline__ double value(Bits bits) { return static_cast<int>(bits); }
};

struct Float16 {
    using Bits = unsigned short;
    static __device__ __forceinline__ float value(Bits bits) { return half_value(bits); }
};

struct BFloat16 {
    using Bits = unsigned short;
    static __device__ __forceinline__ float value(Bits bits) {
        return __uint_as_float(static_cast<unsigned>(bits) << 16);
    }
};

// Blocks of 32: a scale, perhaps a minimum and fifth bits, and nibbles of which the low halves come first.

template <int size, int offset, int minimumAt, int bitsAt, int nibblesAt> struct Nibbles {
    static constexpr int elementCount = 32, byteCount = size;
    using Value = float;
    static __device__ float value(const Byte *block, int i) {
        const unsigned nibble = byte(block, nibblesAt + i % 16) >> (i < 16 ? 0 : 4) & 15;
        const unsigned fifth = bitsAt > 0 ? word32(block, bitsAt) >> i & 1 : 0;
        const float product = half_at(block, 0) * static_cast<float>(static_cast<int>(nibble | fifth << 4) - offset);
        // Adding -0 changes nothing, not even the sign of a zero.
        return product + (minimumAt > 0 ? half_at(block, minimumAt) : -0.0f);
    }
};

using Q4_0 = Nibbles<18, 8, 0, 0, 2>;
using Q4_1 = Nibbles<20, 0, 2, 0, 4>;
using Q5_0 = Nibbles<22, 16, 0, 2, 6>;
using Q5_1 = Nibbles<24, 0, 2, 4, 8>;

struct Q8_0 {
    static constexpr int elementCount = 32, byteCount = 34;
    using Value = float;
    static __device__ float value(const Byte *block, int i) {
        return half_at(block, 0) * static_cast<float>(signed_byte(block, 2 + i));
    }
};

// Nibbles are places in a table of integers that are close together near zero.
struct IQ4_NL {
    static constexpr int elementCount = 32, byteCount = 18;
    using Value = float;
    static __device__ float value(const Byte *block, int i) {
        // The table, a byte an integer.
        constexpr unsigned long long low = 0xF6EADDCFBFAD9881ull, high = 0x7159453526190D01ull;
        const unsigned nibble = byte(block, 2 + i % 16) >> (i < 16 ? 0 : 4) & 15;
        const unsigned long long integers = nibble < 8 ? low : high;
        const int integer = static_cast<signed char>(integers >> 8 * (nibble & 7) & 255);
        return half_at(block, 0) * static_cast<float>(integer);
    }
};

// Super-blocks of 256 in groups of 16 or 32 with scales of a few bits.

// 16 bytes of 4-bit scales and minima, 64 bytes of 2-bit integers, d, e.
struct Q2_K {
    static constexpr int elementCount = 256, byteCount = 84;
    using Value = float;
    static __device__ float value(const Byte *block, int i) {
        const int group = i / 16, half = group / 8, quarter = group / 2 % 4, part = group % 2;
        const unsigned packed = byte(block, group);
        const unsigned integer = byte(block, 16 + 32 * half + 16 * part + i % 16) >> 2 * quarter & 3;
        const float scale = half_at(block, 80) * static_cast<float>(packed & 15);
        const float minimum = half_at(block, 82) * static_cast<float>(packed >> 4);
        return static_cast<float>(integer) * scale - minimum;
    }
};

// 32 bytes of third bits, 64 bytes of the lower two, 12 bytes of 6-bit scales, d.
struct Q3_K {
    static constexpr int elementCount = 256, byteCount = 110;
    using Value = float;
    static __device__ float value(const Byte *block, int i) {
        const int group = i / 16, half = group / 8, quarter = group / 2 % 4, part = group % 2;
        const unsigned nibble = byte(block, 96 + group % 8) >> 4 * (group / 8) & 15;
        const unsigned pair = byte(block, 104 + group % 4) >> 2 * (group / 4) & 3;
        const unsigned low = byte(block, 32 + 32 * half + 16 * part + i % 16) >> 2 * quarter & 3;
        const unsigned high = byte(block, 16 * part + i % 16) >> group / 2 & 1;
        const float scale = half_at(block, 108) * static_cast<float>(static_cast<int>(pair << 4 | nibble) - 32);
        return (static_cast<float>(low | high << 2) - 4.0f) * scale - 0.0f;
    }
};

// The scale or minimum of one of the eight groups of Q4_K and Q5_K: 12 bytes behind d and e, of which the lower six
// bits of 0 to 3 and of 4 to 7 are the first four scales and minima; the other four have their nibbles in bytes 8 to 11
// and their upper two bits above those of the first.
__device__ __forceinline__ float group_factor(const Byte *block, int group, bool isMinimum) {
    const int first = 4 + (isMinimum ? 4 : 0) + group % 4;
    unsigned bits = byte(block, first);
    bits = group < 4 ? bits & 63 : (byte(block, 12 + group % 4) >> (isMinimum ? 4 : 0) & 15) | (bits >> 6) << 4;
    return half_at(block, isMinimum ? 2 : 0) * static_cast<float>(bits);
}

// d, e, 12 bytes of scales and minima, 32 bytes of fifth bits where the type has them, 128 bytes of nibbles.
template <bool hasFifthBits> struct GroupedNibbles {
    static constexpr int elementCount = 256, byteCount = hasFifthBits ? 176 : 144;
    using Value = float;
    static __device__ float value(const Byte *block, int i) {
        const int group = i / 32, part = i / 16 % 2, nibblesAt = hasFifthBits ? 48 : 16;
        unsigned integer = byte(block, nibblesAt + 32 * (group / 2) + 16 * part + i % 16) >> 4 * (group % 2) & 15;
        if (hasFifthBits) integer |= (byte(block, 16 + 16 * part + i % 16) >> group & 1) << 4;
        return static_cast<float>(integer) * group_factor(block, group, false) - group_factor(block, group, true);
    }
};

using Q4_K = GroupedNibbles<false>;
using Q5_K = GroupedNibbles<true>;

// 128 bytes of lower nibbles, 64 bytes of the upper two bits, 16 signed bytes of scales, d.
struct Q6_K {
    static constexpr int elementCount = 256, byteCount = 210;
    using Value = float;
    static __device__ float value(const Byte *block, int i) {
        const int group = i / 16, half = group / 8, quarter = group / 2 % 4, part = group % 2;
        const unsigned nibble = byte(block, 64 * half + 16 * (group % 4) + i % 16) >> 4 * (quarter / 2) & 15;
        const unsigned pair = byte(block, 128 + 32 * half + 16 * part + i % 16) >> 2 * quarter & 3;
        const float scale = half_at(block, 208) * static_cast<float>(signed_byte(block, 192 + group));
        return (static_cast<float>(nibble | pair << 4) - 32.0f) * scale - 0.0f;
    }
};

// A float32 d, 256 signed bytes, 16 sums of them that are passed over.
struct Q8_K {
    static constexpr int elementCount = 256, byteCount = 292;
    using Value = float;
    static __device__ float value(const Byte *block, int i) {
        return __uint_as_float(word32(block, 0)) * static_cast<float>(signed_byte(block, 4 + i));
    }
};

// Float32 holds every other type exactly, and float64 what float32 holds; only float64 and int32 are rounded to it, and
// 16-bit results from it.
template <typename Element, typename Value> __device__ __forceinline__ Element converted(Value value) {
    if constexpr (std::is_same_v<Element, double> || std::is_same_v<Element, float>) {
        return static_cast<Element>(value);
    } else {
        return from_float<Element>(static_cast<float>(value));
    }
}

// Plain elements, one after the other, in vectors.
template <typename Stored, typename Element, int vectorWidth> struct Cast {
    static constexpr int width = vectorWidth;
    using Bits = typename Stored::Bits;
    Matrix<const Bits> stored;
    Matrix<Element> result;

    using Loaded = Vector<Bits, width>;

    __device__ __forceinline__ Loaded load(Place place) const { return Loaded::load(place.in(stored)); }

    __device__ __forceinline__ void store(Place place, const Loaded &loaded) const {
        Vector<Element, width> values;
        for (int i = 0; i < width; ++i) values.elements[i] = converted<Element>(Stored::value(loaded.elements[i]));
        values.store(place.in(result));
    }
};

// An element of a block.
template <typename Stored, typename Element> struct Decode {
    static constexpr int width = 1;
    const Byte *blocks;
    Matrix<Element> result;

    using Loaded = typename Stored::Value;

    __device__ __forceinline__ Loaded load(Place place) const {
        const std::int64_t number = place.row * result.columns + place.column;
        const Byte *block = blocks + number / Stored::elementCount * Stored::byteCount;
        return Stored::value(block, static_cast<int>(number % Stored::elementCount));
    }

    __device__ __forceinline__ void store(Place place, Loaded value) const {
        *place.in(result) = converted<Element>(value);
    }
};

template <typename Stored, typename Element, typename = void> struct Decoding {
    static void run(Queue &queue, const void *stored, ck_tensor result) {
        walk(queue, result.rows, result.columns,
             Decode<Stored, Element>{static_cast<const Byte *>(stored), matrix<Element>(result)});
    }
};

template <typename Stored, typename Element> struct Decoding<Stored, Element, std::void_t<typename Stored::Bits>> {
    static void run(Queue &queue, const void *stored, ck_tensor result) {
        using Bits = typename Stored::Bits;
        constexpr int width = vectorWidth<std::conditional_t<(sizeof(Bits) < sizeof(Element)), Bits, Element>>;
        // Rows of an odd width that follow each other are one.
        if (is_contiguous(result)) {
            const std::int64_t count = result.rows * result.columns;
            result = {result.address, 1, count, count, result.type};
        }
        const ck_tensor source{reinterpret_cast<std::uint64_t>(stored), result.rows, result.columns, result.columns, 0};
        const Matrix<const Bits> bits = matrix<const Bits>(source);
        const Matrix<Element> elements = matrix<Element>(result);
        const bool isInVectors =
            has_vectors(source, width, sizeof(Bits)) && has_vectors(result, width, sizeof(Element));
        const std::int64_t columns = isInVectors ? result.columns / width * width : 0;
        if (columns > 0) walk(queue, result.rows, columns, Cast<Stored, Element, width>{bits, elements});
        if (columns == result.columns) return;
        const Cast<Stored, Element, 1> rest{
            {bits.elements + columns, bits.rows, bits.columns - columns, bits.leading},
            {elements.elements + columns, elements.rows, elements.columns - columns, elements.leading}};
        walk(queue, result.rows, result.columns - columns, rest);
    }
};

// Calls `body(Type<Q8_0>{})` for the stored type.
template <typename Body> void with_stored_type(std::int32_t type, Body &&body) {
    switch (type) {
    case CK_FLOAT64:
        return body(Type<Float64>{});
    case CK_FLOAT32:
        return body(Type<Float32>{});
    case CK_FLOAT16:
        return body(Type<Float16>{});
    case CK_BFLOAT16:
        return body(Type<BFloat16>{});
    case CK_INT32:
        return body(Type<Int32>{});
    case CK_Q4_0:
        return body(Type<Q4_0>{});
    case CK_Q4_1:
        return body(Type<Q4_1>{});
    case CK_Q5_0:
        return body(Type<Q5_0>{});
    case CK_Q5_1:
        return body(Type<Q5_1>{});
    case CK_Q8_0:
        return body(Type<Q8_0>{});
    case CK_IQ4_NL:
        return body(Type<IQ4_NL>{});
    case CK_Q2_K:
        return body(Type<Q2_K>{});
    case CK_Q3_K:
        return body(Type<Q3_K>{});
    case CK_Q4_K:
        return body(Type<Q4_K>{});
    case CK_Q5_K:
        return body(Type<Q5_K>{});
    case CK_Q6_K:
        return body(Type<Q6_K>{});
    case CK_Q8_K:
        return body(Type<Q8_K>{});
    default:
        throw Failure{CK_DEVICE_FAILED, "decode: element type " + std::to_string(type) + " is not known"};
    }
}

} // namespace

void decode(Queue &queue, const void *bytes, std::int64_t byteCount, std::int32_t type, ck_tensor result) {
    if (result.rows == 0 || result.columns == 0) return;
    const Scratch stored(queue, bytes, byteCount);
    with_stored_type(type, [&](auto storedType) {
        using Stored = typename decltype(storedType)::type;
        const auto run = [&](auto element) {
            using Element = typename decltype(element)::type;
            Decoding<Stored, Element>::run(queue, stored.as<const void>(), result);
        };
        if (result.type == CK_FLOAT64) {
            run(Type<double>{});
        } else {
            with_activation_type(result.type, run);
        }
    });
}

} // namespace straightedge
