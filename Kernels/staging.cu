#include "staging.h"

#include <algorithm>
#include <cstring>

namespace straightedge {

// A piece for one copy of one thread. A thread has one at a time, so that none waits for what it holds itself.
class Staging::Loan {
  public:
    explicit Loan(Staging &staging) : staging(staging), piece(take(staging)) {}
    ~Loan() {
        piece.isLent = false;
        staging.isReturned.notify_one();
    }
    Loan(const Loan &) = delete;
    Loan &operator=(const Loan &) = delete;

  private:
    Staging &staging;

    // The piece that was used longest ago.
    static Piece &take(Staging &staging) {
        std::array<Piece, 4> &pieces = staging.pieces;
        const auto isFree = [](const Piece &piece) { return !piece.isLent; };
        staging.isReturned.wait(staging.queue.mutex, [&] { return std::any_of(pieces.begin(), pieces.end(), isFree); });
        while (pieces[staging.next].isLent) staging.next = (staging.next + 1) % pieces.size();
        Piece &piece = pieces[staging.next];
        staging.next = (staging.next + 1) % pieces.size();
        piece.isLent = true;
        return piece;
    }

  public:
    Piece &piece;
};

Staging::Staging(Queue &queue) : queue(queue) {
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
        const Loan loan(*this);
        const std::size_t count = std::min(rest, pieceByteCount);
        {
            const Waiting waiting(queue);
            CHECK(cudaEventSynchronize(loan.piece.isCopied));
            std::memcpy(loan.piece.memory, source, count);
        }
        CHECK(cudaMemcpyAsync(destination, loan.piece.memory, count, cudaMemcpyHostToDevice, queue.stream));
        CHECK(cudaEventRecord(loan.piece.isCopied, queue.stream));
        source += count;
        destination += count;
        rest -= count;
    }
}

void Staging::download(const void *address, std::int64_t byteCount, void *bytes) {
    const auto *source = static_cast<const unsigned char *>(address);
    auto *destination = static_cast<unsigned char *>(bytes);
    for (std::size_t rest = static_cast<std::size_t>(byteCount); rest > 0;) {
        const Loan loan(*this);
        const std::size_t count = std::min(rest, pieceByteCount);
        // Comes after the piece's last copy, which is of the same stream.
        CHECK(cudaMemcpyAsync(loan.piece.memory, source, count, cudaMemcpyDeviceToHost, queue.stream));
        CHECK(cudaEventRecord(loan.piece.isCopied, queue.stream));
        {
            const Waiting waiting(queue);
            CHECK(cudaEventSynchronize(loan.piece.isCopied));
            std::memcpy(destination, loan.piece.memory, count);
        }
        source += count;
        destination += count;
        rest -= count;
    }
}

} // namespace straightedge
