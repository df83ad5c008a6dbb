// Online logistic mixing (Mattern; Mahoney's PAQ): log-odds of all sources, weighted by four sets of weights that
// small contexts choose; each set gives log-odds of its own, follows its own error, and a last set of weights mixes them.
#pragma once

constexpr int kInputs = 32, kMixSets = 4, kMixContexts = 512;
// the first 24 are the distributions' log-odds, in the order of Point
constexpr int kInputMixture = 16, kInputCorrected = 20, kInputCounter = 24, kInputBias = 25, kInputNetwork = 26;
constexpr float kMaxStretch = 11.0f;
// first weights of mixture and network: without one, with one that predicts, with one that corrects
constexpr float kStarts[3][2] = {{1.0f, 0.0f}, {0.65f, 0.4f}, {0.0f, 1.0f}};

struct Mixer {
    float (*weights)[kInputs];  // [kMixSets * kMixContexts]
    float (*finals)[16];        // [kMixContexts], the first kMixSets of each in use
    alignas(64) float inputs[kInputs];
    alignas(64) float sums[16], chances[16];  // log-odds of the sets, and their probabilities
    float *chosen[kMixSets], *final;
    float probability, rate, final_rate;
    double eager;  // how much more the weights move at first
};

inline void prepare(Mixer& m, Arena& arena, int main, bool predictor, bool corrector) {
    m.weights = arena.take<float[kInputs]>(kMixSets * kMixContexts);
    m.finals = arena.take<float[16]>(kMixContexts);
    if (!arena.good()) return;
    const float* start = kStarts[corrector ? 2 : predictor ? 1 : 0];
    m.eager = corrector ? 0.004 : 0.0108;
    for (int i = 0; i < kMixSets * kMixContexts; ++i) {
        m.weights[i][main] = start[0];
        m.weights[i][kInputNetwork] = start[1];
    }
    for (int i = 0; i < kMixContexts; ++i)
        for (int k = 0; k < kMixSets; ++k) m.finals[i][k] = 1.0f / kMixSets;
    m.inputs[kInputBias] = 0.25f;
}

// How fast the weights move: less after many samples.
inline void set_rates(Mixer& m, int seen) {
    const double early = 1.0 / (1.0 + seen / 2048.0);
    m.rate = static_cast<float>(0.0006 + m.eager * early);
    m.final_rate = static_cast<float>(0.0003 + 0.0009 * early);
}

// ln((high - middle) / (middle - low)) of each distribution.
inline void stretch(Mixer& m, const double* low, const double* middle, const double* high) {
    const D8 least = dset(1e-12);
    D8 ratio[4];
    for (int i = 0; i < 3; ++i) {
        const D8 at = dload(middle + i * 8);
        ratio[i] = ddiv(dmax(dsub(dload(high + i * 8), at), least), dmax(dsub(at, dload(low + i * 8)), least));
    }
    ratio[3] = dset(1.0);
    const F16 most = fset(kMaxStretch), minus = fset(-kMaxStretch);
    for (int i = 0; i < 2; ++i) {
        const F16 x = log16(fnarrow(ratio[2 * i], ratio[2 * i + 1]));
        float* to = m.inputs + i * 16;
        if (i == 0) {
            fstore(to, fmin(fmax(x, minus), most));
        } else {
            float last[16];
            fstore(last, fmin(fmax(x, minus), most));
            for (int k = 0; k < 8; ++k) to[k] = last[k];
        }
    }
}

inline F16 odds_limited(F16 x) { return fmin(fmax(x, fset(-kMaxStretch)), fset(kMaxStretch)); }

// The probability of a 1; the last set of weights is chosen as those of the set `last`.
inline float mix(Mixer& m, const int* contexts, int last) {
    const F16 a = fload(m.inputs), b = fload(m.inputs + 16), one = fset(1.0f);
    for (int i = 0; i < kMixSets; ++i) {
        m.chosen[i] = m.weights[i * kMixContexts + contexts[i]];
        m.sums[i] = ffold(fadd(fmul(fload(m.chosen[i]), a), fmul(fload(m.chosen[i] + 16), b)));
    }
    m.final = m.finals[contexts[last]];
    const F16 sums = odds_limited(fload(m.sums));
    fstore(m.sums, sums);
    fstore(m.chances, fdiv(one, fadd(one, exponential(fsub(fset(0.0f), sums)))));
    float x = ffold(fmul(fload(m.final), sums));
    x = x > -kMaxStretch ? (x < kMaxStretch ? x : kMaxStretch) : -kMaxStretch;
    m.probability = 1.0f / (1.0f + exponential(0.0f - x));
    return m.probability;
}

inline void learn(Mixer& m, bool bit) {
    const float one = bit ? 1.0f : 0.0f;
    const F16 a = fload(m.inputs), b = fload(m.inputs + 16);
    for (int i = 0; i < kMixSets; ++i) {
        const F16 move = fset((one - m.chances[i]) * m.rate);
        fstore(m.chosen[i], fadd(fload(m.chosen[i]), fmul(a, move)));
        fstore(m.chosen[i] + 16, fadd(fload(m.chosen[i] + 16), fmul(b, move)));
    }
    const F16 move = fset((one - m.probability) * m.final_rate);
    fstore(m.final, fadd(fload(m.final), fmul(fload(m.sums), move)));
}
