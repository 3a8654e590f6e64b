// Tensor-core products, ldmatrix and cp.async against plain products.
#include "check.h"
#include "tensor_core.h"

#include <cstring>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace {

__device__ std::uint32_t pack(unsigned short low, unsigned short high) {
    return static_cast<std::uint32_t>(low) | static_cast<std::uint32_t>(high) << 16;
}

// C (16 x 8) += A (16 x 16) B (16 x 8), all row-major in device memory, each lane loading its own elements.
template <bool isBf16>
__global__ void multiply_from_registers(const unsigned short *A, const unsigned short *B, float *C) {
    const unsigned group = threadIdx.x / 4, member = threadIdx.x % 4;
    std::uint32_t a[4], b[2];
    float sums[4];
    for (unsigned place = 0; place < 4; ++place) {
        const unsigned short *pair = A + (group + 8 * (place % 2)) * 16 + 2 * member + 8 * (place / 2);
        a[place] = pack(pair[0], pair[1]);
        sums[place] = C[(group + 8 * (place / 2)) * 8 + 2 * member + place % 2];
    }
    for (unsigned place = 0; place < 2; ++place) {
        const unsigned short *pair = B + (2 * member + 8 * place) * 8 + group;
        b[place] = pack(pair[0], pair[8]);
    }
    if (isBf16)
        mma_m16n8k16_bf16(sums, a, b);
    else
        mma_m16n8k16_f16(sums, a, b);
    for (unsigned place = 0; place < 4; ++place)
        C[(group + 8 * (place / 2)) * 8 + 2 * member + place % 2] = sums[place];
}

template <bool isRounded> __device__ std::uint32_t tf32(float value) {
    return isRounded ? float_to_tf32(value) : __float_as_uint(value);
}

// The same in tf32: A (16 x 8), B (8 x 8).
template <bool isRounded> __global__ void multiply_tf32(const float *A, const float *B, float *C) {
    const unsigned group = threadIdx.x / 4, member = threadIdx.x % 4;
    std::uint32_t a[4], b[2];
    float sums[4];
    for (unsigned place = 0; place < 4; ++place) {
        a[place] = tf32<isRounded>(A[(group + 8 * (place % 2)) * 8 + member + 4 * (place / 2)]);
        sums[place] = C[(group + 8 * (place / 2)) * 8 + 2 * member + place % 2];
    }
    for (unsigned place = 0; place < 2; ++place) b[place] = tf32<isRounded>(B[(member + 4 * place) * 8 + group]);
    mma_m16n8k8_tf32(sums, a, b);
    for (unsigned place = 0; place < 4; ++place)
        C[(group + 8 * (place / 2)) * 8 + 2 * member + place % 2] = sums[place];
}

// What a kernel does: cp.async to shared memory, ldmatrix to registers, mma. C (16 x 8) = A (16 x 16) B (16 x 8), B
// row-major and so read transposed.
template <bool waits>
__global__ void multiply_through_shared_memory(const __nv_bfloat16 *A, const __nv_bfloat16 *B, float *C) {
    __shared__ __align__(16) __nv_bfloat16 tileA[16][16];
    __shared__ __align__(16) __nv_bfloat16 tileB[16][8];
    const unsigned lane = threadIdx.x;
    copy_async<16>(&tileA[lane / 2][8 * (lane % 2)], A + 8 * lane);
    copy_async_commit_group();
    if (lane < 16) copy_async<16>(&tileB[lane][0], B + 8 * lane);
    copy_async_commit_group();
    if (waits) {
        copy_async_wait_group<0>();
    } else {
        copy_async_wait_group<1>(); // wrong: B's group may still be under way
    }
    __syncwarp();
    std::uint32_t a[4], b[2];
    ldmatrix_x4(a, &tileA[lane % 16][8 * (lane / 16)]);
    ldmatrix_x2_transposed(b, &tileB[lane % 16][0]);
    float sums[4] = {0, 0, 0, 0};
    mma_m16n8k16_bf16(sums, a, b);
    for (unsigned place = 0; place < 4; ++place)
        C[(lane / 4 + 8 * (place / 2)) * 8 + 2 * (lane % 4) + place % 2] = sums[place];
}

template <typename T> std::vector<unsigned short> bits_of(const std::vector<T> &values) {
    std::vector<unsigned short> bits(values.size());
    std::memcpy(bits.data(), static_cast<const void *>(values.data()), values.size() * sizeof(T));
    return bits;
}

// C + A B in double, row-major. Sums of 17 products of multiples of 1/128 are exact in float32.
double plain_element(const std::vector<float> &A, const std::vector<float> &B, const std::vector<float> &C,
                     std::size_t row, std::size_t column, std::size_t depth) {
    double sum = static_cast<double>(C[row * 8 + column]);
    for (std::size_t k = 0; k < depth; ++k)
        sum += static_cast<double>(A[row * depth + k]) * static_cast<double>(B[k * 8 + column]);
    return sum;
}

void check_product(const std::vector<float> &got, const std::vector<float> &A, const std::vector<float> &B,
                   const std::vector<float> &C, std::size_t depth) {
    for (std::size_t row = 0; row < 16; ++row)
        for (std::size_t column = 0; column < 8; ++column)
            CHECK(static_cast<double>(got[row * 8 + column]) == plain_element(A, B, C, row, column, depth));
}

} // namespace

TEST(mma_of_16_bit_operands_gives_the_plain_product) {
    const std::vector<float> A = numbers<float>(1, 256), B = numbers<float>(2, 128), C = numbers<float>(3, 128);
    for (const bool isBf16 : {true, false}) {
        DeviceArray<unsigned short> a(isBf16 ? bits_of(numbers<__nv_bfloat16>(1, 256))
                                             : bits_of(numbers<__half>(1, 256)));
        DeviceArray<unsigned short> b(isBf16 ? bits_of(numbers<__nv_bfloat16>(2, 128))
                                             : bits_of(numbers<__half>(2, 128)));
        DeviceArray<float> c(C);
        CHECK(launch(isBf16 ? multiply_from_registers<true> : multiply_from_registers<false>, 1, 32, 0, nullptr, a, b,
                     c) == cudaSuccess);
        check_product(c.read(), A, B, C, 16);
    }
}

TEST(mma_of_tf32_operands_gives_the_plain_product) {
    const std::vector<float> A = numbers<float>(1, 128), B = numbers<float>(2, 64), C = numbers<float>(3, 128);
    DeviceArray<float> a(A), b(B), c(C);
    CHECK(launch(multiply_tf32<true>, 1, 32, 0, nullptr, a, b, c) == cudaSuccess);
    check_product(c.read(), A, B, C, 8);
}

// To 10 bits of fraction, ties away from zero; what is not rounded is cut off.
TEST(tf32_operands_are_rounded_on_request_and_cut_off_otherwise) {
    const struct {
        float given, rounded, cut;
    } cases[] = {{1 + 0x1p-11f, 1 + 0x1p-10f, 1},
                 {1 + 0x1p-11f - 0x1p-23f, 1, 1},
                 {-1 - 0x3p-11f, -1 - 0x1p-9f, -1 - 0x1p-10f},
                 {3 - 0x1p-22f, 3, 3 - 0x1p-9f}};
    for (const auto &number : cases)
        for (const bool isRounded : {true, false}) {
            std::vector<float> A(128, 0.0f), B(64, 0.0f);
            A[3 * 8 + 5] = number.given;
            B[5 * 8 + 2] = 1;
            DeviceArray<float> a(A), b(B), c(std::vector<float>(128, 0.0f));
            CHECK(launch(isRounded ? multiply_tf32<true> : multiply_tf32<false>, 1, 32, 0, nullptr, a, b, c) ==
                  cudaSuccess);
            CHECK(c.read()[3 * 8 + 2] == (isRounded ? number.rounded : number.cut));
        }
}

TEST(a_tile_through_shared_memory_gives_the_plain_product) {
    const std::vector<float> A = numbers<float>(1, 256), B = numbers<float>(2, 128), zero(128, 0.0f);
    DeviceArray<__nv_bfloat16> a(numbers<__nv_bfloat16>(1, 256)), b(numbers<__nv_bfloat16>(2, 128));
    const auto results = under_every_order<float>([&] {
        DeviceArray<float> c(128);
        CHECK(launch(multiply_through_shared_memory<true>, 1, 32, 0, nullptr, a, b, c) == cudaSuccess);
        return c.read();
    });
    CHECK(all_equal(results));
    check_product(results[0], A, B, zero, 16);
    // Without the wait the tile of B is what shared memory held: no numbers.
    DeviceArray<float> c(128);
    CHECK(launch(multiply_through_shared_memory<false>, 1, 32, 0, nullptr, a, b, c) == cudaSuccess);
    for (const float sum : c.read()) CHECK(sum != sum);
}

namespace {

// Lane l's registers of each form of ldmatrix, from a tile that holds its own places: 14 results a lane.
__global__ void load_matrices(std::uint32_t *results) {
    __shared__ __align__(16) unsigned short tile[32][8];
    const unsigned lane = threadIdx.x;
    for (unsigned column = 0; column < 8; ++column) tile[lane][column] = static_cast<unsigned short>(lane * 8 + column);
    __syncwarp();
    std::uint32_t one[1], two[2], four[4];
    std::uint32_t *own = results + lane * 14;
    // Only the first 8 or 16 lanes' addresses count; the others may give any.
    ldmatrix_x1(one, &tile[lane % 8][0]);
    ldmatrix_x2(two, &tile[lane % 16][0]);
    ldmatrix_x4(four, &tile[lane][0]);
    own[0] = one[0];
    own[1] = two[0];
    own[2] = two[1];
    for (unsigned matrix = 0; matrix < 4; ++matrix) own[3 + matrix] = four[matrix];
    ldmatrix_x1_transposed(one, &tile[lane % 8][0]);
    ldmatrix_x2_transposed(two, &tile[lane % 16][0]);
    ldmatrix_x4_transposed(four, &tile[lane][0]);
    own[7] = one[0];
    own[8] = two[0];
    own[9] = two[1];
    for (unsigned matrix = 0; matrix < 4; ++matrix) own[10 + matrix] = four[matrix];
}

// 4, 8 and 16 bytes to a lane, whole and cut short, in three groups of which the first two are awaited first.
__global__ void copy_pieces(const unsigned *source, unsigned *target, unsigned *halfway) {
    __shared__ __align__(16) unsigned tile[3][32 * 4];
    const unsigned lane = threadIdx.x;
    for (unsigned place = 0; place < 4; ++place)
        for (unsigned row = 0; row < 3; ++row) tile[row][lane * 4 + place] = 99;
    copy_async<4>(&tile[0][lane * 4], source + lane * 4);
    copy_async<4>(&tile[0][lane * 4 + 1], source + lane * 4 + 1, 0);
    copy_async_commit_group();
    copy_async<8>(&tile[1][lane * 4], source + lane * 4, 8);
    copy_async<8>(&tile[1][lane * 4 + 2], source + lane * 4 + 2, 4);
    copy_async_commit_group();
    copy_async<16>(&tile[2][lane * 4], source + lane * 4, lane % 2 == 0 ? 16 : 8);
    copy_async_commit_group();
    copy_async_wait_group<1>();
    for (unsigned place = 0; place < 4; ++place) halfway[lane * 4 + place] = tile[1][lane * 4 + place];
    copy_async_wait_group<0>();
    for (unsigned row = 0; row < 3; ++row)
        for (unsigned place = 0; place < 4; ++place) target[row * 128 + lane * 4 + place] = tile[row][lane * 4 + place];
}

} // namespace

TEST(ldmatrix_gives_each_lane_its_two_elements) {
    DeviceArray<std::uint32_t> results(32 * 14);
    CHECK(launch(load_matrices, 1, 32, 0, nullptr, results) == cudaSuccess);
    const std::vector<std::uint32_t> all = results.read();
    const auto element = [](unsigned matrix, unsigned row, unsigned column) { return (matrix * 8 + row) * 8 + column; };
    for (unsigned lane = 0; lane < 32; ++lane) {
        const unsigned row = lane / 4, column = 2 * (lane % 4);
        const unsigned matrices[] = {0, 0, 1, 0, 1, 2, 3};
        for (unsigned place = 0; place < 7; ++place) {
            const unsigned matrix = matrices[place];
            CHECK(all[lane * 14 + place] == (element(matrix, row, column) | element(matrix, row, column + 1) << 16));
            CHECK(all[lane * 14 + 7 + place] ==
                  (element(matrix, column, row) | element(matrix, column + 1, row) << 16));
        }
    }
}

TEST(asynchronous_copies_fill_the_rest_with_zeros) {
    std::vector<unsigned> numbersToCopy(128);
    for (unsigned place = 0; place < 128; ++place) numbersToCopy[place] = 1000 + place;
    DeviceArray<unsigned> source(numbersToCopy), target(3 * 128), halfway(128);
    CHECK(launch(copy_pieces, 1, 32, 0, nullptr, source, target, halfway) == cudaSuccess);
    const std::vector<unsigned> all = target.read(), early = halfway.read();
    for (unsigned lane = 0; lane < 32; ++lane) {
        const unsigned first = 1000 + 4 * lane;
        const unsigned *row = all.data() + 4 * lane;
        CHECK(row[0] == first && row[1] == 0 && row[2] == 99 && row[3] == 99);
        CHECK(row[128] == first && row[129] == first + 1 && row[130] == first + 2 && row[131] == 0);
        const bool isWhole = lane % 2 == 0;
        CHECK(row[256] == first && row[257] == first + 1 && row[258] == (isWhole ? first + 2 : 0) &&
              row[259] == (isWhole ? first + 3 : 0));
        CHECK(std::memcmp(early.data() + 4 * lane, row + 128, 16) == 0);
    }
}

namespace {

__global__ void load_misaligned(const unsigned short *) {
    __shared__ __align__(16) unsigned short tile[8 * 8 + 8];
    std::uint32_t one[1];
    ldmatrix_x1(one, tile + 8 * (threadIdx.x % 8) + (threadIdx.x == 5 ? 4 : 0));
}
__global__ void load_from_global_memory(const unsigned short *values) {
    std::uint32_t one[1];
    ldmatrix_x1(one, values + 8 * (threadIdx.x % 8));
}
__global__ void copy_misaligned(const unsigned short *values) {
    __shared__ __align__(16) unsigned short tile[64];
    copy_async<16>(tile, values + 4);
}
__global__ void multiply_in_half_a_warp(const unsigned short *) {
    const std::uint32_t a[4] = {0, 0, 0, 0}, b[2] = {0, 0};
    float sums[4] = {0, 0, 0, 0};
    if (threadIdx.x < 16) mma_m16n8k16_f16(sums, a, b);
}

} // namespace

TEST(wrong_tensor_core_operands_are_named) {
    const struct {
        void (*kernel)(const unsigned short *);
        const char *what;
    } wrong[] = {{load_misaligned, "ldmatrix: lane 5 of the warp gives"},
                 {load_from_global_memory, "which is not shared memory"},
                 {copy_misaligned, "which is not aligned to 16 bytes"},
                 {multiply_in_half_a_warp,
                  "waits in mma.sync.m16n8k16.f16 with mask 0xffffffff for lane 16, which has returned"}};
    for (const auto &kernel : wrong) {
        emulation_device()->reset();
        DeviceArray<unsigned short> values(std::vector<unsigned short>(128, 0));
        CHECK(launch(kernel.kernel, 1, 32, 0, nullptr, values) == cudaSuccess);
        CHECK(cudaDeviceSynchronize() == cudaErrorLaunchFailure);
        CHECK(message_has(kernel.what));
    }
}
