// What a voice has around its network, as plain structs over raw buffers: the search for tokens, the layers of
// conditioner and envelope, the postfilter, the bank of oscillators. Nothing here knows Python. The arithmetic is that of
// vocoder.py, layers.py, frame_filter.py and oscillators.py, bit for bit: whole numbers, those below 2^53 exact in
// doubles, in any order.
#pragma once

#include <cstddef>
#include <cstdint>

namespace synth {

constexpr int kAbreast = 8;     // frames or ways side by side, and rows of a matrix in a group
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

constexpr int kMaxColumns = 4096;

// weight: [rows][padded], zeros behind the columns; padded is a multiple of 32.
struct LayerModel {
    int rows, columns, padded, shift;
    const int8_t* weight;
    const int16_t *scale, *bias;
    int16_t tanh[3][8];
};

constexpr int kWays = 4, kCodes = 256, kMaxQuantisers = 16, kMaxLatent = 256;

// codebooks: codes in groups of kAbreast, [group][latent][code]; norms: [quantiser][code], squares of their lengths.
struct SearchModel {
    int quantisers, latent;
    const double* codebooks[kMaxQuantisers];
    const double* norms;
};

constexpr int kMinSegment = 80, kMaxSegment = 480;  // samples of 10 ms
constexpr int kMaxPartials = 4096;
constexpr int32_t kMaxAmplitude = 1 << 19;

struct OscillatorModel {
    int length;             // samples of a segment
    const int16_t* cosine;  // [4096]
};

// What one instruction set gives.
struct VoiceApi {
    const char* name;
    // Adds `frames` frames of samples, which begin `hop` apart, with their bands brought to levels [frames][mels], to
    // total [(frames - 1) hop + fft]; false where memory is out.
    bool (*filter)(const FilterModel& model, const int16_t* samples, const int32_t* levels, size_t frames,
                   int64_t* total);
    void (*values)(const LayerModel& model, const int8_t* in, size_t count, int16_t* out);  // [count][columns], [rows]
    void (*hidden)(const LayerModel& model, const int16_t* in, size_t count, int8_t* out);  // of `count` values
    // The first `count` tokens of vectors [frames][latent], each within 127: [frames][count].
    void (*search)(const SearchModel& model, const int8_t* vectors, size_t frames, int count, uint8_t* tokens);
    // starts, increments, slopes [segments][partials]; amplitudes [segments + 1][partials], 0 to kMaxAmplitude; out
    // [segments][length].
    void (*oscillate)(const OscillatorModel& model, const uint32_t* starts, const int32_t* increments,
                      const int32_t* slopes, const int32_t* amplitudes, size_t segments, size_t partials, int32_t* out);
};

// The instruction set of this name that this machine has; std::invalid_argument where there is none.
const VoiceApi& find_voice(const char* name);

}  // namespace synth
