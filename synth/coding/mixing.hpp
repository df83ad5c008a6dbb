// Online logistic mixing (Mattern; Mahoney's PAQ): log-odds of all sources, weighted by three sets of weights that
// small contexts choose; their sum is the log-odds of the decision, and the weights follow its error.
#pragma once

constexpr int kInputs = 32, kMixSets = 3, kMixContexts = 512;
constexpr int kDistributions = 24;  // the first of them are distributions' log-odds, in the order of Point
constexpr int kInputCounter = 24, kInputBias = 25, kInputSpare = 26;
constexpr float kMostStretch = 11.0f;

struct Mixer {
    float (*weights)[kInputs];  // [kMixSets * kMixContexts]
    alignas(64) float inputs[kInputs];
    float* chosen[kMixSets];
    float probability, rate;
};

inline void prepare(Mixer& m, Arena& arena, int main) {
    m.weights = arena.take<float[kInputs]>(kMixSets * kMixContexts);
    if (!arena.good()) return;
    for (int i = 0; i < kMixSets * kMixContexts; ++i) m.weights[i][main] = 1.0f / kMixSets;
    m.inputs[kInputBias] = 0.25f;
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
    const F16 most = fset(kMostStretch), minus = fset(-kMostStretch);
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

inline float mix(Mixer& m, const int* contexts) {
    const F16 a = fload(m.inputs), b = fload(m.inputs + 16);
    F16 low = fset(0.0f), high = fset(0.0f);
    for (int i = 0; i < kMixSets; ++i) {
        m.chosen[i] = m.weights[i * kMixContexts + contexts[i]];
        low = fadd(low, fmul(fload(m.chosen[i]), a));
        high = fadd(high, fmul(fload(m.chosen[i] + 16), b));
    }
    float x = ffold(fadd(low, high));
    x = x > -kMostStretch ? (x < kMostStretch ? x : kMostStretch) : -kMostStretch;
    m.probability = 1.0f / (1.0f + exponential(0.0f - x));
    return m.probability;
}

inline void learn(Mixer& m, bool bit) {
    const F16 move = fset(((bit ? 1.0f : 0.0f) - m.probability) * m.rate);
    const F16 a = fmul(fload(m.inputs), move), b = fmul(fload(m.inputs + 16), move);
    for (int i = 0; i < kMixSets; ++i) {
        fstore(m.chosen[i], fadd(fload(m.chosen[i]), a));
        fstore(m.chosen[i] + 16, fadd(fload(m.chosen[i] + 16), b));
    }
}
