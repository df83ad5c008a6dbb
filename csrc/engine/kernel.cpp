// The whole engine, compiled once for each instruction set (SYNTH_SET names it) with that set's flags on this file only.
// All of it is internal to the file (an unnamed namespace; the system's headers are included outside), so that the
// linker can't merge a function of one set into another. Compiled once more with SYNTH_TOKENS for networks of tokens:
// with both in one object GCC inlines less, and samples took 5 % longer.
#include "engine/kernel.hpp"

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#if defined(__GNUC__)
#define SYNTH_APART __attribute__((noinline))
#define SYNTH_WITHIN __attribute__((always_inline)) inline  // what GCC would leave out where the file has grown
#else
#define SYNTH_APART
#define SYNTH_WITHIN inline
#endif

namespace synth {
namespace {

#include "simd/float_mode.hpp"
#include "simd/simd.hpp"
//
#include "engine/network.hpp"
#include "engine/predictor.hpp"
#include "engine/random.hpp"

// Throughout, N is the predictor's order, or 0 where codes are tokens.
constexpr int kTokens = 0;

// What stands for the prediction of a token: the code a period ago, and in the residual's place that in the period. Hints
// come from outside.
inline void predict_token(const Model& model, State& state, Work& work) {
    if (model.hints) return;
    work.predicted = state.window[kHop - state.phase + model.period - 1] + 128;
    state.residual = state.phase & (model.period - 1);  // a power of two that divides the hop
}

// The prediction of a sample, from the newest one and `work.parts` of the others.
template <int N>
inline void predict(const Model& model, State& state, Work& work, double newest) {
    if constexpr (N == kTokens) {
        predict_token(model, state, work);
    } else {
        work.guess = predict_newest<N>(state.predictor.weights[0], newest, work.parts);
        work.predicted = encode(work.guess);
    }
}

// The same with nothing prepared.
template <int N>
inline void predict(const Model& model, State& state, Work& work) {
    const double* history = state.predictor.history + kHop - state.phase;
    if constexpr (N != kTokens) predict_parts<N>(state.predictor.weights, history, work.parts);
    predict<N>(model, state, work, history[0]);
}

// The phase at the next sample, whose row starts to load.
inline void find_phase(const Model& model, const State& state, Work& work) {
    work.phase = pitch_phase(model, state);
    prefetch_row(model, model.sample_phase, static_cast<int>(work.phase >> 24));
}

inline bool frame_due(const State& state) { return state.phase == 0 || state.phase == kHop; }

// A frame's start of S streams: the predictor and the frame tier move.
template <int N, int S>
void start_frame(const Model& model, State* const* states, Work* works) {
    for (int k = 0; k < S; ++k) {
        State& state = *states[k];
        if constexpr (N != kTokens) {
            if (model.stride) steer<N>(state.reflections, state.predictor);
            if (model.sample_phase) find_phase(model, state, works[k]);
        }
        if (state.phase != kHop) continue;
        if constexpr (N != kTokens) {
            if (model.stride)
                turn_history<N>(state.predictor);
            else
                predictor_update<N>(model.predictor, state.predictor);
        }
        for (int i = model.window - 1; i >= 0; --i) state.window[kHop + i] = state.window[i];
        state.phase = 0;
    }
    frame_step<S>(model, states, works);
    for (int k = 0; k < S; ++k) predict<N>(model, *states[k], works[k]);
}

// Brings `work` to the state that a step expects.
template <int N>
void enter(const Model& model, State& state, Work& work) {
    if (frame_due(state)) return;
    predict<N>(model, state, work);
    if (N != kTokens && model.sample_phase) find_phase(model, state, work);
}

// The sample tier and the head's hidden layer of the next sample of S streams.
template <int N, int S>
inline void begin_sample(const Model& model, State* const* states, Work* works) {
    int due = 0;
    for (int k = 0; k < S; ++k) due += frame_due(*states[k]);
    if (due == S)
        start_frame<N, S>(model, states, works);
    else
        for (int k = 0; k < S && due > 0; ++k)
            if (frame_due(*states[k])) start_frame<N, 1>(model, states + k, works + k);
    for (int k = 0; k < S; ++k) {
        State& state = *states[k];
        Work& work = works[k];
        const int16_t* condition = state.condition;
        if constexpr (N == kTokens) {
            if (model.hints) condition = hinted(model, state, work);
        } else {
            if (model.sample_phase) condition = phased(model, state, work);
        }
        sample_gates(model, state, work, condition, state.window[kHop - state.phase] + 128, work.predicted);
        hidden_layer(model, work, work.predicted);
        // all of the next prediction that does not need this sample; not used if a frame starts there
        if constexpr (N != kTokens)
            predict_parts<N>(state.predictor.weights, state.predictor.history + kHop - 1 - state.phase, work.parts);
    }
}

// Moves the state past the sample of `code`, and predicts the next one if it is of the same frame.
template <int N>
inline void end_sample(const Model& model, State& state, Work& work, int code) {
    const int sample = kMulaw.decode[code];
    if constexpr (N != kTokens) {
        const int error = sample - work.guess;
        predictor_push(model.predictor, state.predictor, state.phase, sample, error);
        state.residual = encode(saturate16(error));
    }
    state.window[kHop - 1 - state.phase] = static_cast<int8_t>(code - 128);
    ++state.phase;
    ++state.position;
    if (state.phase == kHop) return;
    predict<N>(model, state, work, static_cast<double>(sample));
    if (N == kTokens && model.hints) return;  // not known yet
    prefetch_rows(model, code, work.predicted, state.residual);
}

// One sample of each of S streams, its code chosen by `choices` from two tiles of the tree. The recurrent product for
// the next sample and the prediction of that sample are computed in between, where they hide the latency of the choice.
template <int N, int S, class Choice>
void step(const Model& model, State* const* states, Work* works, Choice* choices, int* codes) {
    begin_sample<N, S>(model, states, works);
    const Matrix& recurrent = model.sample_recurrent;
    const int groups = groups_of(recurrent);
    const bool backward = (states[0]->position & 1) != 0;
    Ends<S> ends;
    for (int k = 0; k < S; ++k) ends.x[k] = works[k].bytes, ends.out[k] = states[k]->sample_product;
    const auto part = [&](int from, int to) {
        multiply_gates<S>(recurrent, ends, groups * from / 4, groups * to / 4, backward);
    };
    int high[S];
    part(0, 1);
    for (int k = 0; k < S; ++k) {
        tree_tile(model, works[k], 0, works[k].tile);
        high[k] = choices[k].walk(works[k].tile, 0);
    }
    part(1, 2);
    for (int k = 0; k < S; ++k) {
        tree_tile(model, works[k], 1 + high[k], works[k].tile);
        codes[k] = high[k] * 16 + choices[k].walk(works[k].tile, 1);
        end_sample<N>(model, *states[k], works[k], codes[k]);
    }
    part(2, 4);
}

template <int N, int S>
void generate_some(const Model& model, State* const* states, uint8_t* const* out, size_t count,
                   const DrawOptions& draw) {
    Work works[S];
    int codes[S];
    for (int k = 0; k < S; ++k) {
        enter<N>(model, *states[k], works[k]);
        frame_random(*states[k], works[k].random);
    }
    for (size_t i = 0; i < count; ++i) {
        Drawer drawers[S];
        for (int k = 0; k < S; ++k) {
            const int column = static_cast<int>(states[k]->position % kHop);
            if (column == 0) frame_random(*states[k], works[k].random);
            drawers[k] = {&model, &works[k], eased(*states[k], draw).inverse_temperature, column};
        }
        step<N, S>(model, states, works, drawers, codes);
        for (int k = 0; k < S; ++k) out[k][i] = static_cast<uint8_t>(codes[k]);
    }
}

// Draws by the weights of all 256 codes.
template <int N>
void generate_by_leaves(const Model& model, State& state, uint8_t* codes, size_t count, const DrawOptions& draw) {
    Work work;
    State* const one = &state;
    enter<N>(model, state, work);
    frame_random(state, work.random);
    for (size_t i = 0; i < count; ++i) {
        const int column = static_cast<int>(state.position % kHop);
        if (column == 0) frame_random(state, work.random);
        begin_sample<N, 1>(model, &one, &work);
        uint32_t weights[256];
        const DrawOptions now = eased(state, draw);
        all_leaves(model, work, now.inverse_temperature, weights);
        codes[i] = static_cast<uint8_t>(draw_leaf(weights, now, work.random[0][column]));
        multiply_gates<1>(model.sample_recurrent, {{work.bytes}, {state.sample_product}});
        end_sample<N>(model, state, work, codes[i]);
    }
}

template <int N, int S>
void teacher_force_some(const Model& model, State* const* states, const uint8_t* const* in, uint32_t* const* costs,
                size_t count) {
    Work works[S];
    int codes[S];
    for (int k = 0; k < S; ++k) enter<N>(model, *states[k], works[k]);
    for (size_t i = 0; i < count; ++i) {
        Follower followers[S];
        for (int k = 0; k < S; ++k) followers[k] = {&model, in[k][i], 0};
        step<N, S>(model, states, works, followers, codes);
        for (int k = 0; k < S; ++k) costs[k][i] = followers[k].cost;
    }
}

template <int N>
void generate_all(const Model& model, State* const* states, uint8_t* const* codes, int streams, size_t count,
                  const DrawOptions& draw) {
    int k = 0;
    if (draw.inverse_temperature != 0 && (draw.top_k < 256 || draw.top_p < (uint64_t{1} << 32))) {
        for (; k < streams; ++k) generate_by_leaves<N>(model, *states[k], codes[k], count, draw);
        return;
    }
    for (; k + kTogether <= streams; k += kTogether)
        generate_some<N, kTogether>(model, states + k, codes + k, count, draw);
    for (; k < streams; ++k) generate_some<N, 1>(model, states + k, codes + k, count, draw);
}

template <int N>
void teacher_force_all(const Model& model, State* const* states, const uint8_t* const* codes, uint32_t* const* costs,
               int streams, size_t count) {
    int k = 0;
    for (; k + kTogether <= streams; k += kTogether)
        teacher_force_some<N, kTogether>(model, states + k, codes + k, costs + k, count);
    for (; k < streams; ++k) teacher_force_some<N, 1>(model, states + k, codes + k, costs + k, count);
}

template <int N>
struct Order {
    static constexpr int value = N;
};

// Calls call(Order<N>()) for the network's N.
template <class Call>
inline void by_order([[maybe_unused]] const Model& model, Call call) {
#if defined(SYNTH_TOKENS)
    call(Order<kTokens>());
#else
    if (model.predictor.order == 32)
        call(Order<32>());
    else
        call(Order<16>());
#endif
}

void generate(const Model& model, State* const* states, uint8_t* const* codes, int streams, size_t count,
              const DrawOptions& draw) {
    const FloatMode mode;
    by_order(model, [&](auto order) { generate_all<order.value>(model, states, codes, streams, count, draw); });
}

void teacher_force(const Model& model, State* const* states, const uint8_t* const* codes, uint32_t* const* costs,
                   int streams, size_t count) {
    const FloatMode mode;
    by_order(model, [&](auto order) { teacher_force_all<order.value>(model, states, codes, costs, streams, count); });
}

void distribution(const Model& model, State& state, uint32_t* leaves) {
    const FloatMode mode;
    Work work;
    State* const one = &state;
    by_order(model, [&](auto order) {
        enter<order.value>(model, state, work);
        begin_sample<order.value, 1>(model, &one, &work);
    });
    all_leaves(model, work, 4096, leaves);
}

// The recurrent product of the sample tier's state.
void state_product(const Model& model, State& state, Work& work) {
    state_bytes(state.sample, work.bytes, model.sample_units);
    multiply_gates<1>(model.sample_recurrent, {{work.bytes}, {state.sample_product}});
}

void set_hints(const Model& model, State& state, void* work, const uint8_t* hints) {
    Work& w = *static_cast<Work*>(work);
    w.predicted = hints[0], state.residual = hints[1];
    for (int k = 2; k < kMaxHints && k < model.hints; ++k) w.hints[k] = hints[k];
}

void enter(const Model& model, State& state, void* work) {
    by_order(model, [&](auto order) { enter<order.value>(model, state, *static_cast<Work*>(work)); });
}

void step(const Model& model, State& state, void* work) {
    State* const one = &state;
    Work& w = *static_cast<Work*>(work);
    by_order(model, [&](auto order) { begin_sample<order.value, 1>(model, &one, &w); });
    multiply_gates<1>(model.sample_recurrent, {{w.bytes}, {state.sample_product}});
}

void logits(const Model& model, const void* work, int tile, int16_t* out) {
    TileLogits tile_logits;
    tree_tile(model, *static_cast<const Work*>(work), tile, tile_logits);
    for (int i = 0; i < kTile; ++i) out[i] = tile_logits.logits[i];
}

void leaves(const Model& model, const void* work, uint32_t* out) {
    all_leaves(model, *static_cast<const Work*>(work), 4096, out);
}

void advance(const Model& model, State& state, void* work, int code) {
    Work& w = *static_cast<Work*>(work);
    by_order(model, [&](auto order) { end_sample<order.value>(model, state, w, code); });
}

void refresh(const Model& model, State& state) {
    Work work;
    state_product(model, state, work);
}

// The recurrent product alone, each one reading a result of the one before, in the order of reads that a stream has.
void product(const Model& model, State& state, size_t count) {
    Work work;
    const Matrix& recurrent = model.sample_recurrent;
    state_bytes(state.sample, work.bytes, model.sample_units);
    for (size_t i = 0; i < count; ++i) {
        multiply_gates<1>(recurrent, {{work.bytes}, {state.sample_product}}, 0, groups_of(recurrent), (i & 1) != 0);
        work.bytes[0] = static_cast<uint8_t>(state.sample_product[0]);
    }
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
#define SYNTH_TOKENS_API(set) SYNTH_JOIN(api_tokens_, set)
#if defined(SYNTH_TOKENS)
#define SYNTH_API(set) SYNTH_TOKENS_API(set)
#else
#define SYNTH_API(set) SYNTH_JOIN(api_, set)
#endif
#define SYNTH_TEXT(set) #set
#define SYNTH_NAME(set) SYNTH_TEXT(set)

extern const Api SYNTH_API(SYNTH_SET), SYNTH_TOKENS_API(SYNTH_SET);
const Api SYNTH_API(SYNTH_SET) = {SYNTH_NAME(SYNTH_SET), &SYNTH_TOKENS_API(SYNTH_SET),
                                  kGateTiles, kHeadTiles,    kBiased,      refresh,
                                  generate,   teacher_force, sizeof(Work), enter,
                                  set_hints,  step,          logits,       leaves,
                                  advance,    distribution,  product,      predict_codes};

}  // namespace synth
