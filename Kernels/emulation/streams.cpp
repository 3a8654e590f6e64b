#include "streams.h"

#include "device_memory.h"
#include "failure.h"
#include "order.h"

#include <deque>
#include <map>
#include <vector>

namespace emulation::streams {

namespace {

struct Operation {
    std::uint64_t sequence;
    std::function<void()> work;
    std::shared_ptr<Mark> awaited; // null where the work can run at once
    std::shared_ptr<Mark> mark;
};

struct Queue {
    explicit Queue(bool isBlocking = true) : isBlocking(isBlocking) {}

    bool isBlocking; // waits for the default stream, and it for this one
    bool isDestroyed = false;
    std::deque<Operation> operations;
};

// The default stream is queue 0; a stream's handle is its number, which no address can be.
constexpr std::uintptr_t defaultNumber = 0, firstNumber = 0x100;
auto &queues = *new std::map<std::uintptr_t, Queue>{{defaultNumber, Queue()}}; // never destroyed: see lock_device
std::uintptr_t nextNumber = firstNumber;
std::uint64_t nextSequence = 0;
emulation_order order = EMULATION_ORDER_ASCENDING;
Random random{0};

std::uintptr_t number_of(cudaStream_t stream) {
    return stream == cudaStreamLegacy ? defaultNumber : reinterpret_cast<std::uintptr_t>(stream);
}

// Whether the stream's first operation may run now.
bool is_runnable(std::uintptr_t number, const Queue &queue) {
    const Operation &first = queue.operations.front();
    if (first.awaited != nullptr && !first.awaited->isDone) return false;
    // The default stream and blocking streams run in the order of their enqueueing.
    if (!queue.isBlocking) return true;
    for (const auto &[otherNumber, other] : queues) {
        const bool isRelated = other.isBlocking && (number == defaultNumber) != (otherNumber == defaultNumber);
        if (isRelated && !other.operations.empty() && other.operations.front().sequence < first.sequence) return false;
    }
    return true;
}

// The stream whose turn it is. One is always runnable where any has work: the operation enqueued first waits for
// nothing.
std::map<std::uintptr_t, Queue>::iterator choose() {
    std::vector<std::map<std::uintptr_t, Queue>::iterator> runnable;
    for (auto queue = queues.begin(); queue != queues.end(); ++queue)
        if (!queue->second.operations.empty() && is_runnable(queue->first, queue->second)) runnable.push_back(queue);
    if (runnable.empty()) return queues.end();
    switch (order) {
    case EMULATION_ORDER_DESCENDING:
        return runnable.back();
    case EMULATION_ORDER_SEEDED:
        return runnable[random.below(runnable.size())];
    default: {
        auto oldest = runnable.front();
        for (const auto &queue : runnable)
            if (queue->second.operations.front().sequence < oldest->second.operations.front().sequence) oldest = queue;
        return oldest;
    }
    }
}

void drop_all() {
    for (auto queue = queues.begin(); queue != queues.end();) {
        queue->second.operations.clear();
        queue = queue->second.isDestroyed ? queues.erase(queue) : std::next(queue);
    }
}

bool step() {
    if (sticky_error() != cudaSuccess) {
        drop_all();
        return false;
    }
    const auto chosen = choose();
    if (chosen == queues.end()) return false;
    Operation operation = std::move(chosen->second.operations.front());
    chosen->second.operations.pop_front();
    if (operation.work) operation.work();
    operation.work = nullptr; // what it held goes now
    operation.mark->isDone = true;
    operation.mark->time = std::chrono::steady_clock::now();
    if (chosen->second.isDestroyed && chosen->second.operations.empty()) queues.erase(chosen);
    return true;
}

std::shared_ptr<Mark> append(cudaStream_t stream, std::function<void()> work, std::shared_ptr<Mark> awaited) {
    auto mark = std::make_shared<Mark>();
    queues.at(number_of(stream)).operations.push_back({nextSequence++, std::move(work), std::move(awaited), mark});
    return mark;
}

} // namespace

void set_order(emulation_order wanted, std::uint64_t seed) {
    order = wanted;
    random = Random(seed);
}

cudaStream_t create(bool isBlocking) {
    queues[nextNumber] = Queue(isBlocking);
    return reinterpret_cast<cudaStream_t>(nextNumber++);
}

bool destroy(cudaStream_t stream) {
    const auto found = queues.find(number_of(stream));
    if (found == queues.end() || found->first == defaultNumber || found->second.isDestroyed) return false;
    found->second.isDestroyed = true;
    if (found->second.operations.empty()) queues.erase(found);
    return true;
}

bool exists(cudaStream_t stream) {
    const auto found = queues.find(number_of(stream));
    return found != queues.end() && !found->second.isDestroyed;
}

bool is_empty(cudaStream_t stream) {
    const auto found = queues.find(number_of(stream));
    return found == queues.end() || found->second.operations.empty();
}

std::size_t pending_count() {
    std::size_t count = 0;
    for (const auto &[number, queue] : queues) count += queue.operations.size();
    return count;
}

std::shared_ptr<Mark> enqueue(cudaStream_t stream, std::function<void()> work) {
    return append(stream, std::move(work), nullptr);
}

void enqueue_wait(cudaStream_t stream, std::shared_ptr<Mark> mark) { append(stream, nullptr, std::move(mark)); }

void run_until(const std::function<bool()> &condition) {
    const device_memory::Access access;
    while (!condition() && step()) {
    }
}

void run_all() {
    run_until([] { return false; });
}

void run_one() {
    const device_memory::Access access;
    step();
}

void reset() {
    queues.clear();
    queues[defaultNumber] = Queue();
}

} // namespace emulation::streams
