// Student's t distributions around the cascade's predictions, their Bayes mixture with fixed share (Herbster and
// Warmuth), and an adaptive map of the mixture's cdf values (probability integral transform). With an even number of
// degrees of freedom the cdf is algebraic: with t = x / sqrt(nu), c = 1 / (1 + t*t), it is
// 1/2 + t sqrt(c) (1/2 + c/4 + 3c^2/16 + 5c^3/32) for nu = 8, with fewer terms for 4 and 2.
#pragma once

constexpr double kUniform = 1e-9;    // density that every distribution has everywhere
constexpr double kBeyond = 40000.0;  // stands for the ends of the line in the uniform part

struct alignas(64) Experts {
    int count, seen;
    const Preset* preset;
    double least;
    double centre[kMaxExperts], inverse[kMaxExperts], mean[kMaxExperts], rate[kMaxExperts], spread[kMaxExperts];
    double c1[kMaxExperts], c2[kMaxExperts], c3[kMaxExperts], weight[kMaxExperts], slow[kMaxExperts];
};

// The cdfs of all experts, and the mixture's, at one point.
struct alignas(64) Point {
    double cdf[kMaxExperts];
    double mixed, slow, mapped, value;  // slow: by the second weights; mapped: of `mixed`; value: what fast codes with
    double corrected;                   // of `mixed`, by a network; 0 without one
    double spare[3];
};

inline void prepare(Experts& e, const Preset& preset, double unit) {
    e.preset = &preset, e.count = preset.experts, e.seen = 0, e.least = 0.05 * unit;
    for (int i = 0; i < e.count; ++i) {
        const ExpertOptions& o = preset.expert[i];
        e.mean[i] = 64.0;
        e.rate[i] = 1.0 / static_cast<double>(1 << o.window);
        e.spread[i] = o.freedom == 2 ? 1.0 : o.freedom == 4 ? 2.0 : 3.2;
        e.c1[i] = o.freedom >= 4 ? 0.25 : 0.0;
        e.c2[i] = o.freedom >= 8 ? 0.1875 : 0.0;
        e.c3[i] = o.freedom >= 8 ? 0.15625 : 0.0;
        e.weight[i] = e.slow[i] = 1.0 / e.count;
    }
}

inline void aim(Experts& e, const double* guess) {
    for (int i = 0; i < e.count; ++i) e.centre[i] = guess[e.preset->expert[i].source];
    const D8 one = dset(1.0), least = dset(e.least);
    for (int i = 0; i < e.count; i += 8)
        dstore(e.inverse + i, ddiv(one, dmul(dadd(dload(e.mean + i), least), dload(e.spread + i))));
}

inline void evaluate(const Experts& e, double x, Point& out) {
    const D8 one = dset(1.0), half = dset(0.5), at = dset(x), even = dset(x * kUniform);
    D8 sum = dset(0.0), slow = dset(0.0);
    for (int i = 0; i < e.count; i += 8) {
        const D8 t = dmul(dsub(at, dload(e.centre + i)), dload(e.inverse + i));
        const D8 r = ddiv(one, dsqrt(dadd(one, dmul(t, t))));
        const D8 c = dmul(r, r);
        D8 p = dadd(dload(e.c2 + i), dmul(c, dload(e.c3 + i)));
        p = dadd(dload(e.c1 + i), dmul(c, p));
        p = dadd(half, dmul(c, p));
        const D8 cdf = dadd(dadd(half, dmul(dmul(t, r), p)), even);
        dstore(out.cdf + i, cdf);
        sum = dadd(sum, dmul(dload(e.weight + i), cdf));
        slow = dadd(slow, dmul(dload(e.slow + i), cdf));
    }
    out.mixed = dfold(sum);
    out.slow = dfold(slow);
}

inline void end_point(const Experts& e, double side, Point& out) {
    const double x = side * kBeyond * kUniform + (side > 0.0 ? 1.0 : 0.0);
    for (int i = 0; i < e.count; ++i) out.cdf[i] = x;
    out.mixed = out.slow = x;
}

// Weights after the sample in the interval from `low` to `high`: the posterior, and a share of even weights.
inline void follow(const Experts& e, const Point& low, const Point& high, double share, double* weight) {
    D8 sum = dset(0.0), posterior[kMaxExperts / 8];
    for (int i = 0; i < e.count; i += 8) {
        posterior[i / 8] = dmul(dload(weight + i), dsub(dload(high.cdf + i), dload(low.cdf + i)));
        sum = dadd(sum, posterior[i / 8]);
    }
    const D8 scale = dset((1.0 - share) / dfold(sum)), even = dset(share / e.count);
    for (int i = 0; i < e.count; i += 8) dstore(weight + i, dadd(dmul(posterior[i / 8], scale), even));
}

// The mixtures' weights, and the errors' means.
inline void learn(Experts& e, const Point& low, const Point& high, double sample) {
    follow(e, low, high, e.preset->share, e.weight);
    if (e.preset->mixing) follow(e, low, high, e.preset->slow_share, e.slow);
    const D8 first = dset(1.0 / (e.seen + 2.0)), at = dset(sample), zero = dset(0.0);
    if (e.seen < 1000000) ++e.seen;
    for (int i = 0; i < e.count; i += 8) {
        const D8 error = dsub(at, dload(e.centre + i)), size = dmax(error, dsub(zero, error));
        const D8 mean = dload(e.mean + i), rate = dmax(first, dload(e.rate + i));
        dstore(e.mean + i, dadd(mean, dmul(dsub(size, mean), rate)));
    }
}

// The adaptive map: its values at 65 knots, in between linear.
constexpr int kKnots = 64;

struct alignas(64) CdfMap {
    double at[kKnots + 8];
};

inline void prepare(CdfMap& map) {
    for (int i = 0; i < kKnots + 8; ++i) map.at[i] = static_cast<double>(i) / kKnots;
}

inline double mapped(const CdfMap& map, double u) {
    const double place = u * kKnots;
    if (!(place > 0.0)) return u;
    if (!(place < static_cast<double>(kKnots))) return u;
    const int i = static_cast<int>(place);
    return map.at[i] + (map.at[i + 1] - map.at[i]) * (place - static_cast<double>(i));
}

// Towards the cdf of a value that is spread evenly from `low` to `high`.
inline void learn(CdfMap& map, double low, double high, double rate) {
    const D8 from = dset(low), inverse = dset(1.0 / (high - low)), step = dset(1.0 / kKnots), r = dset(rate);
    const D8 zero = dset(0.0), one = dset(1.0);
    alignas(64) static const double kRamp[8] = {0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0};
    for (int i = 0; i < kKnots; i += 8) {
        const D8 knot = dmul(dadd(dset(static_cast<double>(i)), dload(kRamp)), step);
        const D8 target = dmin(dmax(dmul(dsub(knot, from), inverse), zero), one);
        const D8 old = dload(map.at + i);
        dstore(map.at + i, dadd(old, dmul(dsub(target, old), r)));
    }
    map.at[0] = 0.0, map.at[kKnots] = 1.0;
}
