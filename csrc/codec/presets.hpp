// What each compression effort is made of. These numbers are part of the format: a change makes other bytes.
#pragma once

enum Source { kFinal, kSlow, kFirst, kSecond, kOlsA, kOlsB, kOlsC, kOlsD, kSources };

struct ExpertOptions {
    int source, window, freedom;  // which prediction; mean error over 2^window samples; 2, 4 or 8 degrees of freedom
};

struct RegressorOptions {
    int order, other, every;  // own samples (0: none), samples of the other channel, samples from solution to solution
    double decay, ridge;
    bool sharp;  // weighs moments by error^-1.5, not error^-1
};

constexpr int kMaxFilters = 5, kRegressors = 4, kMaxExperts = 16;

struct Preset {
    RegressorOptions ols[kRegressors];
    int first_taps[kMaxFilters];
    double first_rates[kMaxFilters];
    int second_taps[kMaxFilters];
    double second_rates[kMaxFilters];
    double combiner_decay[2], combiner_ridge;
    int combiner_every;
    int experts;
    ExpertOptions expert[kMaxExperts];
    double share, map_rate, map_weight;
    bool mixing;  // decisions by logistic mixing and counters, not by the mapped mixture alone
    double slow_share;
};

constexpr Preset kFast = {
    {{80, 16, 32, 0.998, 100.0, false}, {16, 0, 4, 0.99, 30.0, true}, {16, 0, 16, 0.9998, 30.0, false}},
    {512, 256, 32, 16, 0},
    {0.06, 0.06, 0.12, 0.24, 0.0},
    {0, 0, 0, 0, 0},
    {0.0, 0.0, 0.0, 0.0, 0.0},
    {0.995, 0.9998},
    1.0,
    1,
    8,
    {{kFinal, 3, 4}, {kFinal, 4, 8}, {kFinal, 5, 4}, {kFinal, 7, 4},
     {kSlow, 9, 8}, {kFirst, 5, 4}, {kOlsA, 5, 4}, {kOlsB, 4, 4}},
    0.005,
    0.001,
    0.5,
    false,
    0.0,
};

constexpr Preset kBalanced = {
    {{120, 16, 16, 0.998, 30.0, false}, {16, 8, 2, 0.99, 30.0, true}, {32, 16, 8, 0.9999, 30.0, false}},
    {512, 256, 32, 16, 0},
    {0.06, 0.06, 0.06, 0.12, 0.0},
    {256, 32, 16, 0, 0},
    {0.06, 0.12, 0.12, 0.0, 0.0},
    {0.996, 0.9998},
    1.0,
    1,
    16,
    {{kFinal, 3, 4}, {kFinal, 4, 8}, {kFinal, 5, 4}, {kFinal, 7, 4},
     {kSlow, 5, 4}, {kFirst, 5, 4}, {kOlsA, 5, 4}, {kOlsB, 4, 4},
     {kFinal, 5, 2}, {kFinal, 6, 8}, {kSlow, 4, 8}, {kSlow, 9, 8},
     {kSecond, 5, 4}, {kOlsC, 5, 4}, {kFinal, 9, 2}, {kFirst, 4, 8}},
    0.01,
    0.001,
    0.5,
    true,
    0.001,
};

constexpr Preset kMax = {
    {{232, 16, 16, 0.999, 100.0, false}, {16, 8, 1, 0.99, 30.0, true}, {32, 16, 8, 0.9999, 30.0, false},
     {120, 16, 8, 0.998, 100.0, false}},
    {1024, 512, 256, 32, 16},
    {0.06, 0.06, 0.06, 0.06, 0.12},
    {256, 32, 16, 0, 0},
    {0.06, 0.12, 0.12, 0.0, 0.0},
    {0.996, 0.9998},
    1.0,
    1,
    16,
    {{kFinal, 3, 4}, {kFinal, 4, 8}, {kFinal, 5, 4}, {kFinal, 7, 4},
     {kSlow, 5, 4}, {kFirst, 5, 4}, {kOlsA, 5, 4}, {kOlsB, 4, 4},
     {kFinal, 5, 2}, {kFinal, 6, 8}, {kSlow, 4, 8}, {kSlow, 9, 8},
     {kSecond, 5, 4}, {kOlsC, 5, 4}, {kFinal, 9, 2}, {kOlsD, 5, 4}},
    0.01,
    0.001,
    0.5,
    true,
    0.001,
};

// The same with a shorter memory, for speech.
constexpr Preset kMaxShort = {
    {{120, 16, 8, 0.998, 30.0, false}, {16, 8, 1, 0.99, 30.0, true}, {32, 16, 8, 0.9999, 30.0, false},
     {32, 16, 2, 0.997, 30.0, false}},
    {512, 256, 32, 16, 0},
    {0.06, 0.06, 0.06, 0.12, 0.0},
    {256, 32, 16, 0, 0},
    {0.06, 0.12, 0.12, 0.0, 0.0},
    {0.996, 0.9998},
    1.0,
    1,
    16,
    {{kFinal, 3, 4}, {kFinal, 4, 8}, {kFinal, 5, 4}, {kFinal, 7, 4},
     {kSlow, 5, 4}, {kFirst, 5, 4}, {kOlsA, 5, 4}, {kOlsB, 4, 4},
     {kFinal, 5, 2}, {kFinal, 6, 8}, {kSlow, 4, 8}, {kSlow, 9, 8},
     {kSecond, 5, 4}, {kOlsC, 5, 4}, {kFinal, 9, 2}, {kOlsD, 5, 4}},
    0.01,
    0.001,
    0.5,
    true,
    0.001,
};

constexpr int kEfforts = 3, kVariants = 2;
constexpr const Preset* kPresets[kEfforts][kVariants] = {
    {&kFast, &kFast}, {&kBalanced, &kBalanced}, {&kMax, &kMaxShort}};
