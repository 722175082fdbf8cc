// Chemical Langevin equation of ctc_linear by Euler-Maruyama, fixed step: the scalar program that a careful person
// writes. xoshiro256++ and the polar method of Marsaglia; birth and death of a species share a noise, so eight normals
// a step; propensities count what is below zero as none.
//
//     langevin rates.txt trajectories seed results.bin|- [steps a day]      prints "steps seconds" (CPU time of the work)
//
// rates.txt: shed clear leave die sleep settle wake lose birth death, per day. 100 days in steps of 0.01 day unless told otherwise, a
// save a day; results.bin: float64 (trajectories, 100, 4).
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "random.hpp"

struct Random : Stream {
    using Stream::Stream;
    double spare = 0;
    bool has_spare = false;
    double normal() {
        if (has_spare) {
            has_spare = false;
            return spare;
        }
        double x, y, r;
        do {
            x = 2 * uniform() - 1;
            y = 2 * uniform() - 1;
            r = x * x + y * y;
        } while (r >= 1 || r == 0);
        const double f = std::sqrt(-2 * std::log(r) / r);
        spare = y * f;
        has_spare = true;
        return x * f;
    }
};

int main(int argc, char **argv) {
    if (argc != 5 && argc != 6) {
        std::fprintf(stderr, "usage: langevin rates.txt trajectories seed results.bin|- [steps a day]\n");
        return 2;
    }
    double k[10];
    FILE *rates = std::fopen(argv[1], "r");
    for (double &value : k)
        if (!rates || std::fscanf(rates, "%lf", &value) != 1) return 3;
    std::fclose(rates);
    const long count = std::atol(argv[2]);
    const int days = 100, steps = argc == 6 ? std::atoi(argv[5]) : 100;
    const double h = 1.0 / steps, root = std::sqrt(h);
    std::vector<double> out(count * days * 4);
    const std::clock_t start = std::clock();
    for (long id = 0; id < count; ++id) {
        Random random(std::strtoull(argv[3], nullptr, 10) * 1000003ULL + id);
        double B = 0, E = 0, Q = 0, G = 0;
        for (int day = 0; day < days; ++day) {
            for (int step = 0; step < steps; ++step) {
                const double b = B > 0 ? B : 0, e = E > 0 ? E : 0, q = Q > 0 ? Q : 0, g = G > 0 ? G : 0;
                const double shed = k[0], clear = k[1] * b, leave = k[2] * b, die = k[3] * e, sleep = k[4] * e,
                             settle = k[5] * e, wake = k[6] * q, lose = k[7] * q, birth = k[8] * g, death = k[9] * g;
                const double n0 = std::sqrt(shed + clear) * root * random.normal();
                const double n1 = std::sqrt(leave) * root * random.normal();
                const double n2 = std::sqrt(die) * root * random.normal();
                const double n3 = std::sqrt(sleep) * root * random.normal();
                const double n4 = std::sqrt(settle) * root * random.normal();
                const double n5 = std::sqrt(wake) * root * random.normal();
                const double n6 = std::sqrt(lose) * root * random.normal();
                const double n7 = std::sqrt(birth + death) * root * random.normal();
                B += h * (shed - clear - leave) + n0 - n1;
                E += h * (leave - die - sleep - settle) + n1 - n2 - n3 - n4;
                Q += h * (sleep - wake - lose) + n3 - n5 - n6;
                G += h * (settle + wake + birth - death) + n4 + n5 + n7;
            }
            double *row = &out[(id * days + day) * 4];
            row[0] = B, row[1] = E, row[2] = Q, row[3] = G;
        }
    }
    const double seconds = double(std::clock() - start) / CLOCKS_PER_SEC;
    std::printf("%.17g %.9g\n", double(count) * days * steps, seconds);
    if (std::string(argv[4]) != "-") {
        FILE *file = std::fopen(argv[4], "wb");
        if (!file || std::fwrite(out.data(), 8, out.size(), file) != out.size()) return 4;
        std::fclose(file);
    }
}
