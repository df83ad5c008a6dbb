// A segment as bytes: what its channels are made of (plain ranges, lists of values, copies of one another), then the
// range coder's stream; or the samples as they are where that is shorter.
#pragma once

#include <memory>
#include <vector>

#include "engine/engine.hpp"
#include "codec/coding.hpp"

namespace synth {

struct SegmentFormat {
    int channels, bits, effort;  // 1 to 8; 4 to 24, samples are signed; 0 fast, 1 balanced, 2 max
    std::shared_ptr<const PackedNetwork> network;  // that predicts or corrects, or none; not with effort 0
};

// samples: [frames][channels], each of `bits` bits. The same bytes whatever the instruction set.
std::vector<uint8_t> encode_segment(const CodingApi& api, const SegmentFormat& format, const int32_t* samples,
                                    size_t frames);

// Fills samples [frames][channels]. False where the bytes can't be a segment of this format (damage within the coder's
// stream is not noticed: other samples come out).
bool decode_segment(const CodingApi& api, const SegmentFormat& format, const uint8_t* data, size_t size,
                    int32_t* samples, size_t frames);

// A corrector's inputs along samples [frames] of one channel. False where all are the same, and there are none.
bool trace_segment(const CodingApi& api, const SegmentFormat& format, const int32_t* samples, size_t frames, Trace trace);

}  // namespace synth
