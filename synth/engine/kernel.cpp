// The whole engine, compiled once for each instruction set (SYNTH_SET names it) with that set's flags on this file only.
// All of it is internal to the file (an unnamed namespace; the system's headers are included outside), so that the
// linker can't merge a function of one set into another.
#include "kernel.hpp"

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace synth {
namespace {

#include "float_mode.hpp"
#include "simd.hpp"
//
#include "network.hpp"
#include "predictor.hpp"
#include "random.hpp"

// Everything up to the next sample's code: the frame's start where one is due, the prediction, the sample tier.
template <int N>
int begin_sample(const Model& model, State& state, Work& work) {
    if (state.phase == 0 || state.phase == kHop) {
        if (state.phase == kHop) {
            predictor_update<N>(model.predictor, state.predictor);
            for (int i = model.window - 1; i >= 0; --i) state.window[kHop + i] = state.window[i];
            state.phase = 0;
        }
        frame_step(model, state, work);
    }
    const double* history = state.predictor.history + kHop - state.phase;
    predict_parts<N>(state.predictor.weights, history, work.parts);
    const int guess = predict_newest<N>(state.predictor.weights[0], history[0], work.parts);
    sample_gates(model, state, work, state.window[kHop - state.phase] + 128, encode(guess));
    hidden_layer(model, work, encode(guess));
    return guess;
}

// Moves the state past the sample of `code`.
inline void end_sample(const Model& model, State& state, int guess, int code) {
    const int sample = kMulaw.decode[code];
    predictor_push(model.predictor, state.predictor, state.phase, sample, sample - guess);
    state.residual = encode(saturate16(sample - guess));
    state.window[kHop - 1 - state.phase] = static_cast<int8_t>(code - 128);
    ++state.phase;
    ++state.position;
}

// One sample, its code chosen by `choice` from two tiles of the tree; the recurrent product for the next sample, which
// does not depend on the code, is computed in between to hide the latency of the choice.
template <int N, class Choice>
int step(const Model& model, State& state, Work& work, Choice& choice) {
    const int guess = begin_sample<N>(model, state, work);
    const Matrix& recurrent = model.sample_recurrent;
    const int groups = groups_of(recurrent), third = (groups + 2) / 3;
    const auto part = [&](int first, int last) {
        multiply_blocks<3, 2>(recurrent, work.bytes, state.sample_product, first < groups ? first : groups,
                              last < groups ? last : groups, (state.position & 1) != 0);
    };
    part(0, third);
    tree_tile(model, work, 0, work.logits);
    const int high = choice.walk(work.logits, 0);
    part(third, 2 * third);
    tree_tile(model, work, 1 + high, work.logits);
    const int code = high * 16 + choice.walk(work.logits, 1);
    part(2 * third, groups);
    end_sample(model, state, guess, code);
    return code;
}

template <int N>
void generate_some(const Model& model, State& state, uint8_t* codes, size_t count, const DrawOptions& draw) {
    Work work;
    const bool leaves = draw.inverse_temperature != 0 && (draw.top_k < 256 || draw.top_p < (uint64_t{1} << 32));
    frame_random(state, work.random);
    for (size_t i = 0; i < count; ++i) {
        const int column = static_cast<int>(state.position % kHop);
        if (column == 0) frame_random(state, work.random);
        if (!leaves) {
            Drawer drawer{model, work, draw.inverse_temperature, column};
            codes[i] = static_cast<uint8_t>(step<N>(model, state, work, drawer));
            continue;
        }
        const int guess = begin_sample<N>(model, state, work);
        uint32_t weights[256];
        all_leaves(model, work, draw.inverse_temperature, weights);
        codes[i] = static_cast<uint8_t>(draw_leaf(weights, draw, work.random[0][column]));
        multiply(model.sample_recurrent, work.bytes, state.sample_product);
        end_sample(model, state, guess, codes[i]);
    }
}

template <int N>
void force_some(const Model& model, State& state, const uint8_t* codes, uint32_t* costs, size_t count) {
    Work work;
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
    if (model.predictor.order == 32)
        begin_sample<32>(model, state, work);
    else
        begin_sample<16>(model, state, work);
    all_leaves(model, work, 4096, leaves);
}

void refresh(const Model& model, State& state) {
    Work work;
    state_bytes(state.sample, work.bytes, model.sample_units);
    multiply(model.sample_recurrent, work.bytes, state.sample_product);
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
const Api SYNTH_API(SYNTH_SET) = {SYNTH_NAME(SYNTH_SET), kGroup, kBiased,      refresh,
                                  generate,              force,  distribution, predict_codes};

}  // namespace synth
