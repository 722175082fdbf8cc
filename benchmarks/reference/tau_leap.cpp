// Scalar adaptive tau-leaping (Cao, Gillespie and Petzold 2006) for ctc_linear, written to be beaten honestly: xoshiro256++,
// Poisson variates by transformed rejection with squeeze (Hoermann 1993, PTRS) from a mean of 10 and by inversion below,
// propensities and limits written out, 100 exact steps where a leap would hold fewer than 10 events, as in the paper.
//
//   tau_leap EPSILON TURNOVER parameters.txt trajectories seed results.bin
//     TURNOVER        a leap takes no more than TURNOVER * EPSILON of a species, as ours does with 10; inf: the paper's rule
//     parameters.txt  the 10 rate constants (per day; shedding in cells per day) in the order
//                     shed clear leave die sleep settle wake lose birth death, separated by white space
//     results.bin     int64 (trajectories, DAYS, 4): cells B E Q G at days 1, 2, ..., 100
// Prints "trajectories seconds steps": CPU seconds of the simulation alone, leaps and exact steps together.
//
// g++ -O3 -march=native -o tau_leap tau_leap.cpp
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "random.hpp"

constexpr int SPECIES = 4, REACTIONS = 10, DAYS = 100;
constexpr int REACTANT[REACTIONS] = {-1, 0, 0, 1, 1, 1, 2, 2, 3, 3};
constexpr int CHANGE[REACTIONS][SPECIES] = {{1, 0, 0, 0},  {-1, 0, 0, 0}, {-1, 1, 0, 0}, {0, -1, 0, 0}, {0, -1, 1, 0},
                                            {0, -1, 0, 1}, {0, 0, -1, 1}, {0, 0, -1, 0}, {0, 0, 0, 1},  {0, 0, 0, -1}};
constexpr bool LOSES[REACTIONS] = {false, true, true, true, true, true, true, true, false, true};

struct Draws : Stream {
    using Stream::Stream;
    double uniform() { return ((next() >> 11) + 0.5) * 0x1p-53; }
    double exponential() { return -std::log(uniform()); }
    double poisson(double mean) {
        if (mean <= 0) return 0;
        if (mean < 10) {
            double u = uniform(), p = std::exp(-mean), k = 0;
            while (u > p && k < 200) u -= p, p *= mean / ++k;
            return k;
        }
        const double root = std::sqrt(mean), b = 0.931 + 2.53 * root, a = -0.059 + 0.02483 * b;
        const double inverse = 1.1239 + 1.1328 / (b - 3.4), v_r = 0.9277 - 3.6224 / (b - 2);
        for (;;) {
            const double u = uniform() - 0.5, v = uniform(), us = 0.5 - std::fabs(u);
            const double k = std::floor((2 * a / us + b) * u + mean + 0.43);
            if (us >= 0.07 && v <= v_r) return k;
            if (k < 0 || (us < 0.013 && v > us)) continue;
            if (std::log(v * inverse / (a / (us * us) + b)) <= k * std::log(mean) - mean - std::lgamma(k + 1)) return k;
        }
    }
};

static inline double propensities(const double *k, const double *x, double *a) {
    double total = 0;
    for (int j = 0; j < REACTIONS; j++) total += a[j] = REACTANT[j] < 0 ? k[j] : k[j] * x[REACTANT[j] < 0 ? 0 : REACTANT[j]];
    return total;
}

static inline int choose(const double *a, double y) {
    int j = 0;
    for (double sum = a[0]; j < REACTIONS - 1 && y >= sum; sum += a[++j]) {}
    return j;
}

static uint64_t run(const double *k, double epsilon, double turnover, uint64_t seed, int64_t *out) {
    Draws stream(seed);
    double x[SPECIES] = {0, 0, 0, 0}, a[REACTIONS], t = 0;
    uint64_t steps = 0;
    for (int day = 0; day < DAYS;) {
        double total = propensities(k, x, a), mean[SPECIES] = {}, variance[SPECIES] = {}, taken[SPECIES] = {}, critical_sum = 0;
        bool critical[REACTIONS];
        for (int j = 0; j < REACTIONS; j++) {
            critical[j] = LOSES[j] && a[j] > 0 && x[REACTANT[j]] < 10;
            if (critical[j]) critical_sum += a[j];
            else
                for (int s = 0; s < SPECIES; s++) {
                    mean[s] += CHANGE[j][s] * a[j], variance[s] += CHANGE[j][s] * CHANGE[j][s] * a[j];
                    if (CHANGE[j][s] < 0) taken[s] += a[j];
                }
        }
        double leap = INFINITY;
        for (int s = 0; s < SPECIES; s++)
            if (variance[s] > 0) {
                const double room = std::max(epsilon * x[s], 1.0);
                leap = std::min(leap, std::min(room / std::fabs(mean[s]), room * room / variance[s]));
                if (taken[s] > 0) leap = std::min(leap, turnover * epsilon * x[s] / taken[s]);
            }
        if (leap < 10 / total) {
            for (int burst = 0; burst < 100; burst++, steps++) {
                if (burst) total = propensities(k, x, a);
                t += stream.exponential() / total;
                while (t > day + 1) {
                    for (int s = 0; s < SPECIES; s++) out[SPECIES * day + s] = (int64_t)x[s];
                    if (++day == DAYS) return steps;
                }
                const int j = choose(a, stream.uniform() * total);
                for (int s = 0; s < SPECIES; s++) x[s] += CHANGE[j][s];
            }
            continue;
        }
        const double wait = critical_sum > 0 ? stream.exponential() / critical_sum : INFINITY;
        for (;;) {
            double h = std::min(leap, day + 1 - t), y[SPECIES];
            const bool fires = wait <= h;
            if (fires) h = wait;
            for (int s = 0; s < SPECIES; s++) y[s] = x[s];
            for (int j = 0; j < REACTIONS; j++)
                if (!critical[j]) {
                    const double n = stream.poisson(a[j] * h);
                    for (int s = 0; s < SPECIES; s++) y[s] += CHANGE[j][s] * n;
                }
            if (fires) {
                double left = stream.uniform() * critical_sum;
                for (int j = 0; j < REACTIONS; j++)
                    if (critical[j] && (left -= a[j]) < 0) {
                        for (int s = 0; s < SPECIES; s++) y[s] += CHANGE[j][s];
                        break;
                    }
            }
            if (std::min(std::min(y[0], y[1]), std::min(y[2], y[3])) < 0) {
                leap /= 2;
                continue;
            }
            for (int s = 0; s < SPECIES; s++) x[s] = y[s];
            const bool saves = !fires && h >= day + 1 - t;
            t = saves ? day + 1 : t + h;
            if (saves) {
                for (int s = 0; s < SPECIES; s++) out[SPECIES * day + s] = (int64_t)x[s];
                day++;
            }
            steps++;
            break;
        }
    }
    return steps;
}

static double cpu_seconds() {
    timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec + 1e-9 * now.tv_nsec;
}

int main(int argc, char **argv) {
    if (argc != 7) return std::fprintf(stderr, "usage: tau_leap epsilon turnover parameters.txt trajectories seed results.bin\n"), 2;
    double k[REACTIONS];
    std::FILE *in = std::fopen(argv[3], "r");
    if (!in) return std::fprintf(stderr, "tau_leap: cannot read %s\n", argv[3]), 3;
    for (double &rate : k)
        if (std::fscanf(in, "%lf", &rate) != 1) return std::fprintf(stderr, "tau_leap: fewer than 10 rates\n"), 3;
    std::fclose(in);
    const int n = std::atoi(argv[4]);
    const uint64_t seed = std::strtoull(argv[5], nullptr, 10);
    std::vector<int64_t> results((size_t)n * DAYS * SPECIES, 0);
    uint64_t steps = 0;
    const double start = cpu_seconds();
    for (int i = 0; i < n; i++)
        steps += run(k, std::atof(argv[1]), std::atof(argv[2]), seed * 0x100000000ULL + i, &results[(size_t)i * DAYS * SPECIES]);
    const double seconds = cpu_seconds() - start;
    std::printf("%d %.9g %llu\n", n, seconds, (unsigned long long)steps);
    std::FILE *out = std::fopen(argv[6], "wb");
    if (!out || std::fwrite(results.data(), 8, results.size(), out) != results.size()) return 4;
    return std::fclose(out) ? 4 : 0;
}
