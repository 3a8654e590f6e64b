#include "tensor_core.h"

#include "include/cuda_bf16.h"
#include "include/cuda_fp16.h"

#include <cstring>

namespace emulation {

namespace {

constexpr unsigned lanesPerWarp = 32;
constexpr unsigned wholeWarp = 0xffffffffu;

constexpr char mmaBf16[] = "mma.sync.m16n8k16.bf16";
constexpr char mmaF16[] = "mma.sync.m16n8k16.f16";
constexpr char mmaTf32[] = "mma.sync.m16n8k8.tf32";
constexpr char ldmatrixNames[2][3][32] = {{"ldmatrix.x1", "ldmatrix.x2", "ldmatrix.x4"},
                                          {"ldmatrix.x1.trans", "ldmatrix.x2.trans", "ldmatrix.x4.trans"}};

struct Mma {
    float *sums;
    const std::uint32_t *a, *b;
};

const Mma &mma_of(void *operand) { return *static_cast<const Mma *>(operand); }

// Adds the products to the sums one by one, in ascending k, each rounded to float32: one of the orders that a tensor
// core, whose own is not documented, may have.
template <unsigned depth>
void add_products(WarpOperands lanes, const float (&A)[16][depth], const float (&B)[depth][8]) {
    for (unsigned lane = 0; lane < lanesPerWarp; ++lane) {
        const unsigned group = lane / 4, member = lane % 4;
        for (unsigned element = 0; element < 4; ++element) {
            const unsigned row = group + 8 * (element / 2), column = 2 * member + element % 2;
            float sum = mma_of(lanes[lane]).sums[element];
            for (unsigned k = 0; k < depth; ++k) sum += A[row][k] * B[k][column];
            mma_of(lanes[lane]).sums[element] = sum;
        }
    }
}

template <typename Value> void combine_halves(WarpOperands lanes, Value value) {
    float A[16][16], B[16][8];
    for (unsigned lane = 0; lane < lanesPerWarp; ++lane) {
        const unsigned group = lane / 4, member = lane % 4;
        const Mma &mma = mma_of(lanes[lane]);
        for (unsigned half = 0; half < 2; ++half) {
            for (unsigned place = 0; place < 4; ++place)
                A[group + 8 * (place % 2)][2 * member + 8 * (place / 2) + half] =
                    value(std::uint16_t(mma.a[place] >> (16 * half)));
            for (unsigned place = 0; place < 2; ++place)
                B[2 * member + 8 * place + half][group] = value(std::uint16_t(mma.b[place] >> (16 * half)));
        }
    }
    add_products(lanes, A, B);
}

void combine_bf16(WarpOperands lanes) { combine_halves(lanes, bfloat16_value); }
void combine_f16(WarpOperands lanes) { combine_halves(lanes, half_value); }

// Of a tf32 operand the low 13 bits are not read.
float tf32_value(std::uint32_t bits) {
    bits &= 0xffffe000u;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

void combine_tf32(WarpOperands lanes) {
    float A[16][8], B[8][8];
    for (unsigned lane = 0; lane < lanesPerWarp; ++lane) {
        const unsigned group = lane / 4, member = lane % 4;
        const Mma &mma = mma_of(lanes[lane]);
        for (unsigned place = 0; place < 4; ++place)
            A[group + 8 * (place % 2)][member + 4 * (place / 2)] = tf32_value(mma.a[place]);
        for (unsigned place = 0; place < 2; ++place) B[member + 4 * place][group] = tf32_value(mma.b[place]);
    }
    add_products(lanes, A, B);
}

void multiply(const char *name, float *sums, const std::uint32_t *a, const std::uint32_t *b,
              void (*combine)(WarpOperands lanes)) {
    Mma mma{sums, a, b};
    warp_collective(name, wholeWarp, &mma, combine, Returned::are_missed);
}

struct Load {
    std::uint32_t *matrices;
    unsigned count;
    const void *row;
    bool isTransposed;
};

void combine_loads(WarpOperands lanes) {
    const auto load_of = [&](unsigned lane) -> const Load & { return *static_cast<const Load *>(lanes[lane]); };
    const unsigned count = load_of(0).count;
    const bool isTransposed = load_of(0).isTransposed;
    for (unsigned matrix = 0; matrix < count; ++matrix) {
        std::uint16_t elements[8][8];
        for (unsigned row = 0; row < 8; ++row) {
            const void *address = load_of(8 * matrix + row).row;
            if (reinterpret_cast<std::uintptr_t>(address) % 16 != 0)
                fail_lane("ldmatrix: lane %u of the warp gives %p, which is not aligned to 16 bytes", 8 * matrix + row,
                          address);
            if (!is_shared_memory(address, 16))
                fail_lane("ldmatrix: lane %u of the warp gives %p, which is not shared memory", 8 * matrix + row,
                          address);
            std::memcpy(elements[row], address, sizeof elements[row]);
        }
        for (unsigned lane = 0; lane < lanesPerWarp; ++lane) {
            const unsigned row = lane / 4, column = 2 * (lane % 4);
            const std::uint16_t low = isTransposed ? elements[column][row] : elements[row][column];
            const std::uint16_t high = isTransposed ? elements[column + 1][row] : elements[row][column + 1];
            load_of(lane).matrices[matrix] = low | std::uint32_t(high) << 16;
        }
    }
}

} // namespace

void mma_m16n8k16_bf16(float (&sums)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
    multiply(mmaBf16, sums, a, b, combine_bf16);
}

void mma_m16n8k16_f16(float (&sums)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
    multiply(mmaF16, sums, a, b, combine_f16);
}

void mma_m16n8k8_tf32(float (&sums)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
    multiply(mmaTf32, sums, a, b, combine_tf32);
}

std::uint32_t float_to_tf32(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7f800000u) == 0x7f800000u) return (bits & 0x7fffffu) != 0 ? 0x7fffffffu : bits;
    return (bits + 0x1000u) & 0xffffe000u; // magnitudes grow with their bits: half away from zero
}

void ldmatrix(std::uint32_t *matrices, unsigned count, const void *row, bool isTransposed) {
    Load load{matrices, count, row, isTransposed};
    warp_collective(ldmatrixNames[isTransposed][count / 2], wholeWarp, &load, combine_loads, Returned::are_missed);
}

} // namespace emulation
