// Tensors that are brought in beside the computing.
#pragma once

#include "context.h"

#include <cstdint>
#include <map>
#include <vector>

namespace straightedge {

// A queue of its own for copies and decoding, and what is under way in it, known by tickets from 1.
class Transfers {
  public:
    explicit Transfers(ck_context &context);
    ~Transfers();
    Transfers(const Transfers &) = delete;
    Transfers &operator=(const Transfers &) = delete;

    struct Transfer {
        // Recorded behind the transfer's work.
        cudaEvent_t isDone = nullptr;
        // Whether the computing comes after it.
        bool isAwaited = false;
        std::int64_t decodedCount = 0;
        // Numbers of the device, `foundCount` in each: the first row of each decoded tensor that is not finite.
        std::vector<unsigned long long *> found;
    };
    static constexpr std::int64_t foundCount = 64;

    std::int64_t begin();
    // Null where no transfer has the ticket.
    Transfer *find(std::int64_t ticket) noexcept;
    Transfer &operator[](std::int64_t ticket);
    void end(std::int64_t ticket) noexcept;

    Queue queue;

  private:
    std::map<std::int64_t, Transfer> transfers;
    std::int64_t lastTicket = 0;
};

} // namespace straightedge
