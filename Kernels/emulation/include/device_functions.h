// What device code may call: built-in variables, barriers, warp shuffles and votes, atomics, arithmetic.
#pragma once

#include "../lane.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <math.h>

#define threadIdx (emulation::current_lane->thread)
#define blockIdx (emulation::current_lane->block)
#define blockDim (emulation::current_lane->blockSize)
#define gridDim (emulation::current_lane->gridSize)
constexpr int warpSize = 32;

// Barriers.

inline void __syncthreads() { emulation::block_barrier(emulation::BlockBarrier::plain, 0); }
inline int __syncthreads_or(int predicate) { return emulation::block_barrier(emulation::BlockBarrier::any, predicate); }
inline int __syncthreads_and(int predicate) {
    return emulation::block_barrier(emulation::BlockBarrier::all, predicate);
}
inline int __syncthreads_count(int predicate) {
    return emulation::block_barrier(emulation::BlockBarrier::count, predicate);
}

namespace emulation {
// One object each, so that a collective is known by its name's address in every file.
namespace names {
inline constexpr char syncwarp[] = "__syncwarp";
inline constexpr char shuffle[] = "__shfl_sync";
inline constexpr char shuffle_xor[] = "__shfl_xor_sync";
inline constexpr char shuffle_down[] = "__shfl_down_sync";
inline constexpr char shuffle_up[] = "__shfl_up_sync";
inline constexpr char ballot[] = "__ballot_sync";
inline constexpr char any[] = "__any_sync";
inline constexpr char all[] = "__all_sync";
} // namespace names

struct Shuffle {
    std::uint64_t bits;
    unsigned source;
    std::uint64_t result;
};
void combine_shuffles(WarpOperands operands);

// The lane takes the value of lane `source` of its warp, itself where `source` is not in its segment.
template <typename T> T shuffle(const char *name, unsigned mask, T value, unsigned source) {
    static_assert(sizeof(T) <= sizeof(std::uint64_t), "shuffles move at most 8 bytes");
    Shuffle operand{0, source, 0};
    std::memcpy(&operand.bits, &value, sizeof(T));
    warp_collective(name, mask, &operand, combine_shuffles, Returned::are_missed);
    std::memcpy(&value, &operand.result, sizeof(T));
    return value;
}

struct Vote {
    bool predicate;
    unsigned ballot;
};
void combine_votes(WarpOperands operands);

inline unsigned vote(const char *name, unsigned mask, bool predicate) {
    Vote operand{predicate, 0};
    warp_collective(name, mask, &operand, combine_votes, Returned::are_left_out);
    return operand.ballot;
}
} // namespace emulation

inline void __syncwarp(unsigned mask = 0xffffffffu) {
    emulation::warp_collective(emulation::names::syncwarp, mask, nullptr, nullptr, emulation::Returned::are_left_out);
}

// Shuffles.

template <typename T> T __shfl_sync(unsigned mask, T value, int source, int width = warpSize) {
    const unsigned lane = emulation::lane_in_warp(), segment = lane & ~unsigned(width - 1);
    return emulation::shuffle(emulation::names::shuffle, mask, value,
                              segment + (unsigned(source) & unsigned(width - 1)));
}
template <typename T> T __shfl_xor_sync(unsigned mask, T value, int laneMask, int width = warpSize) {
    const unsigned lane = emulation::lane_in_warp(), source = lane ^ unsigned(laneMask);
    const unsigned end = (lane & ~unsigned(width - 1)) + unsigned(width);
    return emulation::shuffle(emulation::names::shuffle_xor, mask, value, source < end ? source : lane);
}
template <typename T> T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = warpSize) {
    const unsigned lane = emulation::lane_in_warp(), source = lane + delta;
    const unsigned end = (lane & ~unsigned(width - 1)) + unsigned(width);
    return emulation::shuffle(emulation::names::shuffle_down, mask, value, source < end ? source : lane);
}
template <typename T> T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = warpSize) {
    const unsigned lane = emulation::lane_in_warp(), segment = lane & ~unsigned(width - 1);
    return emulation::shuffle(emulation::names::shuffle_up, mask, value, lane >= segment + delta ? lane - delta : lane);
}

// Votes.

inline unsigned __ballot_sync(unsigned mask, int predicate) {
    return emulation::vote(emulation::names::ballot, mask, predicate != 0);
}
inline int __any_sync(unsigned mask, int predicate) {
    return emulation::vote(emulation::names::any, mask, predicate != 0) != 0;
}
inline int __all_sync(unsigned mask, int predicate) {
    return emulation::vote(emulation::names::all, mask, predicate == 0) == 0;
}

// Atomics. Blocks run on several OS threads, so these are the processor's own.

namespace emulation {
template <typename T, typename Change> T change_atomically(T *address, Change change) {
    T old, wanted;
    __atomic_load(address, &old, __ATOMIC_RELAXED);
    do {
        wanted = change(old);
    } while (!__atomic_compare_exchange(address, &old, &wanted, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return old;
}
} // namespace emulation

inline int atomicAdd(int *address, int value) { return __atomic_fetch_add(address, value, __ATOMIC_RELAXED); }
inline unsigned atomicAdd(unsigned *address, unsigned value) {
    return __atomic_fetch_add(address, value, __ATOMIC_RELAXED);
}
inline unsigned long long atomicAdd(unsigned long long *address, unsigned long long value) {
    return __atomic_fetch_add(address, value, __ATOMIC_RELAXED);
}
inline float atomicAdd(float *address, float value) {
    return emulation::change_atomically(address, [value](float old) { return old + value; });
}
inline double atomicAdd(double *address, double value) {
    return emulation::change_atomically(address, [value](double old) { return old + value; });
}

#define STRAIGHTEDGE_INTEGER_ATOMICS(T)                                                                                \
    inline T atomicMax(T *address, T value) {                                                                          \
        return emulation::change_atomically(address, [value](T old) { return old < value ? value : old; });            \
    }                                                                                                                  \
    inline T atomicMin(T *address, T value) {                                                                          \
        return emulation::change_atomically(address, [value](T old) { return value < old ? value : old; });            \
    }                                                                                                                  \
    inline T atomicExch(T *address, T value) { return __atomic_exchange_n(address, value, __ATOMIC_RELAXED); }         \
    inline T atomicCAS(T *address, T compare, T value) {                                                               \
        __atomic_compare_exchange_n(address, &compare, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);              \
        return compare;                                                                                                \
    }
STRAIGHTEDGE_INTEGER_ATOMICS(int)
STRAIGHTEDGE_INTEGER_ATOMICS(unsigned)
STRAIGHTEDGE_INTEGER_ATOMICS(unsigned long long)
#undef STRAIGHTEDGE_INTEGER_ATOMICS

inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __threadfence_block() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

// Memory.

template <typename T> T __ldg(const T *address) { return *address; }
template <typename T> void __stwb(T *address, T value) { *address = value; }

// Arithmetic. CUDA's approximate functions stand as the exact ones: results differ in the last places, as between GPUs.

inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __sinf(float x) { return std::sin(x); }
inline float __cosf(float x) { return std::cos(x); }
inline float __powf(float x, float y) { return std::pow(x, y); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fsqrt_rn(float x) { return std::sqrt(x); }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __fdiv_rn(float x, float y) { return x / y; }
inline float __fmaf_rn(float x, float y, float z) { return std::fma(x, y, z); }
inline double __dadd_rn(double x, double y) { return x + y; }
inline double __dmul_rn(double x, double y) { return x * y; }
inline double __fma_rn(double x, double y, double z) { return std::fma(x, y, z); }

#define STRAIGHTEDGE_INTEGER_MINMAX(T)                                                                                 \
    constexpr T min(T a, T b) { return b < a ? b : a; }                                                                \
    constexpr T max(T a, T b) { return a < b ? b : a; }
STRAIGHTEDGE_INTEGER_MINMAX(int)
STRAIGHTEDGE_INTEGER_MINMAX(unsigned)
STRAIGHTEDGE_INTEGER_MINMAX(long)
STRAIGHTEDGE_INTEGER_MINMAX(unsigned long)
STRAIGHTEDGE_INTEGER_MINMAX(long long)
STRAIGHTEDGE_INTEGER_MINMAX(unsigned long long)
#undef STRAIGHTEDGE_INTEGER_MINMAX
inline float min(float a, float b) { return std::fmin(a, b); }
inline float max(float a, float b) { return std::fmax(a, b); }
inline double min(double a, double b) { return std::fmin(a, b); }
inline double max(double a, double b) { return std::fmax(a, b); }

inline unsigned __umulhi(unsigned x, unsigned y) { return unsigned(std::uint64_t(x) * y >> 32); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(unsigned(x)); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline unsigned __brev(unsigned x) {
    unsigned reversed = 0;
    for (int bit = 0; bit < 32; ++bit) reversed |= (x >> bit & 1u) << (31 - bit);
    return reversed;
}

// Bits.

namespace emulation {
template <typename To, typename From> To bit_cast(From from) {
    static_assert(sizeof(To) == sizeof(From), "bit_cast keeps the size");
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}
} // namespace emulation

inline int __float_as_int(float x) { return emulation::bit_cast<int>(x); }
inline unsigned __float_as_uint(float x) { return emulation::bit_cast<unsigned>(x); }
inline float __int_as_float(int x) { return emulation::bit_cast<float>(x); }
inline float __uint_as_float(unsigned x) { return emulation::bit_cast<float>(x); }
inline long long __double_as_longlong(double x) { return emulation::bit_cast<long long>(x); }
inline double __longlong_as_double(long long x) { return emulation::bit_cast<double>(x); }
