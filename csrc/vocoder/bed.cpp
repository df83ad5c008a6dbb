#include "vocoder/bed.hpp"

#include <algorithm>

namespace synth {
namespace {

constexpr int kMissing = 820, kSlope = 20;        // voicing from which on harmonics are whole; what is missing costs
constexpr int32_t kLeast = -64 * 1024;            // of a level
constexpr int kPhasePlaces = 9;                   // binary ones of the phases' matrix
constexpr int64_t kHighest = (int64_t{1} << 31) - 1;  // half of the sample rate

int64_t floored(int64_t a, int64_t b) { return a / b - (a % b < 0); }

}  // namespace

TonalBed::TonalBed(std::shared_ptr<const Oscillators> oscillators, const BedTables& t)
    : oscillators_(std::move(oscillators)), tones_(t.tones), partials_(t.partials),
      increments_(t.increments, t.increments + 2 * kQuarters + 1),
      logarithms_(t.logarithms, t.logarithms + 2 * kQuarters + 1), gates_(t.gates, t.gates + 1025),
      places_(t.places, t.places + 1025), phases_(static_cast<size_t>(t.tones) * t.tones),
      power_(t.power, t.power + 256) {
    for (int to = 0; to < tones_; ++to)
        for (int from = 0; from < tones_; ++from) phases_[from * tones_ + to] = t.phases[to * tones_ + from];
}

// Amplitudes and phases, 65536 to a turn, of all harmonics at starts of segments: [rows][partials].
struct TonalBed::Shapes {
    std::vector<int32_t> amplitudes;
    std::vector<uint16_t> offsets;
    std::vector<double> sums;    // [tones], work
    std::vector<uint32_t> turns;  // [tones + 1], work
};

void TonalBed::shape(const BedFrames& steered, int row, Shapes& shapes) const {
    const int32_t* levels = steered.levels.data() + static_cast<size_t>(row) * tones_;
    const int64_t increment = increments_[steered.pitches[row]];
    const int32_t added = logarithms_[steered.pitches[row]] - std::max(0, kMissing - steered.voicing[row]) * kSlope;
    std::fill(shapes.sums.begin(), shapes.sums.end(), 0.0);
    for (int from = 0; from < tones_; ++from) {  // whole numbers below 2^53: any order
        const double level = levels[from];
        for (int to = 0; to < tones_; ++to) shapes.sums[to] += level * phases_[from * tones_ + to];
    }
    // only the lower 24 bits count in what follows
    for (int to = 0; to < tones_; ++to)
        shapes.turns[to] = static_cast<uint32_t>(
            (static_cast<int64_t>(shapes.sums[to]) + (1 << (kPhasePlaces - 1))) >> kPhasePlaces);
    int32_t* amplitude = shapes.amplitudes.data() + static_cast<size_t>(row) * partials_;
    uint16_t* offset = shapes.offsets.data() + static_cast<size_t>(row) * partials_;
    uint32_t first = 0;
    for (int k = 0; k < partials_; ++k) {
        const int64_t at = std::min(increment * (k + 1), kHighest);
        const int entry = static_cast<int>(at >> 21), part = static_cast<int>(at >> 13) & 255;
        const int place = (places_[entry] * (256 - part) + places_[entry + 1] * part) >> 8;
        const int low = place >> 8, high = std::min(low + 1, tones_ - 1);
        const int32_t within = place & 255, rest = 256 - within;
        const int32_t level = (levels[low] * rest + levels[high] * within) >> 8;
        const int32_t exponent = std::clamp(level + added, kLeast, 0);
        const int32_t power = power_[(exponent & 2047) >> 3] << 4;
        const int32_t gate = increment * (k + 1) > kHighest ? 0 : gates_[entry];
        amplitude[k] = std::min((power >> std::min(-(exponent >> 11), 31)) * gate / 256, kMaxAmplitude);
        const uint32_t turned = (shapes.turns[low] * rest + shapes.turns[high] * within) >> 8;
        if (k == 0) first = turned;
        offset[k] = static_cast<uint16_t>(turned - static_cast<uint32_t>(k + 1) * first);
    }
}

void TonalBed::render(const BedFrames& steered, const uint32_t* start, int32_t* samples, int16_t* hints,
                      uint32_t* phases) const {
    const int segments = 2 * steered.frames, length = this->length();
    const size_t all = static_cast<size_t>(segments) * partials_;
    Shapes shapes{std::vector<int32_t>(all + partials_), std::vector<uint16_t>(all + partials_),
                  std::vector<double>(tones_), std::vector<uint32_t>(tones_)};
    std::vector<uint32_t> starts(all);
    std::vector<int32_t> steps(all), slopes(all);
    for (int row = 0; row <= segments; ++row) shape(steered, row, shapes);
    uint32_t phase = *start;
    for (int s = 0; s < segments; ++s) {
        const int64_t from = increments_[steered.pitches[s]], to = increments_[steered.pitches[s + 1]];
        const int64_t slope = floored(to - from, length), mean = (from + to) >> 1;
        if (s % 2 == 0) phases[s / 2] = phase;
        const uint32_t parts[3] = {phase >> 16, static_cast<uint32_t>(mean >> 16), static_cast<uint32_t>(mean)};
        for (int i = 0; i < 3; ++i) hints[3 * s + i] = static_cast<int16_t>(static_cast<uint16_t>(parts[i]));
        const uint16_t* offset = shapes.offsets.data() + static_cast<size_t>(s) * partials_;
        for (int k = 0; k < partials_; ++k) {
            const size_t at = static_cast<size_t>(s) * partials_ + k;
            const int32_t turn = static_cast<int16_t>(static_cast<uint16_t>(offset[partials_ + k] - offset[k]));
            const uint32_t number = static_cast<uint32_t>(k + 1);
            starts[at] = phase * number + (static_cast<uint32_t>(offset[k]) << 16);
            steps[at] = static_cast<int32_t>(static_cast<uint32_t>(from) * number +
                                             static_cast<uint32_t>(floored(int64_t{turn} * 65536, length)));
            slopes[at] = static_cast<int32_t>(static_cast<uint32_t>(slope) * number);
        }
        phase += static_cast<uint32_t>(from * length + slope * (length * (length - 1) / 2));
    }
    phases[steered.frames] = phase;
    oscillators_->api.oscillate(oscillators_->model, starts.data(), steps.data(), slopes.data(),
                                shapes.amplitudes.data(), static_cast<size_t>(segments),
                                static_cast<size_t>(partials_), samples);
}

}  // namespace synth
