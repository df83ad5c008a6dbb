// What a voice has around its network, compiled once for each instruction set (SYNTH_SET names it) with that set's flags
// on this file only; internal to it, like kernel.cpp.
#include "vocoder/voice.hpp"

#include <cstdlib>
#include <cstring>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace synth {
namespace {

#include "simd/arena.hpp"
#include "simd/float_mode.hpp"
#include "simd/simd.hpp"
//
#include "vocoder/cosine_transform.hpp"
//
#include "vocoder/postfilter_frames.hpp"
#include "vocoder/int8_layers.hpp"
#include "vocoder/beam_search.hpp"
#include "vocoder/oscillator_bank.hpp"

void filter_block(const FilterModel& model, const int16_t* samples, const int32_t* levels, int frames, const Rows& rows,
                  int64_t* total) {
    const int last = model.fft / 2, half = model.window / 2;
    int32_t gains[kMaxMels * kAbreast];
    fold(model, samples, frames, rows);
    cosines(model.cosine, last, rows.even, 1, half, rows.real, rows.work);
    sines(model.sine, last, rows.odd, 1, half, rows.imaginary, rows.work);
    measure(model, rows);
    find_gains(model, levels, frames, rows.power, gains);
    turn(model, gains, rows);
    cosines(model.cosine, last, rows.real, 1, last + 1, rows.even, rows.work);
    sines(model.sine, last, rows.imaginary, 1, last + 1, rows.odd, rows.work);
    unfold(model, frames, rows, total);
}

bool filter(const FilterModel& model, const int16_t* samples, const int32_t* levels, size_t frames, int64_t* total) {
    const FloatMode mode;
    Arena arena;
    const size_t size = static_cast<size_t>(model.fft / 2 + 1 + 2 * kSmallest) * kAbreast;
    Rows rows;
    double** const parts[] = {&rows.even, &rows.odd, &rows.real, &rows.imaginary, &rows.power, &rows.work};
    for (double** part : parts) *part = arena.take<double>(size);
    if (!arena.good()) return false;
    for (size_t at = 0; at < frames; at += kAbreast) {
        const int count = static_cast<int>(frames - at < kAbreast ? frames - at : kAbreast);
        filter_block(model, samples + at * model.hop, levels + at * model.mels, count, rows, total + at * model.hop);
    }
    return true;
}

}  // namespace

#define SYNTH_JOIN(a, b) a##b
#define SYNTH_VOICE(set) SYNTH_JOIN(voice_, set)
#define SYNTH_TEXT(set) #set
#define SYNTH_NAME(set) SYNTH_TEXT(set)

extern const VoiceApi SYNTH_VOICE(SYNTH_SET);
const VoiceApi SYNTH_VOICE(SYNTH_SET) = {SYNTH_NAME(SYNTH_SET), filter, values, hidden, search, oscillate};

}  // namespace synth
