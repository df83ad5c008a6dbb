// One stream of a voice, from labels or latents to sound: synth/generation/voice_stream.py, bit for bit.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "vocoder/conditioner.hpp"
#include "vocoder/planned_latents.hpp"
#include "vocoder/postfilter_passes.hpp"
#include "vocoder/voice_model.hpp"

namespace synth {

// Where a stream stands besides its networks' states.
struct VoicePlace {
    int64_t origin, opening;  // the stream's first sample; before `opening` draws are careful
    int64_t skipped, read;    // samples of a prompt that are to come out of the postfilter; samples that left the stream
    int32_t emphasis;         // state of the de-emphasis
    std::vector<int16_t> ready;  // out of the postfilter, not yet asked for
};

class VoiceStream {
   public:
    // `source`: null where latents are pushed; `postfilter`: null without one
    VoiceStream(std::shared_ptr<const VoiceModel> model, std::shared_ptr<Stream> network,
                std::unique_ptr<PlannedLatents> source, int ahead, std::unique_ptr<PostfilterPasses> postfilter,
                const DrawOptions& draw, VoicePlace place);
    VoiceStream(const VoiceStream&) = delete;
    VoiceStream& operator=(const VoiceStream&) = delete;

    // Everything below: by one thread at a time, which holds `mutex` and those of the networks' streams.

    // The token frame up to which latents must have been pushed, or labels of a plan told, before `count` samples are
    // read; 0 where none are needed.
    int64_t wanted(size_t count) const;
    // Other labels from the network's next frame on; ends what was scheduled.
    void relabel(const std::array<int, kLabels>& labels);
    // The label ids in force now, for the network.
    const int* labels();
    int64_t position() const { return postfilter ? place.read : network_position() - place.origin; }
    // Whether the two can be drawn together.
    bool stands_with(const VoiceStream& other) const;
    // Samples that the network must draw so that `count` can be given.
    size_t missing(size_t count) const;

    const std::shared_ptr<const VoiceModel> model;
    const std::shared_ptr<Stream> network;
    const std::unique_ptr<PlannedLatents> source;
    const std::unique_ptr<PostfilterPasses> postfilter;
    const DrawOptions draw;
    Conditioner conditioner;
    LabelSchedule schedule;
    VoicePlace place;
    mutable std::mutex mutex;

    // Puts into force whatever begins with the next sample.
    void apply_due();
    // Samples until the next change of labels, conditioning or draws.
    size_t until_change() const;
    // The next `count` samples, after the network drew `codes`.
    void finish(const std::vector<uint8_t>& codes, size_t count, int16_t* out);

   private:
    int64_t network_position() const { return static_cast<int64_t>(network->state.position); }
};

// The next `count` samples of streams of one model, a row each: those that stand at the same sample and draw alike share
// what they can.
void read_together(const std::vector<VoiceStream*>& streams, size_t count, int16_t* const* out);

// The next `count` codes of streams without a postfilter.
void draw_together(const std::vector<VoiceStream*>& streams, size_t count, std::vector<std::vector<uint8_t>>& codes);

}  // namespace synth
