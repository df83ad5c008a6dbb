// What all streams of a voice share: its networks, layers, codebooks, postfilter and bed. Never changes.
#pragma once

#include <memory>
#include <vector>

#include "engine/engine.hpp"
#include "vocoder/bed.hpp"
#include "vocoder/postfilter.hpp"
#include "vocoder/vocoder.hpp"

namespace synth {

struct VoiceModel {
    int hop, parts;          // samples of a token frame; conditioning vectors that it has
    int latent, mels, tones;  // `tones` is 0 without a bed
    int lookahead;           // token frames after its own that a frame's sound depends on
    int passes;              // of the postfilter, 0 without
    std::shared_ptr<const PackedNetwork> network, planner;  // the planner may be null
    std::shared_ptr<const Layer> hidden[2], gates, reflections;
    std::shared_ptr<const Layer> envelope[3], linear;  // null without a postfilter; `linear` without a bed
    std::shared_ptr<const Postfilter> postfilter;      // null without
    std::shared_ptr<const Bed> bed;                    // null without
    std::vector<int8_t> codebooks;                     // [quantisers][kCodes][latent]

    int part() const { return hop / parts; }                          // samples that a conditioning vector lasts
    int targets() const { return mels + (tones ? tones + 1 : 0); }    // numbers of 10 ms that are read off latents
    int units() const {                                               // of a conditioning vector
        return 3 * network->model.frame_units + network->model.predictor.order + (bed ? bed->units() : 0);
    }
};

}  // namespace synth
