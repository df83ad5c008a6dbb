// The modelling and coding core of the codec: one segment of samples to bytes and back. Nothing here knows Python.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace synth {

struct Api;
struct Model;
struct State;

constexpr int kMaxChannels = 8;

// The network that predicts or corrects: the fresh state of a stream for each coded channel, or none of all.
struct CodecNetwork {
    const Api* api;
    const Model* model;
    State* states[kMaxChannels];
};

#include "codec/presets.hpp"
//
#include "codec/grid.hpp"

// What the kernels need to know of a segment. `samples` below are ranks in the channel's grid, [frames][channels].
struct Plan {
    const Preset* preset;
    int channels;
    Grid grid[kMaxChannels];
    CodecNetwork network;
};

// A corrector's inputs of each sample, hints before it and its bin after it (see corrector.hpp); `bounds`: where the
// sample's interval begins and ends among the bins, in 1/256 of one. Moved on sample by sample.
constexpr int kHints = 8;
struct Trace {
    uint8_t *hints, *bins;  // [samples][kHints], [samples]
    uint16_t* bounds;        // [samples][2]
};

constexpr size_t kNoMemory = static_cast<size_t>(-1);

// What every instruction set gives. `encode` returns the size, capacity + 1 where the output is too small, or
// kNoMemory; `decode` false where memory is out.
struct CodingApi {
    const char* name;
    size_t (*encode)(const Plan& plan, const int32_t* ranks, size_t frames, uint8_t* out, size_t capacity);
    bool (*decode)(const Plan& plan, const uint8_t* in, size_t size, int32_t* ranks, size_t frames);
    bool (*trace)(const Plan& plan, const int32_t* ranks, size_t frames, Trace trace);
};

}  // namespace synth
