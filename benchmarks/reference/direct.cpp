// Scalar exact direct method for ctc_linear, written to be beaten honestly: xoshiro256++ and a 256-layer ziggurat
// exponential, state and clock in registers, one 64-bit draw for the time and one for the choice, no allocation.
//
//   direct VARIANT parameters.txt trajectories seed results.bin
//     VARIANT  plain     all propensities into an array, running sum, linear search (any network: only the tables are the model's)
//              unrolled  the ten propensities and the chain of comparisons written out by hand
//              hot       unrolled, and the two reactions that are 99.8 % of this model's events taken first without a branch
//                        between them (knowledge of this model's rates that no general program has)
//   parameters.txt  the 10 rate constants (per day; shedding in cells per day) in the order
//                   shed clear leave die sleep settle wake lose birth death, separated by white space
//   results.bin     int64 (trajectories, DAYS, 4): cells B E Q G at days 1, 2, ..., 100
// Prints "events seconds": events fired, CPU seconds of the simulation alone (tables, files excluded).
//
// g++ -O3 -march=native -o direct direct.cpp
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <vector>

#include "random.hpp"

constexpr int SPECIES = 4, REACTIONS = 10, DAYS = 100;
enum { B, E, Q, G };
constexpr int REACTANT[REACTIONS] = {-1, B, B, E, E, E, Q, Q, G, G};
constexpr double CHANGE[REACTIONS][SPECIES] = {{1, 0, 0, 0},  {-1, 0, 0, 0}, {-1, 1, 0, 0}, {0, -1, 0, 0}, {0, -1, 1, 0},
                                            {0, -1, 0, 1}, {0, 0, -1, 1}, {0, 0, -1, 0}, {0, 0, 0, 1},  {0, 0, 0, -1}};

__attribute__((noinline, cold)) static double exponential_rare(Stream &stream, unsigned layer, double x) {
    for (;;) {
        if (layer == 0) return TAIL - std::log1p(-stream.uniform());
        if (layer_height[layer] + stream.uniform() * (layer_height[layer - 1] - layer_height[layer]) < std::exp(-x)) return x;
        const uint64_t bits = stream.next(), abscissa = bits >> 11;
        layer = bits & 255;
        x = abscissa * layer_width[layer];
        if (abscissa < layer_inside[layer]) return x;
    }
}

static inline double exponential(Stream &stream) {
    const uint64_t bits = stream.next(), abscissa = bits >> 11;
    const unsigned layer = bits & 255;
    const double x = (double)(int64_t)abscissa * layer_width[layer];
    if (__builtin_expect(abscissa < layer_inside[layer], 1)) return x;
    return exponential_rare(stream, layer, x);
}

static inline void save(int64_t *out, double b, double e, double q, double g) {
    out[0] = (int64_t)b, out[1] = (int64_t)e, out[2] = (int64_t)q, out[3] = (int64_t)g;
}

static uint64_t run_plain(const double *k, uint64_t seed, int64_t *out) {
    Stream stream(seed);
    double x[SPECIES] = {0, 0, 0, 0}, t = 0;
    uint64_t events = 0;
    int day = 0;
    for (;;) {
        double sum[REACTIONS], total = 0;
        for (int j = 0; j < REACTIONS; j++) sum[j] = total += REACTANT[j] < 0 ? k[j] : k[j] * x[REACTANT[j] < 0 ? 0 : REACTANT[j]];
        t += exponential(stream) / total;
        while (t > day + 1) {
            save(out + SPECIES * day, x[B], x[E], x[Q], x[G]);
            if (++day == DAYS) return events;
        }
        const double y = stream.uniform() * total;
        int j = 0;
        while (j < REACTIONS - 1 && y >= sum[j]) j++;
        for (int s = 0; s < SPECIES; s++) x[s] += CHANGE[j][s];
        events++;
    }
}

template <bool HOT> static uint64_t run_unrolled(const double *k, uint64_t seed, int64_t *out) {
    Stream stream(seed);
    const double shed = k[0], clear = k[1], leave = k[2], die = k[3], sleep = k[4], settle = k[5], wake = k[6], lose = k[7],
                 birth = k[8], death = k[9];
    double b = 0, e = 0, q = 0, g = 0, t = 0, next_day = 1;
    double rest = 0;  // what does not depend on b changes rarely
    uint64_t events = 0;
    int day = 0;
    for (;;) {
        const double c0 = shed, c1 = c0 + clear * b, c2 = c1 + leave * b;
        const double c3 = c2 + die * e, c4 = c3 + sleep * e, c5 = c4 + settle * e, c6 = c5 + wake * q, c7 = c6 + lose * q,
                     c8 = c7 + birth * g;
        const double total = HOT ? c2 + rest : c8 + death * g;
        t += exponential(stream) / total;
        while (__builtin_expect(t > next_day, 0)) {
            save(out + SPECIES * day, b, e, q, g);
            next_day += 1;
            if (++day == DAYS) return events;
        }
        const double y = stream.uniform() * total;
        events++;
        if (HOT) {
            if (__builtin_expect(y < c1, 1)) {
                // without a branch: the choice between the two is a coin toss that no predictor learns
                uint64_t sign = (uint64_t)(y >= c0) << 63, one = 0x3ff0000000000000ULL | sign;
                double change;
                std::memcpy(&change, &one, 8);
                b += change;
                continue;
            }
        } else {
            if (y < c0) { b += 1; continue; }
            if (y < c1) { b -= 1; continue; }
        }
        if (y < c2) b -= 1, e += 1;
        else if (y < c3) e -= 1;
        else if (y < c4) e -= 1, q += 1;
        else if (y < c5) e -= 1, g += 1;
        else if (y < c6) q -= 1, g += 1;
        else if (y < c7) q -= 1;
        else if (y < c8) g += 1;
        else g -= 1;
        rest = (die + sleep + settle) * e + (wake + lose) * q + (birth + death) * g;
    }
}

static double cpu_seconds() {
    timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec + 1e-9 * now.tv_nsec;
}

int main(int argc, char **argv) {
    if (argc != 6) return std::fprintf(stderr, "usage: direct plain|unrolled|hot parameters.txt trajectories seed results.bin\n"), 2;
    double k[REACTIONS];
    std::FILE *in = std::fopen(argv[2], "r");
    if (!in) return std::fprintf(stderr, "direct: cannot read %s\n", argv[2]), 3;
    for (double &rate : k)
        if (std::fscanf(in, "%lf", &rate) != 1) return std::fprintf(stderr, "direct: fewer than 10 rates\n"), 3;
    std::fclose(in);
    auto run = !std::strcmp(argv[1], "plain")      ? run_plain
               : !std::strcmp(argv[1], "unrolled") ? run_unrolled<false>
               : !std::strcmp(argv[1], "hot")      ? run_unrolled<true>
                                                   : nullptr;
    if (!run) return std::fprintf(stderr, "direct: unknown variant %s\n", argv[1]), 2;
    const int n = std::atoi(argv[3]);
    const uint64_t seed = std::strtoull(argv[4], nullptr, 10);
    std::vector<int64_t> results((size_t)n * DAYS * SPECIES, 0);
    build_ziggurat();
    uint64_t events = 0;
    const double start = cpu_seconds();
    for (int i = 0; i < n; i++) events += run(k, seed * 0x100000000ULL + i, &results[(size_t)i * DAYS * SPECIES]);
    const double seconds = cpu_seconds() - start;
    std::printf("%llu %.9g\n", (unsigned long long)events, seconds);
    std::FILE *out = std::fopen(argv[5], "wb");
    if (!out || std::fwrite(results.data(), 8, results.size(), out) != results.size()) return 4;
    return std::fclose(out) ? 4 : 0;
}
