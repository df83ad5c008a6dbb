// The predictors of one channel: least squares of several lengths, LMS filters on what they leave over, and small least
// squares that combine all of them.
#pragma once

constexpr int kFeatures = 16;

struct Cascade {
    const Preset* preset;
    bool has_other;
    Regression ols[kRegressors];
    double *own[kRegressors], *other[kRegressors];
    Filter first[kMaxFilters], second[kMaxFilters];
    Regression combiner[2];
    double* features[2];
    double guess[kSources];
};

inline double bounded(double x) { return x > -32768.0 ? (x < 32767.0 ? x : 32767.0) : -32768.0; }

inline void prepare_regressor(Cascade& c, Arena& arena, int i) {
    const RegressorOptions& o = c.preset->ols[i];
    if (o.order == 0) return;
    const int other = c.has_other ? o.other : 0;
    Regression& r = c.ols[i];
    prepare(r, arena, {o.order + other, o.every, o.decay, o.ridge, o.sharp}, -1);
    c.own[i] = arena.take<double>(o.order + o.every), c.other[i] = arena.take<double>(other + o.every);
    if (!arena.good()) return;
    for (int g = 0; g < r.groups; ++g)
        r.rows[g] = g * 8 < o.order ? c.own[i] + o.every + g * 8 : c.other[i] + o.every + (g * 8 - o.order);
}

inline void prepare(Cascade& c, Arena& arena, const Preset& preset, bool has_other) {
    c.preset = &preset, c.has_other = has_other;
    for (int i = 0; i < kRegressors; ++i) prepare_regressor(c, arena, i);
    int features = 1;
    for (int i = 0; i < kMaxFilters; ++i) {
        if (preset.first_taps[i]) {
            prepare(c.first[i], arena, preset.first_taps[i], preset.first_rates[i]);
            ++features;
        }
        if (preset.second_taps[i]) {
            prepare(c.second[i], arena, preset.second_taps[i], preset.second_rates[i]);
            ++features;
        }
    }
    for (int i = 1; i < kRegressors; ++i) features += preset.ols[i].order ? 1 : 0;
    const int size = (features + 7) & ~7;
    for (int i = 0; i < 2; ++i) {
        const int every = preset.combiner_every;
        prepare(c.combiner[i], arena, {size, every, preset.combiner_decay[i], preset.combiner_ridge, false}, size);
        c.features[i] = arena.take<double>(size * every);
        if (!arena.good()) return;
        for (int g = 0; g < size / 8; ++g) c.combiner[i].rows[g] = c.features[i] + g * 8;
    }
}

// Predictions of the next sample. `beside`: the newest sample of the other channel.
inline void predict(Cascade& c, double beside) {
    double ols[kRegressors] = {};
    for (int i = 0; i < kRegressors; ++i) {
        if (!c.preset->ols[i].order) continue;
        if (c.has_other && c.preset->ols[i].other) c.other[i][c.ols[i].every - c.ols[i].phase] = beside;
        ols[i] = bounded(predict(c.ols[i]));
    }
    double list[kFeatures] = {}, first = ols[0], second = ols[1];
    int n = 0;
    list[n++] = ols[0];
    for (int i = 0; i < kMaxFilters; ++i) {
        if (!c.preset->first_taps[i]) continue;
        list[n] = c.first[i].prediction;
        first = first + list[n++];
    }
    for (int i = 1; i < kRegressors; ++i)
        if (c.preset->ols[i].order) list[n++] = ols[i] - ols[0];
    for (int i = 0; i < kMaxFilters; ++i) {
        if (!c.preset->second_taps[i]) continue;
        list[n] = c.second[i].prediction;
        second = second + list[n++];
    }
    for (int i = 0; i < 2; ++i) {
        Regression& r = c.combiner[i];
        for (int k = 0; k < r.size; k += 8) dstore(c.features[i] + r.phase * r.size + k, dpack(list + k));
        c.guess[kFinal + i] = bounded(first + predict(r));
    }
    c.guess[kFirst] = first, c.guess[kSecond] = second;
    for (int i = 0; i < kRegressors; ++i) c.guess[kOlsA + i] = ols[i];
}

inline void update(Cascade& c, double sample) {
    bool due = false;
    for (int i = 0; i < 2; ++i) due = take(c.combiner[i], sample - c.guess[kFirst], sample - c.guess[kFinal + i]);
    Regression* const combiners[2] = {c.combiner, c.combiner + 1};
    if (due) renew<2>(combiners);
    float left = static_cast<float>(sample - c.guess[kOlsA]);
    for (int i = 0; i < kMaxFilters; ++i)
        if (c.preset->first_taps[i]) left = step(c.first[i], left);
    left = static_cast<float>(sample - c.guess[kOlsB]);
    for (int i = 0; i < kMaxFilters; ++i)
        if (c.preset->second_taps[i]) left = step(c.second[i], left);
    for (int i = 0; i < kRegressors; ++i) {
        const RegressorOptions& o = c.preset->ols[i];
        if (!o.order) continue;
        Regression& r = c.ols[i];
        c.own[i][o.every - 1 - r.phase] = sample;
        if (!take(r, sample, sample - c.guess[kOlsA + i])) continue;
        Regression* const one[1] = {&r};
        renew<1>(one);
        for (int k = o.order - 1; k >= 0; --k) c.own[i][k + o.every] = c.own[i][k];
        const int other = r.size - o.order;
        for (int k = other - 1; k >= 0; --k) c.other[i][k + o.every] = c.other[i][k];
    }
}
