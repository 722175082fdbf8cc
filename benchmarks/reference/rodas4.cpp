// Scalar Rodas4 (Hairer and Wanner, Solving ODEs II: 6 stages, order 4(3), stiffly accurate, dense output of order 3)
// for ctc_five, written to be beaten honestly: analytic Jacobian, every stage unrolled in registers, PI control, dense output
// only where a save time falls into the step.
//
//   rodas4 VARIANT parameters.bin n rtol atol results.bin|-
//     VARIANT  dense   LU of the 5 x 5 matrix with partial pivoting: what a general program does
//              sparse  elimination written by hand for this model's Jacobian, 5 divisions and no pivoting
//     parameters.bin, results.bin as in taylor.cpp. "-" writes nothing and reuses a buffer of 64 trajectories for the timing:
//     fresh pages for 10 000 results would cost as much as the arithmetic.
// Prints "trajectories seconds steps rejected checksum"; CPU seconds of the integration alone.
//
// g++ -O3 -march=native -o rodas4 rodas4.cpp
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <vector>

#include "rodas4.hpp"

constexpr int N = 5, SAVES = 366;
constexpr double GAP = 10;  // days between saves

struct Model {
    double r, K, k_int, k_re, k_ext, k_d, k_g, k_w, r_G, loss_B, loss_E, loss_Q, loss_G, r_over_K, r_over_KG;
    explicit Model(const double *p)
        : r(p[0]), K(p[1]), k_int(p[2]), k_re(p[3]), k_ext(p[6]), k_d(p[7]), k_g(p[8]), k_w(p[10]), r_G(p[12]),
          loss_B(p[4] + p[5] + p[6]), loss_E(p[7] + p[8] + p[9]), loss_Q(p[10] + p[11]), loss_G(p[3] + p[14]),
          r_over_K(p[0] / p[1]), r_over_KG(p[12] / p[13]) {}
    void rates(const double *y, double *f) const {
        f[0] = y[0] * (r - k_int - r_over_K * y[0]);
        f[1] = k_int * y[0] + k_re * y[4] - loss_B * y[1];
        f[2] = k_ext * y[1] - loss_E * y[2];
        f[3] = k_d * y[2] - loss_Q * y[3];
        f[4] = k_g * y[2] + k_w * y[3] + y[4] * (r_G - loss_G - r_over_KG * y[4]);
    }
};

// Factors of W = I/(h gamma) - J: the Jacobian is a chain T -> B -> E -> Q -> G closed by G -> B
struct Sparse {
    double T, B, E, Q, G, fill_B, fill_E, fill_Q;
    Sparse(const Model &m, const double *y, double g) {
        T = 1 / (g - (m.r - m.k_int - 2 * m.r_over_K * y[0]));
        B = 1 / (g + m.loss_B), E = 1 / (g + m.loss_E), Q = 1 / (g + m.loss_Q);
        fill_B = m.k_re * B, fill_E = m.k_ext * fill_B * E, fill_Q = m.k_d * fill_E * Q;
        G = 1 / (g - (m.r_G - m.loss_G - 2 * m.r_over_KG * y[4]) - m.k_g * fill_E - m.k_w * fill_Q);
    }
    void solve(const Model &m, const double *b, double *x) const {
        x[0] = b[0] * T;
        const double u1 = (b[1] + m.k_int * x[0]) * B, u2 = (b[2] + m.k_ext * u1) * E, u3 = (b[3] + m.k_d * u2) * Q;
        x[4] = (b[4] + m.k_g * u2 + m.k_w * u3) * G;
        x[1] = u1 + fill_B * x[4], x[2] = u2 + fill_E * x[4], x[3] = u3 + fill_Q * x[4];
    }
};

struct Dense {
    double w[N][N] = {};
    int row[N];
    Dense(const Model &m, const double *y, double g) {
        w[0][0] = g - (m.r - m.k_int - 2 * m.r_over_K * y[0]);
        w[1][0] = -m.k_int, w[1][1] = g + m.loss_B, w[1][4] = -m.k_re;
        w[2][1] = -m.k_ext, w[2][2] = g + m.loss_E;
        w[3][2] = -m.k_d, w[3][3] = g + m.loss_Q;
        w[4][2] = -m.k_g, w[4][3] = -m.k_w, w[4][4] = g - (m.r_G - m.loss_G - 2 * m.r_over_KG * y[4]);
        for (int k = 0; k < N; k++) {
            int pivot = k;
            for (int i = k + 1; i < N; i++)
                if (std::fabs(w[i][k]) > std::fabs(w[pivot][k])) pivot = i;
            row[k] = pivot;
            if (pivot != k)
                for (int j = 0; j < N; j++) std::swap(w[k][j], w[pivot][j]);
            w[k][k] = 1 / w[k][k];
            for (int i = k + 1; i < N; i++) {
                w[i][k] *= w[k][k];
                for (int j = k + 1; j < N; j++) w[i][j] -= w[i][k] * w[k][j];
            }
        }
    }
    void solve(const Model &, const double *b, double *x) const {
        std::memcpy(x, b, N * sizeof *x);
        for (int k = 0; k < N; k++)
            if (row[k] != k) std::swap(x[k], x[row[k]]);
        for (int k = 0; k < N; k++)
            for (int i = k + 1; i < N; i++) x[i] -= w[i][k] * x[k];
        for (int k = N - 1; k >= 0; k--) {
            for (int j = k + 1; j < N; j++) x[k] -= w[k][j] * x[j];
            x[k] *= w[k][k];
        }
    }
};

struct Counts {
    long steps = 0, rejected = 0;
};

template <class Factors> static bool integrate(const double *parameters, double rtol, double atol, double *out, Counts &counts) {
    const Model m(parameters);
    double y[N] = {1e6, 0, 0, 0, 0}, u[STAGES][N], t = 0, h = 1e-2, error_before = 1;
    bool rejected = false;
    std::memcpy(out, y, sizeof y);
    for (int save = 1; save < SAVES;) {
        if (++counts.steps > 200000000L) return false;
        const Factors factors(m, y, 1 / (h * GAMMA));
        const double over_h = 1 / h;
        double argument[N];
#pragma GCC unroll 6
        for (int i = 0; i < STAGES; i++) {
            double f[N];
            for (int s = 0; s < N; s++) {
                double sum = y[s];
                for (int j = 0; j < i; j++) sum += A[i][j] * u[j][s];
                argument[s] = i == 5 ? argument[s] + u[4][s] : sum;
            }
            m.rates(argument, f);
            for (int s = 0; s < N; s++) {
                double sum = 0;
                for (int j = 0; j < i; j++) sum += C[i][j] * u[j][s];
                f[s] += sum * over_h;
            }
            factors.solve(m, f, u[i]);
        }
        double y1[N], square = 0;
        for (int s = 0; s < N; s++) {
            y1[s] = argument[s] + u[5][s];
            const double e = u[5][s] / (atol + rtol * std::max(std::fabs(y[s]), std::fabs(y1[s])));
            square += e * e;
        }
        const double error = std::max(std::sqrt(square / N), 1e-10);
        if (!(error < 1e300)) return false;
        if (error > 1) {
            counts.rejected++, rejected = true;
            h *= std::max(0.9 * std::sqrt(1 / std::sqrt(error)), 0.1);
            continue;
        }
        const double t1 = t + h;
        if (GAP * save <= t1) {
            double k1[N], k2[N];
            for (int s = 0; s < N; s++) {
                k1[s] = k2[s] = 0;
                for (int j = 0; j < 5; j++) k1[s] += H[0][j] * u[j][s], k2[s] += H[1][j] * u[j][s];
            }
            for (; save < SAVES && GAP * save <= t1; save++) {
                const double q = (GAP * save - t) * over_h, p = 1 - q;
                for (int s = 0; s < N; s++) out[save * N + s] = p * y[s] + q * (y1[s] + p * (k1[s] + q * k2[s]));
            }
        }
        double factor = std::clamp(0.9 * std::pow(error, -0.175) * std::pow(error_before, 0.1), 0.2, 6.0);
        if (rejected) factor = std::min(factor, 1.0);
        rejected = false, error_before = std::max(error, 1e-4), h *= factor, t = t1;
        std::memcpy(y, y1, sizeof y);
    }
    return true;
}

static double cpu_seconds() {
    timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec + 1e-9 * now.tv_nsec;
}

int main(int argc, char **argv) {
    if (argc != 7) return std::fprintf(stderr, "usage: rodas4 dense|sparse parameters.bin n rtol atol results.bin|-\n"), 2;
    const int n = std::atoi(argv[3]);
    const double rtol = std::atof(argv[4]), atol = std::atof(argv[5]);
    const bool dense = !std::strcmp(argv[1], "dense");
    if (!dense && std::strcmp(argv[1], "sparse")) return std::fprintf(stderr, "rodas4: unknown variant %s\n", argv[1]), 2;
    const auto solve = dense ? integrate<Dense> : integrate<Sparse>;
    const bool keep = std::strcmp(argv[6], "-");
    const size_t size = (size_t)SAVES * N, slots = keep ? n : 64;
    std::vector<double> parameters(15 * (size_t)n), results(slots * size, 0.0);
    std::FILE *in = std::fopen(argv[2], "rb");
    if (!in || std::fread(parameters.data(), 8, parameters.size(), in) != parameters.size())
        return std::fprintf(stderr, "rodas4: cannot read %d draws from %s\n", n, argv[2]), 3;
    std::fclose(in);
    Counts counts;
    double checksum = 0;
    const double start = cpu_seconds();
    for (int d = 0; d < n; d++) {
        double *out = &results[d % slots * size];
        if (!solve(&parameters[15 * (size_t)d], rtol, atol, out, counts))
            return std::fprintf(stderr, "rodas4: draw %d failed\n", d), 5;
        checksum += out[size - 1];
    }
    const double seconds = cpu_seconds() - start;
    std::printf("%d %.9g %ld %ld %.17g\n", n, seconds, counts.steps, counts.rejected, checksum);
    if (!keep) return 0;
    std::FILE *out = std::fopen(argv[6], "wb");
    if (!out || std::fwrite(results.data(), 8, results.size(), out) != results.size()) return 4;
    return std::fclose(out) ? 4 : 0;
}
