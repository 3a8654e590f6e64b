// Pinned memory through which host memory travels to the device while the host goes on.
#pragma once

#include "context.h"

#include <array>
#include <cstddef>

namespace straightedge {

// A few pinned pieces, used in turn: a piece is written again when its copy has been done.
class Staging {
  public:
    explicit Staging(cudaStream_t stream);
    ~Staging();
    Staging(const Staging &) = delete;
    Staging &operator=(const Staging &) = delete;

    // Enqueues a copy of host memory to the device; the host memory is no longer needed when this returns.
    void upload(const void *bytes, std::int64_t byteCount, void *address);

  private:
    struct Piece {
        void *memory = nullptr;
        cudaEvent_t isCopied = nullptr;
    };

    void close() noexcept;

    static constexpr std::size_t pieceByteCount = std::size_t{8} << 20;
    cudaStream_t stream;
    std::array<Piece, 4> pieces;
    std::size_t next = 0;
};

} // namespace straightedge
