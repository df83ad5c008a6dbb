#include "codec/segment.hpp"

#include <algorithm>
#include <new>

#include "engine/kernel.hpp"

namespace synth {
namespace {

#include "codec/rangecoder.hpp"
#include "codec/value_lists.hpp"
//
#include "codec/layouts.hpp"

constexpr size_t kMinTried = 16384;  // frames of a segment on which the variants are tried, if it has so many

void store(const SegmentFormat& format, const int32_t* samples, size_t count, std::vector<uint8_t>& out) {
    const int bytes = (format.bits + 7) / 8;
    out.assign(1, kStored);
    for (size_t i = 0; i < count; ++i) {
        const uint32_t sample = static_cast<uint32_t>(samples[i]);
        for (int b = 0; b < bytes; ++b) out.push_back(static_cast<uint8_t>(sample >> (8 * b)));
    }
}

bool read_stored(const SegmentFormat& format, const uint8_t* data, size_t size, int32_t* samples, size_t count) {
    const int bytes = (format.bits + 7) / 8, spare = 32 - format.bits;
    if (size != count * bytes) return false;
    for (size_t i = 0; i < count; ++i) {
        uint32_t value = 0;
        for (int b = 0; b < bytes; ++b) value |= static_cast<uint32_t>(*data++) << (8 * b);
        samples[i] = static_cast<int32_t>(value << spare) >> spare;
    }
    return true;
}

// Appends the coder's bytes; more than `most` are cut off.
void encode(const CodingApi& api, const Plan& plan, const int32_t* ranks, size_t frames, size_t most,
            std::vector<uint8_t>& out) {
    const size_t head = out.size();
    out.resize(head + most);
    const size_t size = api.encode(plan, ranks, frames, out.data() + head, most);
    if (size == kNoMemory) throw std::bad_alloc();
    out.resize(head + std::min(size, most));
}

// The effort's variant that makes the middle of the segment shortest.
int best_variant(const CodingApi& api, const SegmentFormat& format, SegmentLayout& layout, const int32_t* samples,
                 size_t frames) {
    const size_t tried = std::min(frames, std::max(frames / 16, kMinTried));
    size_t least = SIZE_MAX;
    int best = 0;
    for (int variant = 0, count = variants(format.effort); count > 1 && variant < count; ++variant) {
        layout.set_variant(variant);
        const Plan plan = layout.plan();
        const std::vector<int32_t> ranks = layout.ranks(plan, samples);
        std::vector<uint8_t> out;
        const size_t first = (frames - tried) / 2 * plan.channels, most = tried * plan.channels * 4 + 16;
        encode(api, plan, ranks.data() + first, tried, most, out);
        if (out.size() < least) least = out.size(), best = variant;
    }
    return best;
}

}  // namespace

std::vector<uint8_t> encode_segment(const CodingApi& api, const SegmentFormat& format, const int32_t* samples,
                                    size_t frames) {
    const size_t count = frames * format.channels, plain = count * ((format.bits + 7) / 8);
    std::vector<uint8_t> out;
    if (count == 0) return out;
    SegmentLayout layout(format, frames);
    layout.analyse(samples);
    layout.set_variant(best_variant(api, format, layout, samples, frames));
    const Plan plan = layout.plan();
    const std::vector<int32_t> ranks = layout.ranks(plan, samples);
    layout.write(out);
    encode(api, plan, ranks.data(), frames, plain + 16, out);
    if (out.size() > plain + 1) store(format, samples, count, out);
    return out;
}

bool decode_segment(const CodingApi& api, const SegmentFormat& format, const uint8_t* data, size_t size,
                    int32_t* samples, size_t frames) {
    const size_t count = frames * format.channels;
    if (count == 0) return size == 0;
    if (size == 0) return false;
    if (*data == kStored) return read_stored(format, data + 1, size - 1, samples, count);
    const uint8_t* end = data + size;
    SegmentLayout layout(format, frames);
    if (!layout.read(data, end)) return false;
    const Plan plan = layout.plan();
    std::vector<int32_t> ranks(frames * plan.channels);
    if (!api.decode(plan, data, static_cast<size_t>(end - data), ranks.data(), frames)) throw std::bad_alloc();
    layout.samples(plan, ranks, samples);
    return true;
}

bool trace_segment(const CodingApi& api, const SegmentFormat& format, const int32_t* samples, size_t frames, Trace trace) {
    SegmentLayout layout(format, frames);
    layout.analyse(samples);
    Plan plan = layout.plan();
    if (!plan.channels) return false;
    Preset preset = *plan.preset;
    preset.mixing = false;  // what is mixed with the mixture does not matter to it
    plan.preset = &preset;
    if (!api.trace(plan, layout.ranks(plan, samples).data(), frames, trace)) throw std::bad_alloc();
    return true;
}

}  // namespace synth
