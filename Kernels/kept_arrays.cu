#include "kept_arrays.h"

#include "staging.h"

#include <algorithm>

namespace straightedge {

KeptArrays::~KeptArrays() {
    for (const Array &array : arrays) {
        if (array.memory) (void)cudaFreeAsync(array.memory, queue.stream);
    }
}

const void *KeptArrays::address(const void *bytes, std::int64_t byteCount) {
    const auto *source = static_cast<const unsigned char *>(bytes);
    const auto size = static_cast<std::size_t>(byteCount);
    const auto found = std::find_if(arrays.begin(), arrays.end(), [&](const Array &array) {
        return array.bytes.size() == size && std::equal(array.bytes.begin(), array.bytes.end(), source);
    });
    Array &array = found == arrays.end() ? take() : *found;
    if (found == arrays.end()) fill(array, source, size);
    array.lastUse = ++useCount;
    return array.memory;
}

// A new one, or the one that was used longest ago.
KeptArrays::Array &KeptArrays::take() {
    Array *oldest = nullptr;
    for (Array &array : arrays) {
        if (!array.isBeingFilled && (!oldest || array.lastUse < oldest->lastUse)) oldest = &array;
    }
    return arrays.size() < keptCount || !oldest ? arrays.emplace_back() : *oldest;
}

// Kernels before this in the stream have read what was there.
void KeptArrays::fill(Array &array, const unsigned char *bytes, std::size_t byteCount) {
    struct Filling {
        explicit Filling(Array &array) : array(array) { array.isBeingFilled = true; }
        ~Filling() { array.isBeingFilled = false; }
        Array &array;
    };
    const Filling filling(array);
    array.bytes.clear();
    if (byteCount > array.capacity) {
        if (array.memory) (void)cudaFreeAsync(array.memory, queue.stream);
        array.memory = nullptr;
        array.capacity = 0;
        CHECK(cudaMallocAsync(&array.memory, byteCount, queue.stream));
        array.capacity = byteCount;
    }
    queue.staging->upload(bytes, static_cast<std::int64_t>(byteCount), array.memory);
    array.bytes.assign(bytes, bytes + byteCount);
}

} // namespace straightedge
