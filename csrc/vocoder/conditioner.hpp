// What conditions the network of a voice's stream, a few token frames ahead of the sound: synth/generation/
// conditioning.py and tonal_conditioning.py, bit for bit.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "vocoder/planned_latents.hpp"
#include "vocoder/postfilter_passes.hpp"
#include "vocoder/voice_model.hpp"

namespace synth {

// Rows of numbers of token frames in a row, from frame `first` on.
template <class T>
struct FrameRows {
    explicit FrameRows(size_t width) : width(width) {}
    int64_t end() const { return first + static_cast<int64_t>(values.size() / width); }
    T* row(int64_t frame) { return values.data() + static_cast<size_t>(frame - first) * width; }
    // Forgets the rows before a frame; all of them where that is not among them.
    void drop(int64_t frame) {
        if (frame < first || frame > end()) values.clear(), first = frame;
        values.erase(values.begin(), values.begin() + static_cast<std::ptrdiff_t>((frame - first) * width));
        first = frame;
    }
    // Room for the rows up to a frame; the first new one.
    T* extend(int64_t to) {
        const size_t before = values.size();
        values.resize(static_cast<size_t>(to - first) * width);
        return values.data() + before;
    }

    size_t width;
    int64_t first = 0;
    std::vector<T> values;
};

// Changes of the pitch: moved by the bed's own steps; where there is a course, pitch latents [frames][2] from it. Mel bands below
// `resolving` then are left as they are.
struct PitchChange {
    int moved = 0, resolving = 0;
    std::vector<int8_t> course;
};

class Conditioner {
   public:
    // `source`: what latents are drawn by; null: they are pushed. `ahead`: token frames that are conditioned at once.
    Conditioner(const VoiceModel& model, PlannedLatents* source, int ahead);

    // The conditioning from sample `position` on, a multiple of what a vector lasts: [units].
    const int16_t* vector_at(int64_t position, PostfilterPasses* postfilter);
    // Makes the bed ready from the token frame of a sample within a vector's stretch on.
    void prepare(int64_t position, PostfilterPasses* postfilter);
    // The sound of no token frame from this one on is asked for next: what is planned up to there is conditioned together.
    void expect(int64_t horizon) { horizon_ = horizon; }
    // Forgets what was conditioned together, so that no more is held than if it had been frame by frame.
    void settle();
    // Adds the bed's next samples, from sample `position` on.
    void add_bed(int64_t position, int32_t* samples, size_t count);
    // The token frame behind the last whose latents are taken for the sound of samples [from, to); 0: for none.
    int64_t wanted(int64_t from, int64_t to) const;
    // Takes the latents of the next `frames` token frames; the last ones of all where `last`.
    void push(const int8_t* latents, size_t frames, bool last);
    // What is held, and behind it what was pushed; the token frame behind the last of these.
    std::vector<int8_t> known_latents() const;
    int64_t known_until() const {
        return held.end() + static_cast<int64_t>((incoming_.size() - taken_) / held.width);
    }

    FrameRows<int8_t> held;  // latents
    bool ended = false;      // no more will come
    bool closed = false;     // no more will be pushed
    int64_t phase_frame = 0;
    std::vector<uint32_t> phases;  // of a bed at starts of token frames from phase_frame on, a row each
    PitchChange change;
    PartSeconds seconds;

   private:
    bool next(int8_t* latents);
    int together(int64_t frame) const;
    void fill(int64_t frame, int ahead);
    void condition(int64_t frame, PostfilterPasses* postfilter);
    void known(int64_t frame, int count, PostfilterPasses* postfilter);
    void render(int64_t frame, int count);
    void hidden(FrameRows<int8_t>& lower, FrameRows<int8_t>& upper, const std::shared_ptr<const Layer>* layers,
                int64_t from, int64_t to);
    const int32_t* natural(int64_t from, int64_t to);
    void steer(int64_t frame, int count, BedFrames& steered);
    void steer_pitches(int64_t frame, int count, BedFrames& steered);
    int64_t limit() const { return ended ? held.end() : INT64_MAX; }

    const VoiceModel& model_;
    PlannedLatents* source_;
    int ahead_;
    int64_t horizon_ = 0;
    std::vector<int8_t> incoming_;  // pushed, from `taken_` on not yet held
    size_t taken_ = 0;
    FrameRows<int8_t> lower_, upper_, envelope_lower_, envelope_upper_;
    FrameRows<int32_t> natural_;
    std::vector<int16_t> vectors_;  // [frames][parts][units], ready
    int64_t frame_ = 0, ready_ = 0;
    std::vector<int32_t> bed_;
    int64_t bed_start_ = 0;
};

}  // namespace synth
