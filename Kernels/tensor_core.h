// Tensor cores and asynchronous copies: PTX on a GPU, its documented register layouts in the emulation.
//
// One warp multiplies small matrices whose elements its lanes hold in registers. With group = lane / 4 and member =
// lane % 4, the layouts of the PTX ISA's chapter on mma.m16n8k16 are:
//
//     A (16 x 16)  register r holds row group + 8 * (r % 2), columns 2 * member + 8 * (r / 2) and the next
//     B (16 x 8)   register r holds rows 2 * member + 8 * r and the next, column group
//     C (16 x 8)   element e is row group + 8 * (e / 2), column 2 * member + e % 2
//
// The element with the lower index lies in the lower half of its register. Every lane of the warp takes part in each of
// these functions but the copies.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#if defined(STRAIGHTEDGE_EMULATION)
#include "emulation/tensor_core.h"
#else
namespace tensor_core_detail {
__device__ __forceinline__ std::uint32_t shared_address(const void *shared) {
    return static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
}
} // namespace tensor_core_detail
#endif

// sums (16 x 8) += A (16 x 16) B (16 x 8), bfloat16 operands.
__device__ __forceinline__ void mma_m16n8k16_bf16(float (&sums)[4], const std::uint32_t (&a)[4],
                                                  const std::uint32_t (&b)[2]) {
#if defined(STRAIGHTEDGE_EMULATION)
    emulation::mma_m16n8k16_bf16(sums, a, b);
#else
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// sums (16 x 8) += A (16 x 16) B (16 x 8), float16 operands.
__device__ __forceinline__ void mma_m16n8k16_f16(float (&sums)[4], const std::uint32_t (&a)[4],
                                                 const std::uint32_t (&b)[2]) {
#if defined(STRAIGHTEDGE_EMULATION)
    emulation::mma_m16n8k16_f16(sums, a, b);
#else
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// sums (16 x 8) += A (16 x 8) B (8 x 8), tf32 operands: floats whose low 13 bits are not read; see float_to_tf32.
// Register r of A holds row group + 8 * (r % 2), column member + 4 * (r / 2); register r of B row member + 4 * r,
// column group.
__device__ __forceinline__ void mma_m16n8k8_tf32(float (&sums)[4], const std::uint32_t (&a)[4],
                                                 const std::uint32_t (&b)[2]) {
#if defined(STRAIGHTEDGE_EMULATION)
    emulation::mma_m16n8k8_tf32(sums, a, b);
#else
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// A float rounded to the nearest tf32, ties away from zero.
__device__ __forceinline__ std::uint32_t float_to_tf32(float value) {
#if defined(STRAIGHTEDGE_EMULATION)
    return emulation::float_to_tf32(value);
#else
    std::uint32_t bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
    return bits;
#endif
}

// Loads `count` 8 x 8 matrices of 16-bit elements from shared memory, one to a register: lane 8 * i + j gives the
// address of row j of matrix i, aligned to 16 bytes, and receives row lane / 4, columns 2 * (lane % 4) and the next. Of
// fewer than four matrices the other lanes' addresses are not read. `transposed` gives the transpose of each matrix.

__device__ __forceinline__ void ldmatrix_x1(std::uint32_t (&matrices)[1], const void *row) {
#if defined(STRAIGHTEDGE_EMULATION)
    emulation::ldmatrix(matrices, 1, row, false);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];"
                 : "=r"(matrices[0])
                 : "r"(tensor_core_detail::shared_address(row))
                 : "memory");
#endif
}

__device__ __forceinline__ void ldmatrix_x1_transposed(std::uint32_t (&matrices)[1], const void *row) {
#if defined(STRAIGHTEDGE_EMULATION)
    emulation::ldmatrix(matrices, 1, row, true);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];"
                 : "=r"(matrices[0])
                 : "r"(tensor_core_detail::shared_address(row))
                 : "memory");
#endif
}

__device__ __forceinline__ void ldmatrix_x2(std::uint32_t (&matrices)[2], const void *row) {
#if defined(STRAIGHTEDGE_EMULATION)
    emulation::ldmatrix(matrices, 2, row, false);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(matrices[0]), "=r"(matrices[1])
                 : "r"(tensor_core_detail::shared_address(row))
                 : "memory");
#endif
}

__device__ __forceinline__ void ldmatrix_x2_transposed(std::uint32_t (&matrices)[2], const void *row) {
#if defined(STRAIGHTEDGE_EMULATION)
    emulation::ldmatrix(matrices, 2, row, true);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(matrices[0]), "=r"(matrices[1])
                 : "r"(tensor_core_detail::shared_address(row))
                 : "memory");
#endif
}

__device__ __forceinline__ void ldmatrix_x4(std::uint32_t (&matrices)[4], const void *row) {
#if defined(STRAIGHTEDGE_EMULATION)
    emulation::ldmatrix(matrices, 4, row, false);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(matrices[0]), "=r"(matrices[1]), "=r"(matrices[2]), "=r"(matrices[3])
                 : "r"(tensor_core_detail::shared_address(row))
                 : "memory");
#endif
}

__device__ __forceinline__ void ldmatrix_x4_transposed(std::uint32_t (&matrices)[4], const void *row) {
#if defined(STRAIGHTEDGE_EMULATION)
    emulation::ldmatrix(matrices, 4, row, true);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(matrices[0]), "=r"(matrices[1]), "=r"(matrices[2]), "=r"(matrices[3])
                 : "r"(tensor_core_detail::shared_address(row))
                 : "memory");
#endif
}

// Starts to copy `byteCount` (4, 8 or 16) bytes from global to shared memory, both aligned to that many: the first
// `sourceByteCount` of them, then zeros. The copy is the lane's own to await; a barrier then shows it to the block.
template <int byteCount>
__device__ __forceinline__ void copy_async(void *shared, const void *global, int sourceByteCount = byteCount) {
    static_assert(byteCount == 4 || byteCount == 8 || byteCount == 16, "cp.async copies 4, 8 or 16 bytes");
#if defined(STRAIGHTEDGE_EMULATION)
    emulation::copy_async(shared, global, byteCount, static_cast<unsigned>(sourceByteCount));
#else
    const std::uint32_t address = tensor_core_detail::shared_address(shared);
    // Only whole lines of 16 bytes can go past the first cache.
    if constexpr (byteCount == 16)
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
                     :
                     : "r"(address), "l"(global), "r"(sourceByteCount)
                     : "memory");
    else
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;"
                     :
                     : "r"(address), "l"(global), "n"(byteCount), "r"(sourceByteCount)
                     : "memory");
#endif
}

// Ends a group of the copies that this lane started.
__device__ __forceinline__ void copy_async_commit_group() {
#if defined(STRAIGHTEDGE_EMULATION)
    emulation::copy_async_commit();
#else
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until at most the `pendingGroupCount` newest groups of this lane are still under way.
template <int pendingGroupCount> __device__ __forceinline__ void copy_async_wait_group() {
#if defined(STRAIGHTEDGE_EMULATION)
    emulation::copy_async_wait(pendingGroupCount);
#else
    asm volatile("cp.async.wait_group %0;" ::"n"(pendingGroupCount) : "memory");
#endif
}
