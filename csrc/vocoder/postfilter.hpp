// Owner of what a FilterModel points to: the tables of a voice's postfilter, laid out for voice.cpp.
#pragma once

#include <vector>

#include "vocoder/voice.hpp"

namespace synth {

// A checkpoint's tables as they lie in the file; types, sizes and values are already checked.
struct FilterTables {
    int hop, window, fft, mels;
    const int16_t *shape, *cosine, *bands, *shares, *logarithm;  // bands [bins][mels], shares [mels][bins]
    const int32_t* power;
};

class Postfilter {
   public:
    Postfilter(const VoiceApi& api, const FilterTables& tables);
    Postfilter(const Postfilter&) = delete;
    Postfilter& operator=(const Postfilter&) = delete;

    // `count` samples of sums of frames, of which the first is at `place` from a frame's middle (0 to hop - 1).
    void settle(const int64_t* total, size_t count, size_t place, int16_t* out) const;

    const VoiceApi& api;
    FilterModel model{};

   private:
    const double* matrix(const int16_t* cosine, int n, bool sine);
    std::vector<std::vector<double>> matrices_;
    std::vector<int16_t> shape_, bands_, shares_, logarithm_;
    std::vector<Range> band_, share_;
    std::vector<double> power_;
    std::vector<int64_t> reciprocal_;
};

// What the windows of all frames add up to at each of `hop` places from a frame's middle on.
std::vector<int64_t> window_sums(const int16_t* shape, int window, int hop);

// Whether a table has the symmetries of a cosine, by which its transforms are split.
bool is_mirrored(const int16_t* cosine, int fft);

}  // namespace synth
