// The segments that the golden test codes; coded.py has them in Python.
#pragma once

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "codec/residuals.hpp"
#include "codec/segment.hpp"
#include "codings.hpp"

struct Coded {
    const char* kind;
    int frames, channels, bits;
};

constexpr Coded kCoded[] = {
    {"mono", 80, 1, 16},   {"stereo", 36, 2, 8}, {"three", 24, 3, 24}, {"silence", 50, 2, 16},
    {"square", 150, 1, 16}, {"list", 140, 1, 16}, {"codes", 60, 1, 16}, {"copies", 30, 4, 16},
    {"low", 60, 1, 24},    {"noise", 30, 2, 16}, {"long", 400, 1, 16},
};
constexpr const char* kLevelNames[] = {"fast", "balanced", "max"};

inline std::vector<int32_t> samples_of(const Coded& of) {
    const std::string kind = of.kind;
    const int64_t bound = int64_t{1} << (of.bits - 1);
    std::vector<int64_t> memory(2 * of.channels);
    std::vector<int32_t> out;
    uint32_t state = 1;
    for (int t = 0; t < of.frames; ++t) {
        for (int c = 0; c < of.channels; ++c) {
            state = (state * 1103515245u + 12345u) & 0x7FFFFFFFu;
            const int64_t noise = state >> 4;
            int64_t &y1 = memory[2 * c], &y2 = memory[2 * c + 1];
            const int64_t y =
                ((y1 * (1990 - 3 * c) - y2 * 1004) >> 10) + (noise % 2001 - 1000) * (2 * t > of.frames ? 32 : 8);
            y2 = y1, y1 = y;
            int64_t value = std::min(std::max((y * 16 + noise % 16) >> (24 - of.bits), 1 - bound), bound - 1);
            const int64_t place = noise % 11 - 5;
            if (kind == "silence") value = 0;
            if (kind == "square") value = t / 9 % 2 != 0 ? bound - 1 : -bound;
            if (kind == "list") value = place * place * place * 37;
            if (kind == "codes") value = synth::kMulaw.decode[noise % 256];
            if (kind == "copies" && c > 0) value = c % 2 != 0 ? -out[out.size() - c] : out[out.size() - c];
            if (kind == "low") value = (value >> 6) * 64;
            if (kind == "noise") value = noise % (2 * bound) - bound;
            out.push_back(static_cast<int32_t>(value));
        }
    }
    return out;
}

// A segment's bytes, which must give it back.
inline std::vector<uint8_t> coded(const synth::CodingApi& api, const synth::SegmentFormat& format,
                                  const std::vector<int32_t>& samples) {
    const size_t frames = samples.size() / static_cast<size_t>(format.channels);
    const std::vector<uint8_t> data = synth::encode_segment(api, format, samples.data(), frames);
    std::vector<int32_t> back(samples.size());
    if (!synth::decode_segment(api, format, data.data(), data.size(), back.data(), frames) || back != samples)
        throw std::runtime_error(std::string(api.name) + ": a segment does not come back");
    return data;
}

struct CodedResiduals {
    const char* name;
    int count, channels;
};
constexpr CodedResiduals kCodedResiduals[] = {{"residuals-one", 400, 1}, {"residuals-three", 120, 3}};

// The bytes of residuals of all sizes, which must give them back.
inline std::vector<uint8_t> coded(const CodedResiduals& of) {
    std::vector<int32_t> values;
    std::vector<uint8_t> classes;
    uint32_t state = 1, drawn[3];
    for (int i = 0; i < of.count; ++i) {
        for (uint32_t& number : drawn) state = (state * 1103515245u + 12345u) & 0x7FFFFFFFu, number = state >> 8;
        const int which = static_cast<int>(drawn[0] % 33);
        const int size = std::min(std::max(which + static_cast<int>(drawn[0] / 33 % 4) - 2, 0), 32);
        const uint32_t value = size ? ((drawn[1] & 65535u) << 16 | (drawn[2] & 65535u)) >> (32 - size) : 0;
        values.push_back(static_cast<int32_t>((drawn[0] >> 16 & 1) != 0 ? 0u - value : value));
        classes.push_back(static_cast<uint8_t>(which));
    }
    const size_t channels = static_cast<size_t>(of.channels);
    const std::vector<uint8_t> data = synth::encode_residuals(values.data(), classes.data(), values.size(), channels);
    std::vector<int32_t> back(values.size());
    synth::decode_residuals(data.data(), data.size(), classes.data(), back.size(), channels, back.data());
    if (back != values) throw std::runtime_error("residuals do not come back");
    return data;
}
