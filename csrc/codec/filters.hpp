// Normalised LMS filters in floats, a chain of them: each predicts what the one before it left over.
#pragma once

constexpr int kSpare = 1024;  // samples that a history takes in before it is moved

struct Filter {
    int taps, place;
    float rate, prediction;
    double energy;
    float *weights, *history;  // oldest first; the current window begins at history[place]
};

inline void prepare(Filter& f, Arena& arena, int taps, double rate) {
    f.taps = taps, f.rate = static_cast<float>(rate);
    f.weights = arena.take<float>(taps), f.history = arena.take<float>(taps + kSpare + 1);
}

// Takes in the filter's input, predicts the next one, and returns the error of the last prediction. The weights' step
// and the next sum of products share one pass: the next window is this one, one sample on.
inline float step(Filter& f, float input) {
    const float error = input - f.prediction;
    const double oldest = f.history[f.place], newest = input;
    const float gain = f.rate * error / static_cast<float>(static_cast<double>(f.taps) + f.energy);
    const F16 move = fset(gain);
    float* window = f.history + f.place;
    window[f.taps] = input;
    F16 even = fset(0.0f), odd = fset(0.0f), x = fload(window);
    for (int i = 0; i < f.taps; i += 32) {
        const F16 y = fload(window + i + 16);
        const F16 a = fadd(fload(f.weights + i), fmul(move, x));
        fstore(f.weights + i, a);
        even = fadd(even, fmul(a, fnext(x, y, window + i)));
        if (i + 16 == f.taps) break;
        x = fload(window + i + 32);
        const F16 b = fadd(fload(f.weights + i + 16), fmul(move, y));
        fstore(f.weights + i + 16, b);
        odd = fadd(odd, fmul(b, fnext(y, x, window + i + 16)));
    }
    f.prediction = ffold(fadd(even, odd));
    f.energy = f.energy + (newest * newest - oldest * oldest);
    if (!(f.energy >= 0.0)) f.energy = 0.0;
    if (++f.place == kSpare) {
        for (int i = 0; i < f.taps; i += 16) fstore(f.history + i, fload(f.history + kSpare + i));
        f.place = 0;
    }
    return error;
}
