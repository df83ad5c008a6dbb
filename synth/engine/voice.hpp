// What a voice has behind its network, as plain structs over raw buffers: the postfilter. Nothing here knows Python. The
// arithmetic is that of postfilter.py, bit for bit: whole numbers below 2^53, exact in doubles, in any order.
#pragma once

#include <cstddef>
#include <cstdint>

namespace synth {

constexpr int kAbreast = 8;     // frames that are filtered side by side, and rows of a matrix in a group
constexpr int kSmallest = 8;    // bins but one of the transform that is not split any more
constexpr int kMaxFft = 16384;
constexpr int kMaxSplits = 11;  // of a transform of kMaxFft
constexpr int kMaxMels = 128;
constexpr int32_t kNeutral = -(1 << 30);  // a level that asks for nothing

// Bins or bands `first` to `last` of a row, the others being zero.
struct Range {
    int32_t first, last;
};

// A transform of n + 1 bins gives bins k and n - k from the same two sums, over even and over odd times; that over even
// times is a transform of n / 2 + 1 bins. cosine[i] and sine[i] are the matrices over odd times of the i-th of these, the
// last one that of all times: groups of kAbreast rows (bins; of sines from 1 on), [group][time][row].
struct FilterModel {
    int hop, window, fft, mels, bits;  // fft is 1 << bits
    const int16_t* shape;              // [window]
    const double *cosine[kMaxSplits], *sine[kMaxSplits];
    const int16_t *bands, *shares;     // [mels][bins], [bins][mels]
    const Range *band, *share;         // [mels], [bins]
    const int16_t* logarithm;          // [256]
    const double* power;               // [256]
    const int64_t* reciprocal;         // [hop]
};

// What one instruction set gives. `filter`: adds `frames` frames of samples, which begin `hop` apart, with their bands
// brought to levels [frames][mels] to total [(frames - 1) hop + fft]; false where memory is out.
struct VoiceApi {
    const char* name;
    bool (*filter)(const FilterModel& model, const int16_t* samples, const int32_t* levels, size_t frames,
                   int64_t* total);
};

}  // namespace synth
