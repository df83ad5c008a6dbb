// Random numbers, and segments of every layout for the fuzzing program.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/kernel.hpp"

class Random {  // splitmix64
   public:
    explicit Random(uint64_t seed) : state_(seed) {}
    uint64_t next() {
        uint64_t z = state_ += 0x9E3779B97F4A7C15u;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
        z = (z ^ z >> 27) * 0x94D049BB133111EBu;
        return z ^ z >> 31;
    }
    size_t below(size_t count) { return static_cast<size_t>((next() >> 32) * count >> 32); }
    bool one_in(size_t count) { return below(count) == 0; }

   private:
    uint64_t state_;
};

struct Signal {
    int channels = 1, bits = 16, level = 0;
    size_t frames = 64;
    std::vector<int32_t> samples;  // [frames][channels]
};

inline int32_t clipped(int64_t value, int bits) {
    const int64_t bound = int64_t{1} << (bits - 1);
    return static_cast<int32_t>(value < -bound ? -bound : value >= bound ? bound - 1 : value);
}

// A channel: 0 noise, 1 a walk, 2 few values, 3 mu-law codes' values, 4 silence, 5 a square wave, 6 unused low bits.
inline void fill_channel(Random& random, Signal& signal, int channel) {
    const int bits = signal.bits;
    const int64_t bound = int64_t{1} << (bits - 1);
    const auto any = [&] { return static_cast<int64_t>(random.below(static_cast<size_t>(2 * bound))) - bound; };
    const size_t kind = random.below(7), few = 1 + random.below(20), from = random.below(256);
    std::vector<int64_t> values;
    for (size_t i = 0; i < few; ++i) values.push_back(any());
    int64_t last = any();
    for (size_t t = 0; t < signal.frames; ++t) {
        int64_t value = 0;
        if (kind == 0) value = any();
        if (kind == 1) value = last = clipped(last + any() / 16, bits);
        if (kind == 2) value = values[random.below(few)];
        if (kind == 3) value = synth::kMulaw.decode[(from + random.below(100)) & 255] >> (bits < 16 ? 16 - bits : 0);
        if (kind == 5) value = t / (few + 1) % 2 == 0 ? bound - 1 : -bound;
        if (kind == 6) value = (last = clipped(last + any() / 16, bits)) / 4 * 4;
        signal.samples[t * signal.channels + channel] = clipped(value, bits);
    }
}

inline Signal any_signal(Random& random) {
    static constexpr int kBits[] = {16, 16, 16, 8, 24, 4, 12, 20};
    Signal signal;
    signal.bits = kBits[random.below(8)];
    signal.channels = random.one_in(4) ? 1 + static_cast<int>(random.below(8)) : 1 + static_cast<int>(random.below(2));
    signal.level = static_cast<int>(random.below(8)) - 5;
    if (signal.level < 0) signal.level = 0;
    const size_t count = 64 + (random.one_in(8) ? random.below(193) : random.below(9));  // of all channels
    signal.frames = count / signal.channels;
    signal.samples.resize(signal.frames * signal.channels);
    for (int c = 0; c < signal.channels; ++c) {
        if (c == 0 || random.one_in(2)) {
            fill_channel(random, signal, c);
            continue;
        }
        const size_t like = random.below(c);
        const int sign = random.one_in(2) ? 1 : -1;
        for (size_t t = 0; t < signal.frames; ++t) {
            int32_t* row = &signal.samples[t * signal.channels];
            row[c] = clipped(int64_t{sign} * row[like], signal.bits);
        }
    }
    return signal;
}
