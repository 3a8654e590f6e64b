// Small arrays of the host that the device keeps: positions are the same from layer to layer.
#pragma once

#include "context.h"

#include <list>
#include <vector>

namespace straightedge {

// The arrays that were asked for last.
class KeptArrays {
  public:
    explicit KeptArrays(Queue &queue) : queue(queue) {}
    ~KeptArrays();
    KeptArrays(const KeptArrays &) = delete;
    KeptArrays &operator=(const KeptArrays &) = delete;

    // The device's copy of host memory, for what is enqueued before the mutex of the queue is let go. The mutex, which
    // it expects, it lets go itself where the bytes have to be copied first.
    const void *address(const void *bytes, std::int64_t byteCount);

  private:
    struct Array {
        std::vector<unsigned char> bytes;
        void *memory = nullptr;
        std::size_t capacity = 0;
        std::uint64_t lastUse = 0;
        // Another thread is waiting for its bytes.
        bool isBeingFilled = false;
    };

    Array &take();
    void fill(Array &array, const unsigned char *bytes, std::size_t byteCount);

    static constexpr std::size_t keptCount = 4;
    Queue &queue;
    // More than are kept while so many threads fill one.
    std::list<Array> arrays;
    std::uint64_t useCount = 0;
};

} // namespace straightedge
