// Pinned memory through which the host's bytes travel to the device, and back, while other threads go on.
#pragma once

#include "context.h"

#include <array>
#include <condition_variable>
#include <cstddef>

namespace straightedge {

// A few pinned pieces, lent in turn: a piece is used again when its copy has been done. Both functions expect the mutex
// of the queue, and let go of it while they wait for the device and while they touch the host's bytes.
class Staging {
  public:
    explicit Staging(Queue &queue);
    ~Staging();
    Staging(const Staging &) = delete;
    Staging &operator=(const Staging &) = delete;

    // Enqueues a copy of host memory to the device; the host memory is no longer needed when this returns.
    void upload(const void *bytes, std::int64_t byteCount, void *address);
    // Copies device memory to the host, after all work before it.
    void download(const void *address, std::int64_t byteCount, void *bytes);

  private:
    struct Piece {
        void *memory = nullptr;
        cudaEvent_t isCopied = nullptr;
        bool isLent = false;
    };
    class Loan;

    void close() noexcept;

    static constexpr std::size_t pieceByteCount = std::size_t{8} << 20;
    Queue &queue;
    std::array<Piece, 4> pieces;
    std::size_t next = 0;
    std::condition_variable_any isReturned;
};

} // namespace straightedge
