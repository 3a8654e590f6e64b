// A test is a function that CHECKs; a failed CHECK says where and goes on.
#pragma once

#include "ckernels_emulation.h"
#include "launch.h"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

struct Test {
    Test(const char *name, void (*body)());
};
void note_failure(const char *file, int line, const char *condition, const std::string &detail);

#define TEST(name)                                                                                                     \
    static void name();                                                                                                \
    static const Test name##_test(#name, name);                                                                        \
    static void name()

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) note_failure(__FILE__, __LINE__, #condition, emulation_device()->message());                 \
    } while (false)

// As CHECK, for a value that has to be near another: |got - want| <= tolerance.
#define CHECK_NEAR(got, want, tolerance)                                                                               \
    do {                                                                                                               \
        const double got_value = (got), want_value = (want);                                                           \
        const double difference = got_value > want_value ? got_value - want_value : want_value - got_value;            \
        if (!(difference <= (tolerance)))                                                                              \
            note_failure(__FILE__, __LINE__, #got " near " #want,                                                      \
                         "got " + std::to_string(got_value) + ", want " + std::to_string(want_value));                 \
    } while (false)

inline const emulation_api *emulation_device() { return emulation_get_api(EMULATION_ABI_VERSION); }

inline emulation_options plain_options() {
    emulation_options options{};
    options.struct_size = sizeof options;
    return options;
}

inline void configure(const emulation_options &options) { CHECK(emulation_device()->configure(&options) == 0); }

inline emulation_counters counters() {
    emulation_counters result{};
    result.struct_size = sizeof result;
    emulation_device()->read_counters(&result);
    return result;
}

inline bool message_has(const char *text) { return std::strstr(emulation_device()->message(), text) != nullptr; }

// Numbers in device memory.
template <typename T> class DeviceArray {
  public:
    explicit DeviceArray(std::size_t count) : count(count) {
        CHECK(cudaMalloc(&address, count * sizeof(T)) == cudaSuccess);
    }
    explicit DeviceArray(const std::vector<T> &values) : DeviceArray(values.size()) { write(values); }
    ~DeviceArray() { cudaFree(address); }
    DeviceArray(const DeviceArray &) = delete;
    DeviceArray &operator=(const DeviceArray &) = delete;

    void write(const std::vector<T> &values) {
        CHECK(cudaMemcpy(address, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice) == cudaSuccess);
    }
    std::vector<T> read() const {
        std::vector<T> values(count);
        CHECK(cudaMemcpy(values.data(), address, count * sizeof(T), cudaMemcpyDeviceToHost) == cudaSuccess);
        return values;
    }
    operator T *() const { return address; }

  private:
    T *address = nullptr;
    std::size_t count;
};

// Numbers in -1 ... 1 from a seed, all of them exact in float16's and bfloat16's 8 bits of significand.
inline double number(std::uint64_t seed, std::uint64_t place) {
    std::uint64_t z = (seed + 1) * 0x9e3779b97f4a7c15u + place * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 30) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (static_cast<double>(z % 255) - 127) / 128;
}

template <typename T> std::vector<T> numbers(std::uint64_t seed, std::size_t count) {
    std::vector<T> values(count);
    for (std::size_t place = 0; place < count; ++place) values[place] = T(static_cast<float>(number(seed, place)));
    return values;
}

// The bits that `run` leaves under each order of lanes, the seeded one with several seeds.
template <typename T> std::vector<std::vector<T>> under_every_order(const std::function<std::vector<T>()> &run) {
    std::vector<std::vector<T>> results;
    for (int seed = -2; seed < 6; ++seed) {
        emulation_options options = plain_options();
        options.lane_order = seed == -2   ? EMULATION_ORDER_ASCENDING
                             : seed == -1 ? EMULATION_ORDER_DESCENDING
                                          : EMULATION_ORDER_SEEDED;
        options.seed = static_cast<std::uint64_t>(seed + 2);
        configure(options);
        results.push_back(run());
    }
    configure(plain_options());
    return results;
}

template <typename T> bool all_equal(const std::vector<std::vector<T>> &results) {
    for (const std::vector<T> &result : results)
        if (std::memcmp(result.data(), results[0].data(), result.size() * sizeof(T)) != 0) return false;
    return true;
}
