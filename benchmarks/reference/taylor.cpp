// Reference solution of ctc_five: Taylor series of order 28 in 80-bit long double, fixed step 0.1 day.
// The fastest rate is below 40/day (k_sh + k_nk + k_ext of the benchmark's draws), so the truncation error
// (4^29/29! = 3e-14 of a step's stiff deviation, which is damped at once) is beneath double precision.
//
//   taylor parameters.bin n results.bin [steps_per_interval=100]
//
// parameters.bin: float64 (n, 15) in the order r K k_int k_re k_sh k_nk k_ext k_d k_g m_E k_w m_Q r_G K_G m_G (per day)
// results.bin:    float64 (n, 366, 5): T B E Q G (cells) at days 0, 10, ..., 3650
#include <cstdio>
#include <cstdlib>
#include <vector>

constexpr int ORDER = 28, SAVES = 366;
using Real = long double;

static void advance(const double *p, Real *y, Real h) {
    const Real r = p[0], K = p[1], k_int = p[2], k_re = p[3], loss_B = (Real)p[4] + p[5] + p[6], k_ext = p[6], k_d = p[7],
               k_g = p[8], loss_E = (Real)p[7] + p[8] + p[9], k_w = p[10], loss_Q = (Real)p[10] + p[11], r_G = p[12],
               K_G = p[13], m_G = p[14];
    Real T[ORDER + 1], B[ORDER + 1], E[ORDER + 1], Q[ORDER + 1], G[ORDER + 1];
    T[0] = y[0], B[0] = y[1], E[0] = y[2], Q[0] = y[3], G[0] = y[4];
    for (int k = 0; k < ORDER; k++) {
        Real TT = 0, GG = 0;
        for (int j = 0; j <= k; j++) TT += T[j] * T[k - j], GG += G[j] * G[k - j];
        const Real scale = Real(1) / (k + 1);
        T[k + 1] = scale * ((r - k_int) * T[k] - r / K * TT);
        B[k + 1] = scale * (k_int * T[k] + k_re * G[k] - loss_B * B[k]);
        E[k + 1] = scale * (k_ext * B[k] - loss_E * E[k]);
        Q[k + 1] = scale * (k_d * E[k] - loss_Q * Q[k]);
        G[k + 1] = scale * (k_g * E[k] + k_w * Q[k] + (r_G - k_re - m_G) * G[k] - r_G / K_G * GG);
    }
    Real *series[5] = {T, B, E, Q, G};
    for (int s = 0; s < 5; s++) {
        Real sum = series[s][ORDER];
        for (int k = ORDER - 1; k >= 0; k--) sum = sum * h + series[s][k];
        y[s] = sum;
    }
}

int main(int argc, char **argv) {
    if (argc < 4) return std::fprintf(stderr, "usage: taylor parameters.bin n results.bin [steps_per_interval]\n"), 2;
    const int n = std::atoi(argv[2]), steps = argc > 4 ? std::atoi(argv[4]) : 100;
    std::vector<double> parameters(15 * (size_t)n), results((size_t)n * SAVES * 5);
    std::FILE *in = std::fopen(argv[1], "rb");
    if (!in || std::fread(parameters.data(), 8, parameters.size(), in) != parameters.size()) return 3;
    std::fclose(in);
    for (int d = 0; d < n; d++) {
        Real y[5] = {1e6L, 0, 0, 0, 0};
        for (int k = 0; k < SAVES; k++) {
            for (int s = 0; s < 5; s++) results[((size_t)d * SAVES + k) * 5 + s] = (double)y[s];
            for (int i = 0; i < steps && k + 1 < SAVES; i++) advance(&parameters[15 * (size_t)d], y, Real(10) / steps);
        }
    }
    std::FILE *out = std::fopen(argv[3], "wb");
    if (!out || std::fwrite(results.data(), 8, results.size(), out) != results.size()) return 4;
    return std::fclose(out) ? 4 : 0;
}
