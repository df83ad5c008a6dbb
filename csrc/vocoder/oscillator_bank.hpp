// Cosines by a table, added up: a segment at a time, so that the sums stay near; partials one after the other, samples
// of one side by side. Loops over arrays, which compilers make vectors of: the indices, the look-up, the products.
#pragma once

constexpr int kSideBySide = 16;  // samples; a segment is rounded up to whole ones
constexpr int kGroup = 32;       // partials whose sums of products fit 32 bits
constexpr int kLowBits = 10;     // of an amplitude: its rest is multiplied apart
static_assert(kMaxSegment % kSideBySide == 0 && kGroup * 1023ll * 32768 < 1ll << 31, "sums must fit");

struct SegmentSums {
    int32_t low[kMaxSegment], high[kMaxSegment];
    int64_t total[kMaxSegment];
};

// total += low + high, which are zero then.
inline void settle_sums(SegmentSums& sums, int count) {
    for (int t = 0; t < count; ++t) {
        sums.total[t] += sums.low[t] + (static_cast<int64_t>(sums.high[t]) * (1 << kLowBits));
        sums.low[t] = sums.high[t] = 0;
    }
}

// cosine[(phase + 2^19) >> 20] where phase = start + t increment + t (t - 1) / 2 slope, modulo 2^32.
inline void partial_wave(const int16_t* cosine, const uint32_t* triangle, uint32_t start, uint32_t increment,
                         uint32_t slope, int count, int16_t* wave) {
    uint16_t place[kMaxSegment];
    start += 1u << 19;
    for (int t = 0; t < count; ++t)
        place[t] = static_cast<uint16_t>((start + static_cast<uint32_t>(t) * increment + triangle[t] * slope) >> 20);
    for (int t = 0; t < count; ++t) wave[t] = cosine[place[t]];
}

// Adds a wave whose amplitude runs from `from` towards `to`, which it reaches after `length` samples.
inline void add_wave(const int16_t* wave, int32_t from, int32_t to, int length, int count, SegmentSums& sums) {
    const int32_t rise = (to - from) * 1024, first = from * 1024;
    const int32_t step = rise / length - (rise % length < 0);  // the floor
    for (int t = 0; t < count; ++t) {
        const int32_t amplitude = first + step * t;  // 10 places more
        sums.low[t] += wave[t] * static_cast<int16_t>(amplitude >> 10 & ((1 << kLowBits) - 1));
        sums.high[t] += wave[t] * static_cast<int16_t>(amplitude >> (10 + kLowBits));
    }
}

void oscillate(const OscillatorModel& model, const uint32_t* starts, const int32_t* increments, const int32_t* slopes,
               const int32_t* amplitudes, size_t segments, size_t partials, int32_t* out) {
    const int length = model.length, count = (length + kSideBySide - 1) / kSideBySide * kSideBySide;
    alignas(64) uint32_t triangle[kMaxSegment];
    alignas(64) int16_t wave[kMaxSegment];
    alignas(64) SegmentSums sums;
    for (int t = 0; t < kMaxSegment; ++t) triangle[t] = static_cast<uint32_t>(t * (t - 1) / 2);
    for (size_t segment = 0; segment < segments; ++segment, out += length) {
        sums = {};
        int added = 0;
        for (size_t at = segment * partials; at < (segment + 1) * partials; ++at) {
            const int32_t from = amplitudes[at], to = amplitudes[at + partials];
            if (from == 0 && to == 0) continue;
            partial_wave(model.cosine, triangle, starts[at], static_cast<uint32_t>(increments[at]),
                         static_cast<uint32_t>(slopes[at]), count, wave);
            add_wave(wave, from, to, length, count, sums);
            if (++added % kGroup == 0) settle_sums(sums, count);
        }
        settle_sums(sums, count);
        for (int t = 0; t < length; ++t) out[t] = static_cast<int32_t>((sums.total[t] + (1 << 18)) >> 19);
    }
}
