// The passes of a postfilter over one stream: synth/vocoder/postfilter.py, bit for bit.
#pragma once

#include <cstdint>
#include <vector>

#include "vocoder/postfilter.hpp"

namespace synth {

// One pass: samples in at one end, filtered samples out at the other, later by half a transform.
struct FilterPass {
    int64_t frame, first, out;     // the next frame; the first sample that is held; the first sum
    std::vector<int16_t> samples;  // from `first` on
    std::vector<int64_t> total;    // from `out` on, [fft]
};

class PostfilterPasses {
   public:
    // `start`: where the passes begin; `first`: the first frame of `levels`.
    PostfilterPasses(const Postfilter& postfilter, int64_t start, int64_t first) : start(start), first(first),
          postfilter_(postfilter) {}

    // Samples, counted like `position`, that must be in so that all before `position` are out.
    int64_t needed(int64_t position) const;
    // Levels [count][mels] of 10 ms frames from `from` on, in order; gaps are neutral.
    void add_target(const int32_t* levels, int64_t count, int64_t from);
    // The filtered samples that are complete after the next ones, from `start` on.
    std::vector<int16_t> push(std::vector<int16_t> samples);

    const int64_t start;
    int64_t first;
    std::vector<int32_t> levels;  // [frames][mels]
    std::vector<FilterPass> passes;

   private:
    int64_t ready(const FilterPass& pass, size_t more) const;
    std::vector<int16_t> push_pass(FilterPass& pass, const std::vector<int16_t>& samples);
    const Postfilter& postfilter_;
};

}  // namespace synth
