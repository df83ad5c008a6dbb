// The postfilter's work on frames side by side. Rows of numbers are [row][kAbreast].
#pragma once

constexpr int kShape = 15, kCosine = 14, kWeight = 8, kPower = 15;  // binary places of the tables
constexpr int kUnit = 1024;                                         // of 1.0 in levels
constexpr int kLimit = 10 * kUnit, kOffset = 1074;
constexpr double kLoudest = 134217728.0;       // of a filtered spectrum
constexpr double kWhole = 6755399441055744.0;  // 1.5 x 2^52: what is added and taken away again is a whole number

// To the nearest whole number, of two the even one; |x| below 2^51, or beyond it any number that large.
inline double nearest(double x) { return (x + kWhole) - kWhole; }

struct Rows {
    double *even, *odd, *real, *imaginary, *power, *work;
};

// Windowed frames, folded in their middle: sums and differences of what is as far before and after it.
inline void fold(const FilterModel& model, const int16_t* samples, int frames, const Rows& rows) {
    const int half = model.window / 2;
    for (int i = 0; frames < kAbreast && i < half * kAbreast; ++i) rows.even[i] = rows.odd[i] = 0.0;
    for (int f = 0; f < frames; ++f, samples += model.hop) {
        const auto shaped = [&](int i) { return (samples[i] * model.shape[i] + (1 << (kShape - 1))) >> kShape; };
        rows.even[f] = shaped(half);
        rows.odd[f] = 0.0;
        for (int t = 1; t < half; ++t) {
            const int after = shaped(half + t), before = shaped(half - t);
            rows.even[t * kAbreast + f] = after + before;
            rows.odd[t * kAbreast + f] = after - before;
        }
    }
}

// Spectra as whole numbers, and their powers over 256.
inline void measure(const FilterModel& model, const Rows& rows) {
    const int bins = model.fft / 2 + 1;
    constexpr double kDown = 1.0 / (1 << kCosine), kLess = 1.0 / (1 << kWeight), kPositive = 4503599627370496.0;
    for (int i = 0; i < bins * kAbreast; ++i) {
        const double real = nearest(rows.real[i] * kDown), imaginary = nearest(rows.imaginary[i] * kDown);
        const double power = (real * real + imaginary * imaginary) * kLess;
        const double near = (power + kPositive) - kPositive;
        rows.real[i] = real;
        rows.imaginary[i] = imaginary;
        rows.power[i] = near > power ? near - 1.0 : near;
    }
}

inline uint64_t bits_of(double x) {
    uint64_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
}

// What each band of each frame is to be turned up by, [mels][kAbreast].
inline void find_gains(const FilterModel& model, const int32_t* levels, int frames, const double* power,
                       int32_t* gains) {
    for (int m = 0; m < model.mels; ++m, gains += kAbreast) {
        const int16_t* weights = model.bands + static_cast<size_t>(m) * (model.fft / 2 + 1);
        double sums[kAbreast] = {};
        for (int k = model.band[m].first; k < model.band[m].last; ++k)
            for (int f = 0; f < kAbreast; ++f) sums[f] += power[k * kAbreast + f] * weights[k];
        for (int f = 0; f < kAbreast; ++f) {
            const uint64_t bits = bits_of(sums[f] + kOffset);
            const int level = (static_cast<int>(bits >> 52) - 1022 - 31) * kUnit + model.logarithm[bits >> 44 & 255];
            const int32_t asked = f < frames ? levels[f * model.mels + m] : kNeutral;
            const int64_t gain = int64_t{asked} - level;
            const int64_t within = gain < -kLimit ? -kLimit : gain > kLimit ? kLimit : gain;
            gains[f] = asked == kNeutral ? 0 : static_cast<int32_t>(within);
        }
    }
}

// The factor of an amplitude whose power's binary logarithm is to grow by this, in 1 / (256 kUnit).
inline double factor(const FilterModel& model, int32_t curve) {
    constexpr int kOne = kWeight + 11;  // binary places: half of 1 / (256 kUnit)
    const int32_t near = curve + (1 << (kOne - 9));
    const uint64_t bits = static_cast<uint64_t>((near >> kOne) - kPower + 1023) << 52;
    double scale;
    std::memcpy(&scale, &bits, sizeof scale);
    return model.power[near >> (kOne - 8) & 255] * scale;
}

inline double moved(double x, double gain) {
    x *= gain;
    x = x < -kLoudest ? -kLoudest : x > kLoudest ? kLoudest : x;
    return nearest(x);
}

// Turns the spectra by their bands' gains; each bin but the first and the last stands for two.
inline void turn(const FilterModel& model, const int32_t* gains, const Rows& rows) {
    const int last = model.fft / 2;
    for (int k = 0; k <= last; ++k) {
        const int16_t* weights = model.shares + static_cast<size_t>(k) * model.mels;
        int32_t curve[kAbreast] = {};
        for (int m = model.share[k].first; m < model.share[k].last; ++m)
            for (int f = 0; f < kAbreast; ++f) curve[f] += gains[m * kAbreast + f] * weights[m];
        double gain[kAbreast];
        for (int f = 0; f < kAbreast; ++f) gain[f] = factor(model, curve[f]);
        const double twice = k == 0 || k == last ? 1.0 : 2.0;
        double *real = rows.real + k * kAbreast, *imaginary = rows.imaginary + k * kAbreast;
        for (int f = 0; f < kAbreast; ++f) {
            real[f] = moved(real[f], gain[f]) * twice;
            imaginary[f] = moved(imaginary[f], gain[f]) * twice;
        }
    }
}

// Adds the frames, of which even and odd parts around their middles are known, to the others.
inline void unfold(const FilterModel& model, int frames, const Rows& rows, int64_t* total) {
    const int half = model.fft / 2;
    // unsigned: what a forged state holds may not fit, and wraps as in NumPy
    const auto add = [&](int place, double value) {
        const uint64_t sum = static_cast<uint64_t>(total[place]) + static_cast<uint64_t>(static_cast<int64_t>(value));
        total[place] = static_cast<int64_t>(sum);
    };
    for (int f = 0; f < frames; ++f, total += model.hop) {
        const double *even = rows.even + f, *odd = rows.odd + f;
        for (int t = 0; t < half; ++t) add(half + t, even[t * kAbreast] + odd[t * kAbreast]);
        for (int t = 1; t <= half; ++t) add(half - t, even[t * kAbreast] - odd[t * kAbreast]);
    }
}
