// What a voice's network draws its sound on top of: a bed that latents steer, rendered in whole token frames.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "vocoder/vocoder.hpp"

namespace synth {

// What steers a bed in `frames` token frames of two segments (10 ms) each, at the starts of segments and after the last:
// 2 frames + 1 rows.
struct BedFrames {
    int frames;
    std::vector<int32_t> pitches;  // [rows], places in a table of pitches; of a bed of one pitch
    std::vector<int32_t> levels;   // [rows][levels], binary logarithms of powers in 1/1024
    std::vector<int32_t> voicing;  // [rows], 1024 where voiced; of a bed of one pitch
    int moved = 0;                 // how far the pitch of a bed without one is moved, in the bed's own steps
};

// Another kind of bed is another class of this: what it reads off latents comes as `levels`, what goes on from frame to
// frame is a row of phases, and what the network is told of it ends the conditioning vectors. Its specification in NumPy
// is what a BedConditioner of synth/generation calls.
class Bed {
   public:
    virtual ~Bed() = default;
    // Whether it is of one pitch, which the first two latents are, and has a voicing.
    virtual bool pitched() const = 0;
    // Numbers at the end of a conditioning vector.
    virtual int units() const = 0;
    // How many phases run on.
    virtual int phases() const = 0;
    // The bed's samples [2 frames segments] from a row of phases on; what vectors end with, [2 frames][units]; the phases
    // at starts of token frames and after the last one, [frames + 1][phases].
    virtual void render(const BedFrames& steered, const uint32_t* start, int32_t* samples, int16_t* hints,
                        uint32_t* phases) const = 0;
};

constexpr int kQuarters = 508;  // pitches are -kQuarters to kQuarters

// A checkpoint's tables as they lie in the file; sizes and values are already checked.
struct BedTables {
    int tones, partials;
    const uint32_t* increments;   // [2 kQuarters + 1]
    const int16_t* logarithms;    // the same
    const uint16_t* places;       // [1025]
    const int16_t *gates, *phases;  // [1025], [tones][tones]
    const int32_t* power;         // [256]
};

// Harmonics of a pitch: synth/vocoder/bed.py, bit for bit.
class TonalBed final : public Bed {
   public:
    TonalBed(std::shared_ptr<const Oscillators> oscillators, const BedTables& tables);
    bool pitched() const override { return true; }
    int units() const override { return 3; }
    int phases() const override { return 1; }
    void render(const BedFrames& steered, const uint32_t* start, int32_t* samples, int16_t* hints,
                uint32_t* phases) const override;

   private:
    struct Shapes;
    void shape(const BedFrames& steered, int row, Shapes& shapes) const;
    int length() const { return oscillators_->model.length; }
    std::shared_ptr<const Oscillators> oscillators_;
    int tones_, partials_;
    std::vector<uint32_t> increments_;
    std::vector<int16_t> logarithms_, gates_;
    std::vector<uint16_t> places_;
    std::vector<double> phases_;  // [from][to]
    std::vector<int32_t> power_;
};

// Sines near the places of a scale: synth/vocoder/note_bed.py, bit for bit.
class NoteBed final : public Bed {
   public:
    // octave [kOctave], power [256], as they lie in a checkpoint's file
    NoteBed(std::shared_ptr<const Oscillators> oscillators, int notes, const uint32_t* octave, const int32_t* power);
    bool pitched() const override { return false; }
    int units() const override { return 0; }
    int phases() const override { return notes_; }
    void render(const BedFrames& steered, const uint32_t* start, int32_t* samples, int16_t* hints,
                uint32_t* phases) const override;
    static constexpr int kOctave = 12 * 256;

   private:
    void find_sines(const int32_t* levels, int moved, uint32_t* increments, int32_t* amplitudes) const;
    std::shared_ptr<const Oscillators> oscillators_;
    int notes_;
    std::vector<uint32_t> octave_;
    std::vector<int32_t> power_;
};

}  // namespace synth
