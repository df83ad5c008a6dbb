#include "vocoder/planned_latents.hpp"

#include <algorithm>
#include <cmath>

namespace synth {
namespace {

// The first of the four words of Philox 4x32-10 at a position.
uint32_t random_word(uint64_t position, uint32_t key0, uint32_t key1) {
    uint32_t a = static_cast<uint32_t>(position), b = static_cast<uint32_t>(position >> 32), c = 0, d = 0;
    for (int round = 0; round < 10; ++round, key0 += 0x9E3779B9u, key1 += 0xBB67AE85u) {
        const uint64_t p = uint64_t{a} * 0xD2511F53u, q = uint64_t{c} * 0xCD9E8D57u;
        a = static_cast<uint32_t>(q >> 32) ^ b ^ key0, b = static_cast<uint32_t>(q);
        c = static_cast<uint32_t>(p >> 32) ^ d ^ key1, d = static_cast<uint32_t>(p);
    }
    return a;
}

bool any_label(const State& state, int labels) {
    return std::any_of(state.labels, state.labels + labels, [](int label) { return label != 0; });
}

}  // namespace

bool apply_labels(LabelSchedule& schedule, int64_t position, State& state) {
    const bool any = !schedule.empty() && schedule.front().at <= position;
    for (; !schedule.empty() && schedule.front().at <= position; schedule.pop_front())
        std::copy(schedule.front().labels.begin(), schedule.front().labels.end(), state.labels);
    return any;
}

PlannedLatents::PlannedLatents(const VoiceModel& model, std::shared_ptr<Stream> own, std::shared_ptr<Stream> other,
                               const PlanOptions& options)
    : planner(std::move(own)), free(std::move(other)), model_(model), options_(options) {
    for (void*& work : work_)
        if (free) work = arena_.take<unsigned char>(planner->network->api.work_bytes);
}

void PlannedLatents::next(int64_t frame, int8_t* latents) {
    const size_t latent = static_cast<size_t>(model_.latent);
    if (static_cast<size_t>(frame) < prompt.size() / latent) {
        std::copy_n(prompt.begin() + static_cast<std::ptrdiff_t>(frame * latent), latent, latents);
        return;
    }
    const int keys = planner->network->model.labels, asked = keys - options_.told;
    if (apply_labels(schedule, frame, planner->state) && free)
        std::copy(planner->state.labels + asked, planner->state.labels + keys, free->state.labels + asked);
    uint8_t tokens[kMaxQuantisers];
    draw(tokens);
    const int period = planner->network->model.period;
    for (size_t d = 0; d < latent; ++d) {
        int sum = 0;
        for (int q = 0; q < period; ++q)
            sum += model_.codebooks[(static_cast<size_t>(q) * kCodes + tokens[q]) * latent + d];
        latents[d] = static_cast<int8_t>(std::clamp(sum, -127, 127));
    }
}

void PlannedLatents::draw(uint8_t* tokens) {
    const Api& api = planner->network->api;
    const Model& network = planner->network->model;
    State* const state = &planner->state;
    const size_t period = static_cast<size_t>(network.period);
    if (!free || !any_label(*state, network.labels - options_.told)) {
        api.generate(network, &state, &tokens, 1, period, {options_.inverse_temperature, 256, uint64_t{1} << 32});
        if (!free) return;
        uint32_t costs[kMaxQuantisers], *to = costs;
        State* const other = &free->state;
        const uint8_t* from = tokens;
        api.teacher_force(network, &other, &from, &to, 1, period);
        return;
    }
    api.enter(network, *state, work_[0]);
    api.enter(network, free->state, work_[1]);
    for (size_t place = 0; place < period; ++place) {
        const int code = draw_guided();
        tokens[place] = static_cast<uint8_t>(code);
        api.advance(network, *state, work_[0], code);
        api.advance(network, free->state, work_[1], code);
    }
}

// One token by the random number of its place; both states stand before it with its hidden layer computed.
int PlannedLatents::draw_guided() {
    const Api& api = planner->network->api;
    const Model& network = planner->network->model;
    State* const states[2] = {&planner->state, &free->state};
    uint32_t leaves[2][kCodes];
    for (int k = 0; k < 2; ++k) {
        api.step(network, *states[k], work_[k]);
        api.leaves(network, work_[k], leaves[k]);
    }
    double weights[kCodes], most = 0.0;
    for (int i = 0; i < kCodes; ++i) {
        const double conditional = leaves[0][i] + 1.0, unconditional = leaves[1][i] + 1.0;
        const double ratio = std::sqrt(conditional / unconditional);
        weights[i] = conditional;
        for (int round = 0; round < options_.rounds; ++round) weights[i] *= ratio;
        most = std::max(most, weights[i]);
    }
    if (options_.inverse_temperature == 0) return static_cast<int>(std::max_element(weights, weights + kCodes) - weights);
    double sum = 0.0, running[kCodes];
    for (int i = 0; i < kCodes; ++i) {
        const double quarter = std::sqrt(std::sqrt(weights[i] / most));
        double weight = quarter;
        for (int k = 1; k < options_.quarters; ++k) weight *= quarter;
        running[i] = sum += weight;
    }
    const State& state = planner->state;
    const double target = sum * (random_word(state.position, state.seed, state.stream) * (1.0 / 4294967296.0));
    return std::min(255, static_cast<int>(std::upper_bound(running, running + kCodes, target) - running));
}

}  // namespace synth
