// What all streams of a voice share: its networks, layers, codebooks, postfilter and bed. Never changes.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "engine/engine.hpp"
#include "vocoder/bed.hpp"
#include "vocoder/postfilter.hpp"
#include "vocoder/vocoder.hpp"

namespace synth {

struct VoiceModel {
    int hop, parts;          // samples of a token frame; conditioning vectors that it has
    int latent, mels, levels;  // `levels` of a bed, 0 without one
    int lookahead;           // token frames after its own that a frame's sound depends on
    int passes;              // of the postfilter, 0 without
    std::shared_ptr<const PackedNetwork> network, planner;  // the planner may be null
    std::shared_ptr<const Layer> hidden[2], gates, reflections;
    std::shared_ptr<const Layer> envelope[3], linear;  // null without a postfilter; `linear` without a bed
    std::shared_ptr<const Postfilter> postfilter;      // null without
    std::shared_ptr<const Bed> bed;                    // null without
    std::vector<int8_t> codebooks;                     // [quantisers][kCodes][latent]

    int part() const { return hop / parts; }                          // samples that a conditioning vector lasts
    int targets() const { return mels + levels + (bed && bed->pitched() ? 1 : 0); }    // numbers of 10 ms that are read off latents
    int units() const {                                               // of a conditioning vector
        return 3 * network->model.frame_units + network->model.predictor.order + (bed ? bed->units() : 0);
    }
};

// Seconds that a stream's parts took, by the wall clock: for `synth bench`.
struct PartSeconds {
    double planner = 0.0, conditioner = 0.0, bed = 0.0, network = 0.0, postfilter = 0.0;
};

// Adds the seconds from its making to its end.
class Stopwatch {
   public:
    explicit Stopwatch(double& seconds) : seconds_(seconds), began_(Clock::now()) {}
    ~Stopwatch() { seconds_ += std::chrono::duration<double>(Clock::now() - began_).count(); }
    Stopwatch(const Stopwatch&) = delete;
    Stopwatch& operator=(const Stopwatch&) = delete;

   private:
    using Clock = std::chrono::steady_clock;
    double& seconds_;
    Clock::time_point began_;
};

}  // namespace synth
