#include "staging.h"

#include <algorithm>
#include <cstring>

namespace straightedge {

Staging::Staging(cudaStream_t stream) : stream(stream) {
    try {
        for (Piece &piece : pieces) {
            CHECK(cudaMallocHost(&piece.memory, pieceByteCount));
            CHECK(cudaEventCreateWithFlags(&piece.isCopied, cudaEventDisableTiming));
        }
    } catch (...) {
        close();
        throw;
    }
}

Staging::~Staging() { close(); }

void Staging::close() noexcept {
    for (Piece &piece : pieces) {
        if (piece.isCopied) (void)cudaEventDestroy(piece.isCopied);
        if (piece.memory) (void)cudaFreeHost(piece.memory);
        piece = {};
    }
}

void Staging::upload(const void *bytes, std::int64_t byteCount, void *address) {
    const auto *source = static_cast<const unsigned char *>(bytes);
    auto *destination = static_cast<unsigned char *>(address);
    for (std::size_t rest = static_cast<std::size_t>(byteCount); rest > 0;) {
        Piece &piece = pieces[next];
        const std::size_t count = std::min(rest, pieceByteCount);
        CHECK(cudaEventSynchronize(piece.isCopied));
        std::memcpy(piece.memory, source, count);
        CHECK(cudaMemcpyAsync(destination, piece.memory, count, cudaMemcpyHostToDevice, stream));
        CHECK(cudaEventRecord(piece.isCopied, stream));
        next = (next + 1) % pieces.size();
        source += count;
        destination += count;
        rest -= count;
    }
}

} // namespace straightedge
