// Scalar integrators for any network, one trajectory at a time: the rates and their derivatives are generated into problem.hpp
// (peers/peer_cpp.py).
//
//   0  Rodas4 (Hairer and Wanner, Solving ODEs II: 6 stages, order 4(3), dense output of order 3), LU with partial pivoting
//   1  the same, the elimination generated for the pattern of the Jacobian, without pivoting
//   2  DOPRI5 (Hairer, Norsett and Wanner, Solving ODEs I: 7 stages, order 5(4), dense output of order 4)
//
// Analytic Jacobian, PI control of the step, dense output where a save time falls into the step.
// g++ -O3 -march=native -shared -fPIC -I FOLDER_OF_problem.hpp -o scalar.so scalar.cpp
#include <algorithm>
#include <cmath>
#include <cstring>

#include "rodas4.hpp"
#include "problem.hpp"  // N, P, SAVES, GAP (days), START, rates, Dense (w = 1/(h gamma) - J), Sparse

constexpr long MOST = 20000000;  // steps of one trajectory

struct Pivoted {
    double w[N][N];
    int row[N];
    Pivoted(const double *p, const double *y, double g) {
        std::memset(w, 0, sizeof w);
        Dense(p, y, g, w);
        for (int k = 0; k < N; k++) {
            int pivot = k;
            for (int i = k + 1; i < N; i++)
                if (std::fabs(w[i][k]) > std::fabs(w[pivot][k])) pivot = i;
            row[k] = pivot;
            if (pivot != k)
                for (int j = 0; j < N; j++) std::swap(w[k][j], w[pivot][j]);
            w[k][k] = 1 / w[k][k];
            for (int i = k + 1; i < N; i++) {
                if (w[i][k] == 0) continue;
                w[i][k] *= w[k][k];
                for (int j = k + 1; j < N; j++) w[i][j] -= w[i][k] * w[k][j];
            }
        }
    }
    void solve(const double *b, double *x) const {
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

struct Control {
    double before = 1, power, damping;
    bool rejected = false;
    Control(double power, double damping) : power(power), damping(damping) {}
    bool refused(double error, double &h, double order) {  // a step that is too wrong is repeated with a shorter one
        rejected = error > 1;
        if (rejected) h *= std::max(0.9 * std::pow(error, -1 / order), 0.1);
        return rejected;
    }
    double factor(double error, bool repeated) {
        double times = std::clamp(0.9 * std::pow(error, -power) * std::pow(before, damping), 0.2, 6.0);
        before = std::max(error, 1e-4);
        return repeated ? std::min(times, 1.0) : times;
    }
};

static double norm(const double *wrong, const double *y, const double *y1, double rtol, double atol) {
    double square = 0;
    for (int s = 0; s < N; s++) {
        const double e = wrong[s] / (atol + rtol * std::max(std::fabs(y[s]), std::fabs(y1[s])));
        square += e * e;
    }
    return std::max(std::sqrt(square / N), 1e-10);
}

template <class Factors> static bool rodas4(const double *p, double rtol, double atol, double *out) {
    static double y[N], u[STAGES][N], argument[N], f[N], y1[N], k1[N], k2[N];
    std::memcpy(y, START, sizeof y);
    std::memcpy(out, y, sizeof y);
    double t = 0, h = 1e-4 * GAP;
    Control control(0.175, 0.1);
    bool repeated = false;
    long steps = 0;
    for (int save = 1; save < SAVES;) {
        if (++steps > MOST) return false;
        const Factors factors(p, y, 1 / (h * GAMMA));
        const double over_h = 1 / h;
#pragma GCC unroll 6
        for (int i = 0; i < STAGES; i++) {
            for (int s = 0; s < N; s++) {
                double sum = y[s];
                for (int j = 0; j < i; j++) sum += A[i][j] * u[j][s];
                argument[s] = i == 5 ? argument[s] + u[4][s] : sum;
            }
            rates(p, argument, f);
            for (int s = 0; s < N; s++) {
                double sum = 0;
                for (int j = 0; j < i; j++) sum += C[i][j] * u[j][s];
                f[s] += sum * over_h;
            }
            factors.solve(f, u[i]);
        }
        for (int s = 0; s < N; s++) y1[s] = argument[s] + u[5][s];
        const double error = norm(u[5], y, y1, rtol, atol);
        if (!(error < 1e300)) return false;
        if (control.refused(error, h, 4)) {
            repeated = true;
            continue;
        }
        const double t1 = t + h;
        if (GAP * save <= t1) {
            for (int s = 0; s < N; s++) {
                k1[s] = k2[s] = 0;
                for (int j = 0; j < 5; j++) k1[s] += H[0][j] * u[j][s], k2[s] += H[1][j] * u[j][s];
            }
            for (; save < SAVES && GAP * save <= t1; save++) {
                const double q = (GAP * save - t) * over_h, r = 1 - q;
                for (int s = 0; s < N; s++) out[save * N + s] = r * y[s] + q * (y1[s] + r * (k1[s] + q * k2[s]));
            }
        }
        h *= control.factor(error, repeated), t = t1, repeated = false;
        std::memcpy(y, y1, sizeof y);
    }
    return true;
}

static bool dopri5(const double *p, double rtol, double atol, double *out) {
    static double y[N], y1[N], k[7][N], wrong[N], argument[N];
    constexpr double a[7][6] = {{0}, {1. / 5}, {3. / 40, 9. / 40}, {44. / 45, -56. / 15, 32. / 9},
        {19372. / 6561, -25360. / 2187, 64448. / 6561, -212. / 729},
        {9017. / 3168, -355. / 33, 46732. / 5247, 49. / 176, -5103. / 18656},
        {35. / 384, 0, 500. / 1113, 125. / 192, -2187. / 6784, 11. / 84}};
    constexpr double e[7] = {71. / 57600, 0, -71. / 16695, 71. / 1920, -17253. / 339200, 22. / 525, -1. / 40};
    constexpr double d[7] = {-12715105075. / 11282082432, 0, 87487479700. / 32700410799, -10690763975. / 1880347072,
        701980252875. / 199316789632, -1453857185. / 822651844, 69997945. / 29380423};
    std::memcpy(y, START, sizeof y);
    std::memcpy(out, y, sizeof y);
    double t = 0, h = 1e-4 * GAP;
    Control control(0.17, 0.04);
    bool repeated = false;
    long steps = 0;
    rates(p, y, k[0]);
    for (int save = 1; save < SAVES;) {
        if (++steps > MOST) return false;
#pragma GCC unroll 6
        for (int i = 1; i < 7; i++) {
            for (int s = 0; s < N; s++) {
                double sum = 0;
                for (int j = 0; j < i; j++) sum += a[i][j] * k[j][s];
                argument[s] = y[s] + h * sum;
            }
            if (i == 6) std::memcpy(y1, argument, sizeof y1);
            rates(p, argument, k[i]);
        }
        for (int s = 0; s < N; s++) {
            double sum = 0;
            for (int j = 0; j < 7; j++) sum += e[j] * k[j][s];
            wrong[s] = h * sum;
        }
        const double error = norm(wrong, y, y1, rtol, atol);
        if (!(error < 1e300)) return false;
        if (control.refused(error, h, 5)) {
            repeated = true;
            continue;
        }
        const double t1 = t + h;
        for (; save < SAVES && GAP * save <= t1; save++) {
            const double q = (GAP * save - t) / h, r = 1 - q;
            for (int s = 0; s < N; s++) {
                const double difference = y1[s] - y[s], bent = h * k[0][s] - difference;
                double last = 0;
                for (int j = 0; j < 7; j++) last += d[j] * k[j][s];
                out[save * N + s] = y[s] + q * (difference + r * (bent + q * (difference - h * k[6][s] - bent + r * h * last)));
            }
        }
        h *= control.factor(error, repeated), t = t1, repeated = false;
        std::memcpy(y, y1, sizeof y);
        std::memcpy(k[0], k[6], sizeof k[0]);
    }
    return true;
}

// -> -1, or the trajectory that failed. `slots`: how many trajectories `out` has room for; it is used again and again.
extern "C" long solve(int method, long n, const double *parameters, double rtol, double atol, double *out, long slots) {
    const auto one = method == 0 ? rodas4<Pivoted> : method == 1 ? rodas4<Sparse> : dopri5;
    for (long row = 0; row < n; row++)
        if (!one(parameters + row * P, rtol, atol, out + row % slots * SAVES * N)) return row;
    return -1;
}
