// Exact jump process of any network of mass action (at most two reactants, different ones), written to be beaten
// honestly: xoshiro256++ and a 256-layer ziggurat exponential, no allocation while it runs, answers into a buffer that
// is used again. Two ways to the next event:
//
//   direct  all propensities into an array, running sum, linear search: Gillespie 1977
//   graph   a dependency graph, so that only what changed is computed again (Gibson and Bruck 2000), and the choice by
//           composition and rejection over groups of propensities by powers of two (Slepoy, Thompson and Plimpton 2008,
//           doi:10.1063/1.2919546): the cost of an event does not grow with the number of reactions
//
// A library for ctypes: g++ -O3 -march=native -shared -fPIC -o network.so network.cpp
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "random.hpp"

static double exponential(Stream &stream) {
    for (;;) {
        const uint64_t bits = stream.next(), abscissa = bits >> 11;
        const unsigned layer = bits & 255;
        const double x = (double)(int64_t)abscissa * layer_width[layer];
        if (__builtin_expect(abscissa < layer_inside[layer], 1)) return x;
        if (layer == 0) return TAIL - std::log1p(-stream.uniform());
        if (layer_height[layer] + stream.uniform() * (layer_height[layer - 1] - layer_height[layer]) < std::exp(-x)) return x;
    }
}

struct Network {
    int species, reactions, saves;
    const double *start, *constant, *times;
    const int *first, *second;          // reactants; `species` where there is none, a place that holds 1
    const int *from, *who;              // changes of reaction j: who[from[j] .. from[j + 1]), by so many:
    const double *by;
    std::vector<double> x;
    std::vector<int> after, touched;    // touched[after[j] .. after[j + 1]): whose propensities change when j fires

    double propensity(int j) const {
        return constant[j] * x[first[j]] * x[second[j]];
    }
    void begin() {
        x.assign(start, start + species);
        x.push_back(1.0);
    }
    void fire(int j) {
        for (int i = from[j]; i < from[j + 1]; i++) x[who[i]] += by[i];
    }
    void graph() {
        after.assign(1, 0);
        for (int j = 0; j < reactions; j++) {
            for (int other = 0; other < reactions; other++) {
                bool hit = false;
                for (int i = from[j]; i < from[j + 1]; i++) hit |= who[i] == first[other] || who[i] == second[other];
                if (hit) touched.push_back(other);
            }
            after.push_back((int)touched.size());
        }
    }
    // Saves what is due before t; true at the end
    bool due(double t, int &save, double *out) const {
        while (t > times[save]) {
            std::copy(x.begin(), x.end() - 1, out + (size_t)save * species);
            if (++save == saves) return true;
        }
        return false;
    }
};

static uint64_t run_direct(Network &net, uint64_t seed, double *out) {
    Stream stream(seed);
    std::vector<double> sums(net.reactions);
    net.begin();
    const int reactions = net.reactions;
    double *__restrict sum = sums.data();
    const double *__restrict constant = net.constant, *__restrict x = net.x.data();
    const int *__restrict first = net.first, *__restrict second = net.second;
    double t = 0;
    uint64_t events = 0;
    for (int save = 0;;) {
        double total = 0;
        for (int j = 0; j < reactions; j++) sum[j] = total += constant[j] * x[first[j]] * x[second[j]];
        t += total > 0 ? exponential(stream) / total : INFINITY;
        if (net.due(t, save, out)) return events;
        const double y = stream.uniform() * total;
        int j = 0;
        while (j < reactions - 1 && y >= sum[j]) j++;
        net.fire(j);
        events++;
    }
}

constexpr int GROUPS = 128, MIDDLE = 64;  // group g: propensities from 2^(g - MIDDLE) to twice that

struct Groups {
    std::vector<double> a;
    std::vector<int> group, place;  // of each reaction; group -1: nothing
    std::vector<int> members[GROUPS];
    double sum[GROUPS];
    int low, high;  // the groups in use lie in [low, high)

    static int of(double a) {
        uint64_t bits;
        std::memcpy(&bits, &a, 8);
        return a > 0 ? std::min(std::max((int)(bits >> 52) - 1023 + MIDDLE, 0), GROUPS - 1) : -1;
    }
    void begin(const Network &net) {
        a.assign(net.reactions, 0.0), group.assign(net.reactions, -1), place.assign(net.reactions, 0);
        for (auto &m : members) m.clear();
        std::fill(sum, sum + GROUPS, 0.0);
        low = GROUPS, high = 0;
        for (int j = 0; j < net.reactions; j++) set(j, net.propensity(j));
    }
    void set(int j, double now) {
        const int old = group[j], next = of(now);
        if (old == next) {
            if (next >= 0) sum[next] += now - a[j];
        } else {
            if (old >= 0) {
                auto &m = members[old];
                sum[old] = m.size() == 1 ? 0.0 : sum[old] - a[j];
                place[m.back()] = place[j], m[place[j]] = m.back(), m.pop_back();
            }
            if (next >= 0) {
                place[j] = (int)members[next].size(), members[next].push_back(j), sum[next] += now;
                low = std::min(low, next), high = std::max(high, next + 1);
            }
            group[j] = next;
        }
        a[j] = now;
    }
    void add_up() {  // the sums drift by rounding
        for (int g = low; g < high; g++) {
            sum[g] = 0;
            for (int j : members[g]) sum[g] += a[j];
        }
    }
};

static uint64_t run_graph(Network &net, Groups &groups, uint64_t seed, double *out) {
    Stream stream(seed);
    net.begin();
    groups.begin(net);
    double t = 0;
    uint64_t events = 0;
    for (int save = 0;;) {
        double total = 0;
        for (int g = groups.low; g < groups.high; g++) total += groups.sum[g];
        t += total > 0 ? exponential(stream) / total : INFINITY;
        if (net.due(t, save, out)) return events;
        double y = stream.uniform() * total;
        int g = groups.high - 1;
        while (g > groups.low && (y >= groups.sum[g] || groups.members[g].empty())) y -= groups.sum[g--];
        const auto &m = groups.members[g];
        if (m.empty()) continue;  // a sum that rounding left above zero
        const double most = std::ldexp(1.0, g - MIDDLE + 1);
        int j;
        do {
            const double place = stream.uniform() * (double)m.size();
            const int i = (int)place;
            j = m[i];
            if ((place - i) * most < groups.a[j]) break;
        } while (true);
        net.fire(j);
        for (int i = net.after[j]; i < net.after[j + 1]; i++) groups.set(net.touched[i], net.propensity(net.touched[i]));
        if ((++events & 0xffff) == 0) groups.add_up();
    }
}

// out: float64 (trajectories, saves, species), or of one trajectory if `keep` is 0. Returns the events fired.
extern "C" uint64_t run(int graph, int species, int reactions, int saves, const double *start, const double *constant,
                        const double *times, const int *first, const int *second, const int *from, const int *who,
                        const double *by, int trajectories, uint64_t seed, int keep, double *out) {
    build_ziggurat();
    Network net{species, reactions, saves, start, constant, times, first, second, from, who, by, {}, {}, {}};
    Groups groups;
    if (graph) net.graph();
    uint64_t events = 0;
    for (int i = 0; i < trajectories; i++) {
        double *here = out + (keep ? (size_t)i * saves * species : 0);
        const uint64_t own = seed * 0x100000000ULL + i;
        events += graph ? run_graph(net, groups, own, here) : run_direct(net, own, here);
    }
    return events;
}
