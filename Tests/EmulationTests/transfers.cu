// Tensors that are brought in beside the computing, through the table of the kernel library.
#include "check.h"
#include "ckernels.h"

#include <chrono>
#include <cmath>
#include <future>
#include <thread>

extern "C" const ck_api *ck_get_api(std::int32_t abiVersion);

namespace {

constexpr std::int64_t rowCount = 48, columnCount = 64, elementCount = rowCount * columnCount;
constexpr int layerCount = 4;

// A context of the table, and what is asked of it here.
class Context {
  public:
    Context() { CHECK(api.create_context(0, &context) == CK_OK); }
    ~Context() { api.destroy_context(context); }
    Context(const Context &) = delete;
    Context &operator=(const Context &) = delete;

    std::uint64_t allocate() const {
        std::uint64_t address = 0;
        CHECK(api.allocate(context, elementCount * 4, &address) == CK_OK);
        return address;
    }
    std::int64_t begin() const {
        std::int64_t ticket = 0;
        CHECK(api.begin_transfer(context, &ticket) == CK_OK);
        return ticket;
    }
    // Memory of the transfer, into which a layer's numbers are on their way.
    std::uint64_t bring_in(std::int64_t ticket, const std::vector<float> &values) const {
        std::uint64_t address = 0;
        const std::int64_t byteCount = elementCount * 4;
        CHECK(api.allocate_for_transfer(context, ticket, byteCount, &address) == CK_OK);
        CHECK(api.decode_for_transfer(context, ticket, values.data(), byteCount, CK_FLOAT32, tensor(address)) == CK_OK);
        return address;
    }
    std::vector<float> read(std::uint64_t address) const {
        std::vector<float> values(elementCount);
        CHECK(api.read(context, address, values.data(), elementCount * 4) == CK_OK);
        return values;
    }
    static ck_tensor tensor(std::uint64_t address) { return {address, rowCount, columnCount, columnCount, CK_FLOAT32}; }

    const ck_api &api = *ck_get_api(CK_ABI_VERSION);
    ck_context *context = nullptr;
};

std::vector<float> layer(int number) { return numbers<float>(static_cast<std::uint64_t>(number), elementCount); }

// The sum of some layers, of which the next is on its way while one is added. Right where the transfers are waited for.
std::vector<float> sum_of_layers(bool waits) {
    const Context device;
    const ck_api &api = device.api;
    const std::uint64_t sum = device.allocate();
    CHECK(api.fill_zero(device.context, Context::tensor(sum)) == CK_OK);
    std::int64_t ticket = device.begin();
    std::uint64_t address = device.bring_in(ticket, layer(0));
    CHECK(api.finish_transfer(device.context, ticket) == CK_OK);
    for (int number = 0; number < layerCount; ++number) {
        const std::int64_t nextTicket = device.begin();
        const std::uint64_t nextAddress = device.bring_in(nextTicket, layer(number + 1));
        CHECK(api.finish_transfer(device.context, nextTicket) == CK_OK);
        if (waits) CHECK(api.wait_for_transfer(device.context, ticket) == CK_OK);
        const ck_tensor x = Context::tensor(address), total = Context::tensor(sum);
        CHECK(api.add(device.context, total, x, total) == CK_OK);
        // At once: the memory goes when the sum has been made.
        api.release_of_transfer(device.context, ticket, address);
        api.end_transfer(device.context, ticket);
        ticket = nextTicket;
        address = nextAddress;
    }
    // The last layer is abandoned.
    api.release_of_transfer(device.context, ticket, address);
    api.end_transfer(device.context, ticket);
    const std::vector<float> result = device.read(sum);
    api.release(device.context, sum);
    CHECK(api.synchronize(device.context) == CK_OK);
    return result;
}

std::vector<float> right_sum() {
    std::vector<float> sum(elementCount, 0);
    for (int number = 0; number < layerCount; ++number) {
        const std::vector<float> values = layer(number);
        for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += values[i];
    }
    return sum;
}

std::vector<std::vector<float>> under_every_stream_order(bool waits) {
    std::vector<std::vector<float>> results;
    for (int seed = -2; seed < 8; ++seed) {
        emulation_device()->reset();
        emulation_options options = plain_options();
        options.stream_order = seed == -2   ? EMULATION_ORDER_ASCENDING
                               : seed == -1 ? EMULATION_ORDER_DESCENDING
                                            : EMULATION_ORDER_SEEDED;
        options.seed = static_cast<std::uint64_t>(seed + 2);
        configure(options);
        results.push_back(sum_of_layers(waits));
        CHECK(counters().live_allocation_count == 0);
        CHECK(counters().live_host_allocation_count == 0);
    }
    return results;
}

} // namespace

TEST(transfers_come_before_what_waited_for_them_in_every_order_of_streams) {
    const auto sums = under_every_stream_order(true);
    CHECK(all_equal(sums));
    CHECK(sums[0] == right_sum());
}

TEST(a_transfer_that_was_not_waited_for_shows_in_the_order_of_streams) {
    const auto sums = under_every_stream_order(false);
    // The order of the calls hides it; seeds do not.
    CHECK(sums[0] == right_sum());
    int wrongCount = 0;
    for (std::size_t place = 2; place < sums.size(); ++place) wrongCount += sums[place] != right_sum();
    CHECK(wrongCount > 0);
}

// Otherwise its copies would land in what took the memory next.
TEST(an_abandoned_transfer_keeps_its_memory_until_its_work_is_done) {
    for (std::uint64_t seed = 0; seed < 16; ++seed) {
        emulation_device()->reset();
        emulation_options options = plain_options();
        options.stream_order = EMULATION_ORDER_SEEDED;
        options.seed = seed;
        configure(options);
        const Context device;
        const ck_api &api = device.api;
        const std::int64_t ticket = device.begin();
        const std::uint64_t abandoned = device.bring_in(ticket, layer(1));
        api.release_of_transfer(device.context, ticket, abandoned);
        CHECK(api.synchronize(device.context) == CK_OK);
        const std::uint64_t zeros = device.allocate();
        CHECK(api.fill_zero(device.context, Context::tensor(zeros)) == CK_OK);
        CHECK(api.synchronize(device.context) == CK_OK);
        // The work of the transfer has been done when it says what it found.
        std::int64_t row = 0;
        CHECK(api.non_finite_rows_of_transfer(device.context, ticket, &row) == CK_OK);
        CHECK(device.read(zeros) == std::vector<float>(elementCount, 0));
        api.release(device.context, zeros);
        api.end_transfer(device.context, ticket);
    }
}

TEST(transfers_say_where_numbers_are_not_finite) {
    const Context device;
    std::vector<std::int64_t> expected, rows;
    std::vector<std::uint64_t> addresses;
    const std::int64_t ticket = device.begin();
    // More tensors than are counted in one piece.
    for (int number = 0; number < 150; ++number) {
        std::vector<float> values = layer(number);
        expected.push_back(number % 50 == 7 ? number / 4 : -1);
        if (expected.back() >= 0) {
            values[static_cast<std::size_t>(expected.back() * columnCount + 3)] = NAN;
            values[static_cast<std::size_t>((expected.back() + 2) * columnCount)] = INFINITY;
        }
        addresses.push_back(device.bring_in(ticket, values));
    }
    CHECK(device.api.finish_transfer(device.context, ticket) == CK_OK);
    rows.resize(expected.size());
    CHECK(device.api.non_finite_rows_of_transfer(device.context, ticket, rows.data()) == CK_OK);
    CHECK(rows == expected);
    for (const std::uint64_t address : addresses) device.api.release_of_transfer(device.context, ticket, address);
    device.api.end_transfer(device.context, ticket);
}

// While the host waits, in whatever call, another thread can enqueue.
TEST(no_thread_keeps_others_from_enqueueing_while_it_waits) {
    const Context device;
    const ck_api &api = device.api;
    const std::uint64_t x = device.allocate(), y = device.allocate();
    CHECK(api.fill_zero(device.context, Context::tensor(x)) == CK_OK);
    int waitCount = 0, keptCount = 0;
    std::vector<std::future<void>> others;
    std::function<void()> onWait = [&] {
        ++waitCount;
        others.push_back(
            std::async(std::launch::async, [&] { (void)api.fill_zero(device.context, Context::tensor(y)); }));
        if (others.back().wait_for(std::chrono::seconds(5)) != std::future_status::ready) ++keptCount;
    };
    emulation_device()->on_host_wait([](void *body) { (*static_cast<std::function<void()> *>(body))(); }, &onWait);
    const auto waits_without_keeping = [&](auto call) {
        waitCount = keptCount = 0;
        call();
        others.clear();
        return waitCount > 0 && keptCount == 0;
    };
    CHECK(waits_without_keeping([&] { CHECK(api.synchronize(device.context) == CK_OK); }));
    CHECK(waits_without_keeping([&] { CHECK(device.read(x)[0] == 0); }));
    CHECK(waits_without_keeping([&] {
        std::int64_t row = 0;
        CHECK(api.first_non_finite_row(device.context, Context::tensor(x), &row) == CK_OK && row == -1);
    }));
    const std::vector<float> values = layer(1);
    CHECK(
        waits_without_keeping([&] { CHECK(api.write(device.context, values.data(), elementCount * 4, x) == CK_OK); }));
    const std::int64_t ticket = device.begin();
    std::uint64_t address = 0;
    CHECK(waits_without_keeping([&] { address = device.bring_in(ticket, values); }));
    CHECK(api.finish_transfer(device.context, ticket) == CK_OK);
    CHECK(waits_without_keeping([&] {
        std::int64_t row = 0;
        CHECK(api.non_finite_rows_of_transfer(device.context, ticket, &row) == CK_OK && row == -1);
    }));
    void *pinned = nullptr;
    CHECK(api.allocate_host(device.context, elementCount * 4, &pinned) == CK_OK);
    CHECK(waits_without_keeping([&] { CHECK(api.read(device.context, x, pinned, elementCount * 4) == CK_OK); }));
    CHECK(waits_without_keeping([&] { CHECK(api.write(device.context, pinned, elementCount * 4, y) == CK_OK); }));
    CHECK(waits_without_keeping([&] { api.release_host(device.context, pinned); }));
    emulation_device()->on_host_wait(nullptr, nullptr);
    CHECK(device.read(x) == values);
    api.release_of_transfer(device.context, ticket, address);
    api.end_transfer(device.context, ticket);
}

TEST(pinned_memory_is_copied_to_and_from_directly) {
    const Context device;
    const ck_api &api = device.api;
    const std::int64_t byteCount = elementCount * 4;
    const std::uint64_t x = device.allocate();
    void *pinned = nullptr;
    CHECK(api.allocate_host(device.context, 2 * byteCount, &pinned) == CK_OK);
    auto *const numbers = static_cast<float *>(pinned);
    const std::vector<float> values = layer(1);
    std::memcpy(numbers + elementCount, values.data(), static_cast<std::size_t>(byteCount));
    CHECK(api.write(device.context, numbers + elementCount, byteCount, x) == CK_OK);
    // No copy is under way any more: the numbers may change.
    CHECK(counters().pending_operation_count == 0);
    std::memset(numbers + elementCount, 0, static_cast<std::size_t>(byteCount));
    CHECK(api.read(device.context, x, numbers, byteCount) == CK_OK);
    CHECK(std::memcmp(numbers, values.data(), static_cast<std::size_t>(byteCount)) == 0);
    CHECK(api.allocate_host(device.context, std::int64_t{1} << 60, &pinned) == CK_OUT_OF_MEMORY);
    api.release_host(device.context, numbers);
    api.release(device.context, x);
    CHECK(api.synchronize(device.context) == CK_OK);
}

// More threads than pieces of pinned memory, each of which uploads more than one and reads it back.
TEST(threads_share_the_pinned_pieces) {
    const Context device;
    constexpr std::int64_t byteCount = (std::int64_t{8} << 20) + 4096;
    std::vector<std::thread> threads;
    std::vector<char> isRight(7, 0);
    for (std::size_t number = 0; number < isRight.size(); ++number) {
        threads.emplace_back([&, number] {
            const std::vector<char> bytes(byteCount, static_cast<char>(number + 1));
            std::vector<char> back(byteCount, 0);
            std::uint64_t address = 0;
            bool works = device.api.allocate(device.context, byteCount, &address) == CK_OK;
            works = works && device.api.write(device.context, bytes.data(), byteCount, address) == CK_OK;
            works = works && device.api.read(device.context, address, back.data(), byteCount) == CK_OK;
            device.api.release(device.context, address);
            isRight[number] = works && back == bytes;
        });
    }
    for (std::thread &thread : threads) thread.join();
    CHECK(isRight == std::vector<char>(isRight.size(), 1));
}

TEST(transfers_that_fail_leave_nothing_behind) {
    const auto run = [](const ck_api &api, ck_context *context) {
        std::int64_t ticket = 0;
        if (api.begin_transfer(context, &ticket) != CK_OK) return;
        const std::vector<float> values = layer(0);
        std::uint64_t address = 0;
        std::int64_t row = 0;
        if (api.allocate_for_transfer(context, ticket, elementCount * 4, &address) == CK_OK) {
            const bool isDone = api.decode_for_transfer(context, ticket, values.data(), elementCount * 4, CK_FLOAT32,
                                                        Context::tensor(address)) == CK_OK &&
                                api.finish_transfer(context, ticket) == CK_OK &&
                                api.wait_for_transfer(context, ticket) == CK_OK;
            if (isDone) (void)api.non_finite_rows_of_transfer(context, ticket, &row);
            api.release_of_transfer(context, ticket, address);
        }
        api.end_transfer(context, ticket);
    };
    using Failing = std::uint64_t &(*)(emulation_options &);
    const std::vector<Failing> all{[](emulation_options &o) -> std::uint64_t & { return o.failing_allocation; },
                                   [](emulation_options &o) -> std::uint64_t & { return o.failing_host_allocation; },
                                   [](emulation_options &o) -> std::uint64_t & { return o.failing_launch; },
                                   [](emulation_options &o) -> std::uint64_t & { return o.failing_synchronization; }};
    for (const Failing failing : all) {
        for (std::uint64_t number = 1; number < 8; ++number) {
            emulation_device()->reset();
            configure(plain_options());
            {
                const Context device;
                emulation_options options = plain_options();
                failing(options) = number;
                configure(options);
                run(device.api, device.context);
            }
            CHECK(counters().live_allocation_count == 0);
            CHECK(counters().live_host_allocation_count == 0);
        }
    }
}
