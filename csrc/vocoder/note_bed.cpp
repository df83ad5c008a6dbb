#include <algorithm>

#include "vocoder/bed.hpp"

namespace synth {
namespace {

constexpr int kSteps = 256;                          // of a semitone
constexpr int32_t kFaintest = -32 * 1024, kDepth = 13 * 1024;  // levels: of any sine; below the strongest
constexpr int32_t kLeast = -64 * 1024;
constexpr uint64_t kHighest = uint64_t{1} << 31;     // half of the sample rate

int64_t floored(int64_t a, int64_t b) { return a / b - (a % b < 0); }

}  // namespace

NoteBed::NoteBed(std::shared_ptr<const Oscillators> oscillators, int notes, const uint32_t* octave,
                 const int32_t* power)
    : oscillators_(std::move(oscillators)), notes_(notes), octave_(octave, octave + kOctave),
      power_(power, power + 256) {}

// The sines of a row: what their phases grow by in a sample, 0 where there is none, and their amplitudes.
void NoteBed::find_sines(const int32_t* levels, int moved, uint32_t* increments, int32_t* amplitudes) const {
    const int32_t least = std::max(*std::max_element(levels, levels + notes_) - kDepth, kFaintest);
    for (int k = 0; k < notes_; ++k) {
        const int64_t here = levels[k], before = levels[std::max(k - 1, 0)], after = levels[std::min(k + 1, notes_ - 1)];
        increments[k] = 0, amplitudes[k] = 0;
        if (!(here > before && here >= after && here > least)) continue;
        const int64_t offset = std::clamp<int64_t>(
            floored(kSteps * (after - before), 2 * (2 * here - before - after)), -kSteps / 2, kSteps / 2);
        const int64_t level = here + ((after - before) * offset >> 10), place = k * kSteps + offset + moved;
        const int64_t octave = floored(place, kOctave);
        if (octave < 0) continue;
        const uint64_t increment = uint64_t{octave_[static_cast<size_t>(place - octave * kOctave)]}
                                   << std::min<int64_t>(octave, 16);
        if (increment >= kHighest) continue;
        const int32_t exponent = static_cast<int32_t>(std::clamp<int64_t>(level, kLeast, 0));
        const int32_t power = power_[(exponent & 2047) >> 3] << 4;
        increments[k] = static_cast<uint32_t>(increment);
        amplitudes[k] = std::min(power >> std::min(-(exponent >> 11), 31), kMaxAmplitude);
    }
}

void NoteBed::render(const BedFrames& steered, const uint32_t* start, int32_t* samples, int16_t*,
                     uint32_t* phases) const {
    const size_t notes = static_cast<size_t>(notes_), segments = 2 * static_cast<size_t>(steered.frames);
    const int length = oscillators_->model.length;
    std::vector<uint32_t> rates((segments + 1) * notes), starts(segments * notes), row(start, start + notes), next(notes);
    std::vector<int32_t> amplitudes(rates.size()), steps(starts.size()), slopes(starts.size());
    for (size_t s = 0; s <= segments; ++s)
        find_sines(steered.levels.data() + s * notes, steered.moved, rates.data() + s * notes,
                   amplitudes.data() + s * notes);
    for (size_t s = 0; s < segments; ++s) {
        const uint32_t *here = rates.data() + s * notes, *then = here + notes;
        const auto ends = [&](size_t k) { return here[k] != 0 && then[k] == 0; };
        if (s % 2 == 0) std::copy(row.begin(), row.end(), phases + s / 2 * notes);
        for (size_t k = 0; k < notes; ++k) {  // a sine goes on at its place, or at that beside it
            const bool begins = then[k] != 0 && here[k] == 0, below = begins && k > 0 && ends(k - 1);
            const bool above = begins && !below && k + 1 < notes && ends(k + 1);
            const size_t source = k - (below ? 1 : 0) + (above ? 1 : 0), at = s * notes + k;
            const int64_t first = here[source] ? here[source] : then[k], last = then[k] ? then[k] : first;
            const int64_t slope = floored(last - first, length);
            starts[at] = row[source];
            steps[at] = static_cast<int32_t>(first), slopes[at] = static_cast<int32_t>(slope);
            next[k] = row[source] + static_cast<uint32_t>(first * length + slope * (length * (length - 1) / 2));
        }
        row = next;
    }
    std::copy(row.begin(), row.end(), phases + segments / 2 * notes);
    oscillators_->api.oscillate(oscillators_->model, starts.data(), steps.data(), slopes.data(), amplitudes.data(),
                                segments, notes, samples);
}

}  // namespace synth
