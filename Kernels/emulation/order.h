// Whose turn it is: the numbers 0 ..< count ascending, descending, or drawn from a seed.
#pragma once

#include "ckernels_emulation.h"

#include <cstdint>
#include <numeric>

namespace emulation {

// SplitMix64: small, seeded, the same on every machine.
class Random {
  public:
    explicit Random(std::uint64_t seed) : state(seed) {}
    std::uint64_t next() {
        std::uint64_t z = state += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        return z ^ z >> 31;
    }
    std::uint64_t below(std::uint64_t bound) { return next() % bound; }

  private:
    std::uint64_t state;
};

// Visits each of 0 ..< count once, without memory: the seeded order is place * stride + start modulo count.
class Order {
  public:
    Order() = default;
    Order(emulation_order order, std::uint64_t count, Random &random) : order(order), count(count) {
        if (order != EMULATION_ORDER_SEEDED || count < 2) return;
        start = random.below(count);
        do stride = 1 + random.below(count - 1);
        while (std::gcd(stride, count) != 1);
    }
    std::uint64_t operator[](std::uint64_t place) const {
        switch (order) {
        case EMULATION_ORDER_DESCENDING:
            return count - 1 - place;
        case EMULATION_ORDER_SEEDED:
            return (place * stride + start) % count;
        default:
            return place;
        }
    }

  private:
    emulation_order order = EMULATION_ORDER_ASCENDING;
    std::uint64_t count = 0, start = 0, stride = 1;
};

} // namespace emulation
