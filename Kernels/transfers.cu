// Tensors are brought in on a stream of their own while the device computes; an event puts the computing behind them.
//
// Memory of a transfer is taken in the order of its stream. It is given back in the order of the computing once that
// has been put behind the transfer, and in the transfer's own order as long as it has not: then nothing computed with
// it. Memory that the computing gave back is taken again in the runtime's own order.
#include "transfers.h"

#include "operations.h"

#include <climits>

namespace straightedge {

Transfers::Transfers(ck_context &context) : queue(context.mutex) {
    queue.multiprocessorCount = context.multiprocessorCount;
    queue.open();
}

Transfers::~Transfers() {
    while (!transfers.empty()) end(transfers.begin()->first);
}

std::int64_t Transfers::begin() {
    Transfer transfer;
    CHECK(cudaEventCreateWithFlags(&transfer.isDone, cudaEventDisableTiming));
    transfers[++lastTicket] = transfer;
    return lastTicket;
}

Transfers::Transfer *Transfers::find(std::int64_t ticket) noexcept {
    const auto place = transfers.find(ticket);
    return place == transfers.end() ? nullptr : &place->second;
}

Transfers::Transfer &Transfers::operator[](std::int64_t ticket) {
    Transfer *const transfer = find(ticket);
    if (!transfer) throw Failure{CK_DEVICE_FAILED, "no transfer has the ticket " + std::to_string(ticket)};
    return *transfer;
}

void Transfers::end(std::int64_t ticket) noexcept {
    const Transfer *const transfer = find(ticket);
    if (!transfer) return;
    for (void *found : transfer->found) (void)cudaFreeAsync(found, queue.stream);
    (void)cudaEventDestroy(transfer->isDone);
    transfers.erase(ticket);
}

namespace {

// The transfers of a context that has begun one.
Transfers &transfers_of(ck_context &context) {
    if (!context.transfers) throw Failure{CK_DEVICE_FAILED, "no transfer was begun"};
    return *context.transfers;
}

// Where the first row of the next tensor that is not finite shall be noted; no row yet.
unsigned long long *next_found(Transfers &transfers, Transfers::Transfer &transfer) {
    const std::int64_t place = transfer.decodedCount++ % Transfers::foundCount;
    if (place == 0) {
        constexpr std::size_t byteCount = Transfers::foundCount * sizeof(unsigned long long);
        transfer.found.reserve(transfer.found.size() + 1);
        void *memory = nullptr;
        CHECK(cudaMallocAsync(&memory, byteCount, transfers.queue.stream));
        transfer.found.push_back(static_cast<unsigned long long *>(memory));
        CHECK(cudaMemsetAsync(memory, 0xFF, byteCount, transfers.queue.stream));
    }
    return transfer.found.back() + place;
}

} // namespace

void begin_transfer(ck_context &context, std::int64_t *ticket) {
    if (!context.transfers) context.transfers = std::make_unique<Transfers>(context);
    *ticket = context.transfers->begin();
}

void allocate_for_transfer(ck_context &context, std::int64_t, std::int64_t byteCount, std::uint64_t *address) {
    void *memory = nullptr;
    CHECK(cudaMallocAsync(&memory, static_cast<std::size_t>(byteCount > 0 ? byteCount : 1),
                          transfers_of(context).queue.stream));
    *address = reinterpret_cast<std::uint64_t>(memory);
}

void decode_for_transfer(ck_context &context, std::int64_t ticket, const void *bytes, std::int64_t byteCount,
                         std::int32_t type, ck_tensor result) {
    Transfers &transfers = transfers_of(context);
    unsigned long long *found = next_found(transfers, transfers[ticket]);
    decode(transfers.queue, bytes, byteCount, type, result);
    find_non_finite_row(transfers.queue, result, found);
}

void finish_transfer(ck_context &context, std::int64_t ticket) {
    Transfers &transfers = transfers_of(context);
    CHECK(cudaEventRecord(transfers[ticket].isDone, transfers.queue.stream));
}

void wait_for_transfer(ck_context &context, std::int64_t ticket) {
    Transfers::Transfer &transfer = transfers_of(context)[ticket];
    CHECK(cudaStreamWaitEvent(context.stream, transfer.isDone, 0));
    transfer.isAwaited = true;
}

void non_finite_rows_of_transfer(ck_context &context, std::int64_t ticket, std::int64_t *rows) {
    Transfers &transfers = transfers_of(context);
    const Transfers::Transfer &transfer = transfers[ticket];
    for (std::int64_t begin = 0; begin < transfer.decodedCount; begin += Transfers::foundCount) {
        unsigned long long found[Transfers::foundCount];
        read_back(transfers.queue, transfer.found[static_cast<std::size_t>(begin / Transfers::foundCount)], found,
                  sizeof found);
        for (std::int64_t i = 0; i < Transfers::foundCount && begin + i < transfer.decodedCount; ++i) {
            rows[begin + i] = found[i] == ULLONG_MAX ? -1 : static_cast<std::int64_t>(found[i]);
        }
    }
}

void release_of_transfer(ck_context &context, std::int64_t ticket, std::uint64_t address) noexcept {
    const Transfers::Transfer *const transfer = context.transfers ? context.transfers->find(ticket) : nullptr;
    if (!transfer) return;
    const cudaStream_t stream = transfer->isAwaited ? context.stream : context.transfers->queue.stream;
    (void)cudaFreeAsync(reinterpret_cast<void *>(address), stream);
}

void end_transfer(ck_context &context, std::int64_t ticket) noexcept {
    if (context.transfers) context.transfers->end(ticket);
}

} // namespace straightedge
