// Random numbers of the references: xoshiro256++ 1.0 (Blackman and Vigna 2019), seeded by splitmix64, and layers of the ziggurat
// for the unit exponential (Marsaglia and Tsang 2000).
#pragma once
#include <cmath>
#include <cstdint>

struct Stream {
    uint64_t s[4];
    explicit Stream(uint64_t seed) {
        for (auto &word : s) {
            uint64_t z = (seed += 0x9e3779b97f4a7c15ULL);
            z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
            z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
            word = z ^ (z >> 31);
        }
    }
    static uint64_t rotate(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
    uint64_t next() {
        const uint64_t r = rotate(s[0] + s[3], 23) + s[0], t = s[1] << 17;
        s[2] ^= s[0], s[3] ^= s[1], s[1] ^= s[2], s[0] ^= s[3], s[2] ^= t, s[3] = rotate(s[3], 45);
        return r;
    }
    double uniform() { return (next() >> 11) * 0x1p-53; }
};

// 256 layers, 53-bit abscissa
static uint64_t layer_inside[256];
static double layer_width[256], layer_height[256];
constexpr double TAIL = 7.69711747013104972, AREA = 3.949659822581572e-3;

[[maybe_unused]] static void build_ziggurat() {
    const double unit = 0x1p53, q = AREA / std::exp(-TAIL);
    double x = TAIL, previous = TAIL;
    layer_inside[0] = (uint64_t)(x / q * unit), layer_inside[1] = 0;
    layer_width[0] = q / unit, layer_width[255] = x / unit;
    layer_height[0] = 1.0, layer_height[255] = std::exp(-x);
    for (int i = 254; i >= 1; i--) {
        x = -std::log(AREA / x + std::exp(-x));
        layer_inside[i + 1] = (uint64_t)(x / previous * unit);
        previous = x;
        layer_height[i] = std::exp(-x), layer_width[i] = x / unit;
    }
}
