// Device memory: taken, given back, copied, cleared.
#include "operations.h"
#include "staging.h"
#include "tensors.h"

namespace straightedge {

void allocate(ck_context &context, std::int64_t byteCount, std::uint64_t *result) {
    void *memory = nullptr;
    // The runtime gives no address for nothing.
    CHECK(cudaMallocAsync(&memory, static_cast<std::size_t>(byteCount > 0 ? byteCount : 1), context.stream));
    *result = reinterpret_cast<std::uint64_t>(memory);
}

void memory_info(ck_context &, std::int64_t *freeByteCount, std::int64_t *totalByteCount) {
    std::size_t free = 0, total = 0;
    CHECK(cudaMemGetInfo(&free, &total));
    *freeByteCount = static_cast<std::int64_t>(free);
    *totalByteCount = static_cast<std::int64_t>(total);
}

void allocate_host(ck_context &context, std::int64_t byteCount, void **address) {
    const std::size_t count = static_cast<std::size_t>(byteCount > 0 ? byteCount : 1);
    void *memory = nullptr;
    {
        // The system takes its time.
        const Waiting waiting(context);
        CHECK(cudaMallocHost(&memory, count));
    }
    context.pinned[reinterpret_cast<std::uintptr_t>(memory)] = count;
    *address = memory;
}

namespace {

// Between the device and pinned memory of a caller, who may do with it what he likes when this returns.
void copy_pinned(ck_context &context, void *destination, const void *source, std::int64_t byteCount,
                 cudaMemcpyKind kind) {
    CHECK(cudaMemcpyAsync(destination, source, static_cast<std::size_t>(byteCount), kind, context.stream));
    synchronize(context);
}

} // namespace

void write(ck_context &context, const void *bytes, std::int64_t byteCount, std::uint64_t address) {
    auto *destination = reinterpret_cast<void *>(address);
    if (context.is_pinned(bytes, byteCount)) {
        copy_pinned(context, destination, bytes, byteCount, cudaMemcpyHostToDevice);
    } else {
        context.staging->upload(bytes, byteCount, destination);
    }
}

void read(ck_context &context, std::uint64_t address, void *bytes, std::int64_t byteCount) {
    if (context.is_pinned(bytes, byteCount)) {
        return copy_pinned(context, bytes, reinterpret_cast<const void *>(address), byteCount, cudaMemcpyDeviceToHost);
    }
    if (byteCount > 0) read_back(context, reinterpret_cast<const void *>(address), bytes, byteCount);
}

namespace {

std::size_t element_byte_count(std::int32_t type) {
    switch (type) {
    case CK_FLOAT64:
        return 8;
    case CK_FLOAT32:
    case CK_INT32:
        return 4;
    default:
        return 2;
    }
}

__global__ void fill_zero_bytes(Matrix<unsigned char> bytes) {
    const std::int64_t count = bytes.rows * bytes.columns;
    for (std::int64_t i = first_element(); i < count; i += element_stride()) {
        bytes.row(i / bytes.columns)[i % bytes.columns] = 0;
    }
}

} // namespace

void copy(ck_context &context, ck_tensor source, ck_tensor destination) {
    const std::size_t size = element_byte_count(source.type);
    if (source.rows == 0 || source.columns == 0) return;
    CHECK(cudaMemcpy2DAsync(
        reinterpret_cast<void *>(destination.address), static_cast<std::size_t>(destination.leading) * size,
        reinterpret_cast<const void *>(source.address), static_cast<std::size_t>(source.leading) * size,
        static_cast<std::size_t>(source.columns) * size, static_cast<std::size_t>(source.rows),
        cudaMemcpyDeviceToDevice, context.stream));
}

void fill_zero(ck_context &context, ck_tensor tensor) {
    const std::size_t size = element_byte_count(tensor.type);
    if (tensor.rows == 0 || tensor.columns == 0) return;
    if (is_contiguous(tensor)) {
        CHECK(cudaMemsetAsync(reinterpret_cast<void *>(tensor.address), 0,
                              static_cast<std::size_t>(tensor.rows * tensor.columns) * size, context.stream));
        return;
    }
    const Matrix<unsigned char> bytes{address<unsigned char>(tensor), tensor.rows,
                                      tensor.columns * static_cast<std::int64_t>(size),
                                      tensor.leading * static_cast<std::int64_t>(size)};
    CHECK(launch(fill_zero_bytes, element_grid(context, bytes.rows * bytes.columns), dim3(blockLaneCount), 0,
                 context.stream, bytes));
}

} // namespace straightedge
