// One stream's state: fresh, copied, saved, restored.
#include <algorithm>

#include "engine/engine.hpp"

namespace synth {
namespace {

// [3][units] of [3][padded], and back.
std::vector<int16_t> gathered(const int16_t* from, int units, int padded) {
    std::vector<int16_t> to;
    for (int block = 0; block < 3; ++block) to.insert(to.end(), from + block * padded, from + block * padded + units);
    return to;
}

void spread(const int16_t* from, int16_t* to, int units, int padded) {
    for (int block = 0; block < 3; ++block) std::copy_n(from + block * units, units, to + block * padded);
}

}  // namespace

void reset_predictor(const PredictorWeights& weights, Predictor& state) {
    state = Predictor{};
    for (int i = 0; i < weights.order; ++i) {
        state.covariance[i * weights.order + i] = weights.prior;
        state.weights[i] = weights.start[i];
        state.correlation[i] = weights.prior * weights.start[i];
    }
    state.scale = 16.0;
}

void Stream::allocate() {
    const Model& model = network->model;
    state.window = arena_.take<int8_t>(model.window + kHop);
    state.conditioning = model.stride ? arena_.take<int16_t>(3 * model.frame_padded) : nullptr;
    state.frame = arena_.take<int16_t>(model.frame_padded);
    state.condition = arena_.take<int16_t>(3 * model.sample_padded);
    state.sample = arena_.take<int16_t>(model.sample_padded);
    state.sample_product = arena_.take<int16_t>(3 * model.sample_padded);
}

Stream::Stream(std::shared_ptr<const PackedNetwork> of, uint32_t seed, uint32_t stream) : network(std::move(of)) {
    allocate();
    state.seed = seed, state.stream = stream, state.residual = 128;
    reset_predictor(network->model.predictor, state.predictor);
    network->api.refresh(network->model, state);
}

Stream::Stream(const Stream& other) : network(other.network) {
    const std::lock_guard<std::mutex> guard(other.mutex);
    state = other.state;
    allocate();
    const Model& model = network->model;
    const State& from = other.state;
    std::copy(from.window, from.window + model.window + kHop, state.window);
    if (model.stride) std::copy(from.conditioning, from.conditioning + 3 * model.frame_padded, state.conditioning);
    std::copy(from.frame, from.frame + model.frame_padded, state.frame);
    std::copy(from.condition, from.condition + 3 * model.sample_padded, state.condition);
    std::copy(from.sample, from.sample + model.sample_padded, state.sample);
    std::copy(from.sample_product, from.sample_product + 3 * model.sample_padded, state.sample_product);
}

SavedState Stream::save() const {
    const std::lock_guard<std::mutex> guard(mutex);
    const Model& model = network->model;
    const int phase = state.phase, units = model.sample_units;
    SavedState to;
    to.position = {state.position};
    to.seed = {state.seed, state.stream};
    to.labels.assign(state.labels, state.labels + model.labels);
    for (int i = 0; i < model.window; ++i)
        to.codes.push_back(static_cast<uint8_t>(state.window[kHop - phase + i] + 128));
    to.conditioning = gather_conditioning();
    to.frame.assign(state.frame, state.frame + model.frame_units);
    to.condition = gathered(state.condition, units, model.sample_padded);
    to.sample.assign(state.sample, state.sample + units);
    if (model.predictor.order) save_predictor(to);
    return to;
}

void Stream::save_predictor(SavedState& to) const {
    const Predictor& p = state.predictor;
    const int order = network->model.predictor.order, phase = state.phase;
    to.residual = {static_cast<uint8_t>(state.residual)};
    to.history.assign(p.history + kHop - phase, p.history + kHop - phase + order);
    to.weights.assign(p.weights, p.weights + order);
    if (network->model.stride) return;
    for (int i = 0; i < order; ++i)
        for (int j = 0; j < order; ++j)
            to.covariance.push_back(p.covariance[std::min(i, j) * order + std::max(i, j)]);
    to.correlation.assign(p.correlation, p.correlation + order);
    to.scale = {p.scale};
    to.rows.assign(static_cast<size_t>(kHop) * order, 0.0), to.targets.assign(kHop, 0.0), to.gains.assign(kHop, 0.0);
    for (int k = 0; k < phase; ++k) {
        std::copy(p.history + kHop - k, p.history + kHop - k + order, to.rows.begin() + k * order);
        to.targets[k] = p.history[kHop - 1 - k];
        to.gains[k] = p.gains[k];
    }
}

void Stream::restore(const SavedState& from) {
    const std::lock_guard<std::mutex> guard(mutex);
    const Model& model = network->model;
    const int units = model.sample_units;
    state.position = from.position[0];
    state.seed = from.seed[0], state.stream = from.seed[1];
    state.phase = state.position == 0 ? 0 : static_cast<int>((state.position - 1) % kHop) + 1;
    std::copy(from.labels.begin(), from.labels.end(), state.labels);
    for (int i = 0; i < model.window; ++i)
        state.window[kHop - state.phase + i] = static_cast<int8_t>(from.codes[i] - 128);
    take_conditioning(from.conditioning.data());
    std::copy(from.frame.begin(), from.frame.end(), state.frame);
    spread(from.condition.data(), state.condition, units, model.sample_padded);
    std::copy(from.sample.begin(), from.sample.end(), state.sample);
    if (model.predictor.order) restore_predictor(from);
    network->api.refresh(model, state);
}

void Stream::restore_predictor(const SavedState& from) {
    Predictor& p = state.predictor;
    const int order = network->model.predictor.order;
    state.residual = from.residual[0];
    p = Predictor{};
    if (state.phase > 0 && !network->model.stride) std::copy_n(from.rows.begin(), order, p.history + kHop);
    std::copy_n(from.history.begin(), order, p.history + kHop - state.phase);
    std::copy(from.weights.begin(), from.weights.end(), p.weights);
    if (network->model.stride) return;
    for (int i = 0; i < order; ++i)
        for (int j = 0; j < order; ++j) p.covariance[j * order + i] = from.covariance[i * order + j];
    std::copy(from.correlation.begin(), from.correlation.end(), p.correlation);
    p.scale = from.scale[0];
    std::copy(from.gains.begin(), from.gains.end(), p.gains);
}

std::vector<int16_t> Stream::conditioning() const {
    const std::lock_guard<std::mutex> guard(mutex);
    return gather_conditioning();
}

void Stream::set_conditioning(const int16_t* vector) {
    const std::lock_guard<std::mutex> guard(mutex);
    take_conditioning(vector);
}

std::vector<int16_t> Stream::gather_conditioning() const {
    const Model& model = network->model;
    if (!model.stride) return {};
    std::vector<int16_t> vector = gathered(state.conditioning, model.frame_units, model.frame_padded);
    vector.insert(vector.end(), state.reflections, state.reflections + model.predictor.order);
    if (model.sample_phase)
        for (const uint32_t part : {state.phase_start >> 16, state.phase_increment >> 16, state.phase_increment})
            vector.push_back(static_cast<int16_t>(static_cast<uint16_t>(part)));
    return vector;
}

void Stream::take_conditioning(const int16_t* vector) {
    const Model& model = network->model;
    if (!model.stride) return;
    spread(vector, state.conditioning, model.frame_units, model.frame_padded);
    const int16_t* reflections = vector + 3 * model.frame_units;
    std::copy_n(reflections, model.predictor.order, state.reflections);
    if (!model.sample_phase) return;
    const auto bits = [pitch = reflections + model.predictor.order](int place) {
        return static_cast<uint32_t>(static_cast<uint16_t>(pitch[place]));
    };
    state.phase_start = bits(0) << 16;
    state.phase_increment = bits(1) << 16 | bits(2);
}

}  // namespace synth
