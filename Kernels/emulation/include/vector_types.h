// CUDA's short vectors and dim3.
#pragma once

#define STRAIGHTEDGE_VECTOR2(Name, Element, alignment)                                                                 \
    struct alignas(alignment) Name {                                                                                   \
        Element x, y;                                                                                                  \
    };                                                                                                                 \
    inline Name make_##Name(Element x, Element y) { return Name{x, y}; }
#define STRAIGHTEDGE_VECTOR3(Name, Element)                                                                            \
    struct Name {                                                                                                      \
        Element x, y, z;                                                                                               \
    };                                                                                                                 \
    inline Name make_##Name(Element x, Element y, Element z) { return Name{x, y, z}; }
#define STRAIGHTEDGE_VECTOR4(Name, Element, alignment)                                                                 \
    struct alignas(alignment) Name {                                                                                   \
        Element x, y, z, w;                                                                                            \
    };                                                                                                                 \
    inline Name make_##Name(Element x, Element y, Element z, Element w) { return Name{x, y, z, w}; }

STRAIGHTEDGE_VECTOR2(char2, signed char, 2)
STRAIGHTEDGE_VECTOR2(uchar2, unsigned char, 2)
STRAIGHTEDGE_VECTOR2(short2, short, 4)
STRAIGHTEDGE_VECTOR2(ushort2, unsigned short, 4)
STRAIGHTEDGE_VECTOR2(int2, int, 8)
STRAIGHTEDGE_VECTOR2(uint2, unsigned, 8)
STRAIGHTEDGE_VECTOR2(longlong2, long long, 16)
STRAIGHTEDGE_VECTOR2(ulonglong2, unsigned long long, 16)
STRAIGHTEDGE_VECTOR2(float2, float, 8)
STRAIGHTEDGE_VECTOR2(double2, double, 16)
STRAIGHTEDGE_VECTOR3(int3, int)
STRAIGHTEDGE_VECTOR3(uint3, unsigned)
STRAIGHTEDGE_VECTOR3(float3, float)
STRAIGHTEDGE_VECTOR3(double3, double)
STRAIGHTEDGE_VECTOR4(char4, signed char, 4)
STRAIGHTEDGE_VECTOR4(uchar4, unsigned char, 4)
STRAIGHTEDGE_VECTOR4(short4, short, 8)
STRAIGHTEDGE_VECTOR4(ushort4, unsigned short, 8)
STRAIGHTEDGE_VECTOR4(int4, int, 16)
STRAIGHTEDGE_VECTOR4(uint4, unsigned, 16)
STRAIGHTEDGE_VECTOR4(float4, float, 16)

#undef STRAIGHTEDGE_VECTOR2
#undef STRAIGHTEDGE_VECTOR3
#undef STRAIGHTEDGE_VECTOR4

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
    constexpr dim3(uint3 extent) : x(extent.x), y(extent.y), z(extent.z) {}
};
