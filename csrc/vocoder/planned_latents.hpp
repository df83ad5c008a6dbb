// Latents of tokens that a planner draws: synth/generation/planner.py, bit for bit.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "vocoder/voice_model.hpp"

namespace synth {

// From which sample, or for a planner which token frame, on which label ids are in force, in order.
struct LabelChange {
    int64_t at;
    std::array<int, kLabels> labels;
};
using LabelSchedule = std::deque<LabelChange>;

// Puts the changes into force whose time has come; whether there are any.
bool apply_labels(LabelSchedule& schedule, int64_t position, State& state);

// `rounds`: how often the ratio of what labels say to what is said without them is a factor; `quarters`: of 1 / temperature.
// `told`: of the last label keys, which are known without labels too.
struct PlanOptions {
    int64_t inverse_temperature;
    int rounds, quarters, told;
};

class PlannedLatents {
   public:
    // `free`: a state that never gets labels, where there is guidance; else null
    PlannedLatents(const VoiceModel& model, std::shared_ptr<Stream> planner, std::shared_ptr<Stream> free,
                   const PlanOptions& options);
    // The latents of a token frame: of the prompt, or of tokens that are drawn now.
    void next(int64_t frame, int8_t* latents);

    LabelSchedule schedule;  // of the token frames that are drawn next; who asks for sound fills it
    std::vector<int8_t> prompt;  // latents [frames][latent]
    const std::shared_ptr<Stream> planner, free;

   private:
    void draw(uint8_t* tokens);
    int draw_guided();


    const VoiceModel& model_;
    PlanOptions options_;
    Arena arena_;
    void* work_[2] = {};  // of the planner's state and of the free one
};

}  // namespace synth
