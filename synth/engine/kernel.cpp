// The whole engine, compiled once for each instruction set (SYNTH_SET names it) with that set's flags on this file only.
// All of it is internal to the file (an unnamed namespace; the system's headers are included outside), so that the
// linker can't merge a function of one set into another.
#include "kernel.hpp"

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#if defined(__GNUC__)
#define SYNTH_APART __attribute__((noinline))
#else
#define SYNTH_APART
#endif

namespace synth {
namespace {

#include "float_mode.hpp"
#include "simd.hpp"
//
#include "network.hpp"
#include "predictor.hpp"
#include "random.hpp"

// The prediction of a sample, from the newest one and `work.parts` of the others.
template <int N>
inline void predict(const State& state, Work& work, double newest) {
    work.guess = predict_newest<N>(state.predictor.weights[0], newest, work.parts);
    work.predicted = encode(work.guess);
}

// The same with nothing prepared.
template <int N>
inline void predict(const State& state, Work& work) {
    const double* history = state.predictor.history + kHop - state.phase;
    predict_parts<N>(state.predictor.weights, history, work.parts);
    predict<N>(state, work, history[0]);
}

inline bool frame_due(const State& state) { return state.phase == 0 || state.phase == kHop; }

// A frame's start, where one is due: the predictor and the frame tier move.
template <int N>
void start_frame(const Model& model, State& state, Work& work) {
    if (state.phase == kHop) {
        predictor_update<N>(model.predictor, state.predictor);
        for (int i = model.window - 1; i >= 0; --i) state.window[kHop + i] = state.window[i];
        state.phase = 0;
    }
    frame_step(model, state, work);
    predict<N>(state, work);
}

// Brings `work` to the state that a step expects.
template <int N>
void enter(const State& state, Work& work) {
    if (!frame_due(state)) predict<N>(state, work);
}

// The sample tier and the head's hidden layer of the next sample.
template <int N>
inline void begin_sample(const Model& model, State& state, Work& work) {
    if (frame_due(state)) start_frame<N>(model, state, work);
    sample_gates(model, state, work, state.window[kHop - state.phase] + 128, work.predicted);
    hidden_layer(model, work, work.predicted);
    // all of the next prediction that does not need this sample; not used if a frame starts there
    predict_parts<N>(state.predictor.weights, state.predictor.history + kHop - 1 - state.phase, work.parts);
}

// Moves the state past the sample of `code`, and predicts the next one if it is of the same frame.
template <int N>
inline void end_sample(const Model& model, State& state, Work& work, int code) {
    const int sample = kMulaw.decode[code], error = sample - work.guess;
    predictor_push(model.predictor, state.predictor, state.phase, sample, error);
    state.residual = encode(saturate16(error));
    state.window[kHop - 1 - state.phase] = static_cast<int8_t>(code - 128);
    ++state.phase;
    ++state.position;
    if (state.phase == kHop) return;
    predict<N>(state, work, static_cast<double>(sample));
    prefetch_rows(model, code, work.predicted, state.residual);
}

// One sample, its code chosen by `choice` from two tiles of the tree. The recurrent product for the next sample
// and the prediction of that sample are computed in between, where they hide the latency of the choice.
template <int N, class Choice>
int step(const Model& model, State& state, Work& work, Choice& choice) {
    begin_sample<N>(model, state, work);
    const Matrix& recurrent = model.sample_recurrent;
    const int groups = groups_of(recurrent);
    const bool backward = (state.position & 1) != 0;
    const auto part = [&](int from, int to) {
        multiply_gates(recurrent, work.bytes, state.sample_product, groups * from / 4, groups * to / 4, backward);
    };
    part(0, 1);
    tree_tile(model, work, 0, work.tile);
    const int high = choice.walk(work.tile, 0);
    part(1, 2);
    tree_tile(model, work, 1 + high, work.tile);
    const int code = high * 16 + choice.walk(work.tile, 1);
    end_sample<N>(model, state, work, code);
    part(2, 4);
    return code;
}

template <int N>
void generate_some(const Model& model, State& state, uint8_t* codes, size_t count, const DrawOptions& draw) {
    Work work;
    const bool leaves = draw.inverse_temperature != 0 && (draw.top_k < 256 || draw.top_p < (uint64_t{1} << 32));
    enter<N>(state, work);
    frame_random(state, work.random);
    for (size_t i = 0; i < count; ++i) {
        const int column = static_cast<int>(state.position % kHop);
        if (column == 0) frame_random(state, work.random);
        if (!leaves) {
            Drawer drawer{model, work, draw.inverse_temperature, column};
            codes[i] = static_cast<uint8_t>(step<N>(model, state, work, drawer));
            continue;
        }
        begin_sample<N>(model, state, work);
        uint32_t weights[256];
        all_leaves(model, work, draw.inverse_temperature, weights);
        codes[i] = static_cast<uint8_t>(draw_leaf(weights, draw, work.random[0][column]));
        multiply_gates(model.sample_recurrent, work.bytes, state.sample_product);
        end_sample<N>(model, state, work, codes[i]);
    }
}

template <int N>
void force_some(const Model& model, State& state, const uint8_t* codes, uint32_t* costs, size_t count) {
    Work work;
    enter<N>(state, work);
    for (size_t i = 0; i < count; ++i) {
        Follower follower{model, codes[i], 0};
        step<N>(model, state, work, follower);
        costs[i] = follower.cost;
    }
}

void generate(const Model& model, State& state, uint8_t* codes, size_t count, const DrawOptions& draw) {
    const FloatMode mode;
    if (model.predictor.order == 32)
        generate_some<32>(model, state, codes, count, draw);
    else
        generate_some<16>(model, state, codes, count, draw);
}

void force(const Model& model, State& state, const uint8_t* codes, uint32_t* costs, size_t count) {
    const FloatMode mode;
    if (model.predictor.order == 32)
        force_some<32>(model, state, codes, costs, count);
    else
        force_some<16>(model, state, codes, costs, count);
}

void distribution(const Model& model, State& state, uint32_t* leaves) {
    const FloatMode mode;
    Work work;
    if (model.predictor.order == 32) {
        enter<32>(state, work);
        begin_sample<32>(model, state, work);
    } else {
        enter<16>(state, work);
        begin_sample<16>(model, state, work);
    }
    all_leaves(model, work, 4096, leaves);
}

void refresh(const Model& model, State& state) {
    Work work;
    state_bytes(state.sample, work.bytes, model.sample_units);
    multiply_gates(model.sample_recurrent, work.bytes, state.sample_product);
}

void predict_codes(const PredictorWeights& constants, const uint8_t* codes, uint8_t* predicted, uint8_t* residual,
                   size_t count) {
    const FloatMode mode;
    if (constants.order == 32)
        predict_row<32>(constants, codes, predicted, residual, count);
    else
        predict_row<16>(constants, codes, predicted, residual, count);
}

}  // namespace

#define SYNTH_JOIN(a, b) a##b
#define SYNTH_API(set) SYNTH_JOIN(api_, set)
#define SYNTH_TEXT(set) #set
#define SYNTH_NAME(set) SYNTH_TEXT(set)

extern const Api SYNTH_API(SYNTH_SET);
const Api SYNTH_API(SYNTH_SET) = {SYNTH_NAME(SYNTH_SET), kGateTiles, kHeadTiles, kBiased,      refresh,
                                  generate,              force,  distribution, predict_codes};

}  // namespace synth
