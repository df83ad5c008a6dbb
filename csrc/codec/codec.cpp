// The codec's model and coder, compiled once for each instruction set (SYNTH_SET names it) with that set's flags on
// this file only; internal to it, like the engine's kernel.cpp.
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "engine/kernel.hpp"
#include "codec/coding.hpp"

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace synth {
namespace {

#include "simd/float_mode.hpp"
#include "simd/arena.hpp"
#include "simd/lanes.hpp"
//
#include "codec/regression.hpp"
//
#include "codec/filters.hpp"
//
#include "codec/cascade.hpp"
#include "codec/experts.hpp"
#include "codec/rangecoder.hpp"
//
#include "codec/logistic.hpp"
//
#include "codec/counters.hpp"
#include "codec/mulaw_predictor.hpp"
#include "codec/mixing.hpp"
//
#include "codec/corrector.hpp"
//
#include "codec/model.hpp"

// Goes by the ranks, and codes nothing.
struct Follower {
    bool code(bool bit, uint32_t) { return bit; }
};

template <class Coder>
bool code_segment(const Plan& plan, Coder& coder, int32_t* ranks, size_t frames, Trace* trace = nullptr) {
    Arena arena;
    Channel* channels = arena.take<Channel>(plan.channels);
    if (!arena.good()) return false;
    for (int c = 0; c < plan.channels; ++c) {
        prepare(channels[c].predictor, arena, plan.network, c);
        prepare(channels[c].corrector, arena, plan.network, c);
        channels[c].corrector.trace = trace;
        prepare(channels[c], arena, *plan.preset, plan.channels > 1, plan.grid[c]);
    }
    if (!arena.good()) return false;
    double newest[kMaxChannels] = {};
    for (size_t t = 0; t < frames; ++t, ranks += plan.channels) {
        for (int c = 0; c < plan.channels; ++c) {
            Channel& channel = channels[c];
            predict(channel.cascade, newest[c > 0 ? c - 1 : plan.channels - 1]);
            ranks[c] = code_sample(channel, plan.grid[c], coder, ranks[c]);
            newest[c] = value_of(plan.grid[c], ranks[c]);
            update(channel.cascade, newest[c]);
            update(channel.predictor, newest[c]);
        }
    }
    return true;
}

size_t encode(const Plan& plan, const int32_t* ranks, size_t frames, uint8_t* out, size_t capacity) {
    const FloatMode mode;
    RangeEncoder coder(out, capacity);
    int32_t* same = const_cast<int32_t*>(ranks);  // an encoder writes what it reads
    if (!code_segment(plan, coder, same, frames)) return kNoMemory;
    return coder.finish();
}

bool decode(const Plan& plan, const uint8_t* in, size_t size, int32_t* ranks, size_t frames) {
    const FloatMode mode;
    RangeDecoder coder(in, size);
    return code_segment(plan, coder, ranks, frames);
}

bool trace(const Plan& plan, const int32_t* ranks, size_t frames, Trace trace) {
    const FloatMode mode;
    Follower follower;
    return code_segment(plan, follower, const_cast<int32_t*>(ranks), frames, &trace);
}

}  // namespace

#define SYNTH_JOIN(a, b) a##b
#define SYNTH_CODING(set) SYNTH_JOIN(coding_, set)
#define SYNTH_TEXT(set) #set
#define SYNTH_NAME(set) SYNTH_TEXT(set)

extern const CodingApi SYNTH_CODING(SYNTH_SET);
const CodingApi SYNTH_CODING(SYNTH_SET) = {SYNTH_NAME(SYNTH_SET), encode, decode, trace};

}  // namespace synth
