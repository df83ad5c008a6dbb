// Products with packed matrices, gates and the two recurrent layers, over the vectors of simd.hpp.
#pragma once

inline int groups_of(const Matrix& matrix) {
    const int group = matrix.tiles * kTile;
    return (matrix.units + group - 1) / group;
}

// Inputs of a product, in 8 bits, and its results [3][padded], of S streams.
template <int S>
struct Ends {
    const uint8_t* x[S];
    int16_t* out[S];
};

// Sums of one group of T tiles of a packed matrix for S streams that share every load of its weights, P steps in flight.
template <int T, int P, int S>
inline void sum_group(const Matrix& matrix, const uint8_t* const* x, int group, Sums* sums) {
    if (matrix.places) {
        constexpr int kPhases = P > 2 ? 2 : P;  // steps are even
        const int first = matrix.first[group], steps = matrix.first[group + 1] - first;
        const uint16_t* places = matrix.places + static_cast<size_t>(first) * T;
        const auto at = [&](int k, int step, int tile) { return x[k] + places[step * T + tile]; };
        dot<T, kPhases, S>(matrix.weight + static_cast<size_t>(first) * T * kTile * 4, at, steps, sums);
    } else {
        const int8_t* weight = matrix.weight + static_cast<size_t>(group * T * kTile) * matrix.columns;
        const auto at = [&](int k, int step, int) { return x[k] + step * 4; };
        dot<T, P, S>(weight, at, matrix.columns / 4, sums);
    }
}

// Groups [first, last) of such a matrix times x; `backward` counts the groups from the last one (a product whose
// direction changes every time finds a part of its weights still in the nearest cache).
template <int S>
inline void multiply_gates(const Matrix& matrix, const Ends<S>& ends, int first, int last, bool backward) {
    constexpr int kTiles = 3 * kGateTiles, kUnits = kGateTiles * kTile;
    if constexpr (S > kTogether) {
        for (int k = 0; k < S; ++k)
            multiply_gates<1>(matrix, {{ends.x[k]}, {ends.out[k]}}, first, last, backward);
    } else {
        for (int i = first; i < last; ++i) {
            const int group = backward ? groups_of(matrix) - 1 - i : i;
            Sums sums[S * kTiles];
            for (int k = 0; k < S; ++k) clear_sums(sums + k * kTiles, matrix.start + group * kTiles * kTile, kTiles);
            sum_group<kTiles, (S == 1 ? kGatePhases : 1), S>(matrix, ends.x, group, sums);
            for (int k = 0; k < S; ++k)
                for (int block = 0; block < 3; ++block) {
                    const int place = block * matrix.padded + group * kUnits;
                    finish<kGateTiles>(sums + k * kTiles + block * kGateTiles, matrix.shift, matrix.scale + place,
                                       ends.out[k] + place);
                }
        }
    }
}

template <int S>
inline void multiply_gates(const Matrix& matrix, const Ends<S>& ends) {
    multiply_gates<S>(matrix, ends, 0, groups_of(matrix), false);
}

// The head's hidden layer times x: its sums.
template <int T>
inline void multiply_head(const Matrix& matrix, const uint8_t* x, Sums* sums) {
    clear_sums(sums, matrix.start, matrix.units / kTile);
    for (int group = 0; group < groups_of(matrix); ++group)
        sum_group<T, (T > 2 ? 2 : 4), 1>(matrix, &x, group, sums + group * T);
}

inline void multiply_head(const Matrix& matrix, const uint8_t* x, Sums* sums) {
    if (matrix.tiles == 4)
        multiply_head<4>(matrix, x, sums);
    else if (matrix.tiles == 2)
        multiply_head<2>(matrix, x, sums);
    else
        multiply_head<1>(matrix, x, sums);
}

// A curve of 8 segments of 2^kSegment, quadratic in each: table[0] + d (table[1] + d table[2]).
template <int kSegment>
inline V curve(const int16_t (&table)[3][8], V x) {
    const V size = vmagnitude(x, vset((8 << kSegment) - 1));
    const Places places = vplaces(vsra<kSegment>(size));
    const V within = vsll<15 - kSegment>(vand(size, vset((1 << kSegment) - 1)));
    const V inner = vadd(vpick(table[1], places), vmulhrs(within, vpick(table[2], places)));
    return vadd(vpick(table[0], places), vmulhrs(within, inner));
}

inline V sigmoid(const Model& model, V x) { return vflip(x, curve<10>(model.sigmoid, x), vset(-32768)); }
inline V tanh(const Model& model, V x) { return vflip(x, curve<9>(model.tanh, x), vset(0)); }

// One vector of units: gate inputs r, z, n, the recurrent product's r, z, n, the inner bias and the old state.
inline V gates(const Model& model, V r, V z, V n, V product_r, V product_z, V product_n, V inner, V state) {
    const V reset = sigmoid(model, vadds(r, product_r));
    const V update = sigmoid(model, vadds(z, product_z));
    const V candidate = tanh(model, vadds(n, vmulhrs(reset, vadds(product_n, inner))));
    return vadds(vmulhrs(update, state), vmulhrs(vsub(vset(32767), update), candidate));
}

inline void store_state(int16_t* state, uint8_t* bytes, V now) {
    vstore(state, now);
    vbytes<kBiased>(bytes, vsra<8>(vadds(now, vset(128))));
}

inline void state_bytes(const int16_t* state, uint8_t* bytes, int units) {
    for (int i = 0; i < units; i += kLanes) vbytes<kBiased>(bytes + i, vsra<8>(vadds(vload(state + i), vset(128))));
}

struct alignas(64) TileLogits {
    int16_t logits[kTile], places[kTile];
};

// Scratch of one call. Sizes are the largest that kernel.hpp's limits allow, plus a vector.
struct Work {
    alignas(64) int16_t input[3 * kMaxUnits + kPad], product[3 * kMaxUnits + kPad];
    alignas(64) int16_t hidden[kMaxHead + kPad];
    TileLogits tile;
    alignas(64) uint8_t bytes[kMaxUnits + kPad], hidden_bytes[kMaxHead + kPad];
    alignas(64) uint32_t random[8][kHop];
    Sums sums[kMaxHead / kTile];  // of the head's hidden layer
    double parts[8];
    int guess, predicted;  // the next sample as predicted, and its code
    uint8_t hints[kMaxHints];
    uint32_t phase;  // of the pitch at the next sample, 2^32 to a turn
};

inline void add_row(int16_t* gates, const int16_t* row, int count) {
    for (int i = 0; i < count; i += kLanes) vstore(gates + i, vadds(vload(gates + i), vload(row + i)));
}

// What the frame tier's gates read from outside its product: the last codes, the bias, conditioning, the labels.
inline void frame_gates(const Model& model, const State& state, Work& work) {
    const int all = 3 * model.frame_padded;
    add_row(work.input, model.frame_input_bias, all);
    if (state.conditioning) add_row(work.input, state.conditioning, all);
    for (int key = 0; key < model.labels; ++key)
        add_row(work.input, model.frame_label[key] + static_cast<size_t>(state.labels[key]) * all, all);
}

inline void frame_units(const Model& model, State& state, Work& work) {
    const int padded = model.frame_padded;
    const int16_t *in = work.input, *product = work.product;
    for (int i = 0; i < model.frame_units; i += kLanes)
        store_state(state.frame + i, work.bytes + i,
                    gates(model, vload(in + i), vload(in + padded + i), vload(in + 2 * padded + i), vload(product + i),
                          vload(product + padded + i), vload(product + 2 * padded + i),
                          vload(model.frame_recurrent_bias + i), vload(state.frame + i)));
}

// The frame tier of S streams: reads the last codes, moves `frame`, gives the next samples' `condition`.
template <int S>
inline void frame_step(const Model& model, State* const* states, Work* works) {
    Ends<S> inputs, products;
    for (int k = 0; k < S; ++k) {
        Work& work = works[k];
        for (int i = 0; i < model.window; ++i)
            work.bytes[i] = static_cast<uint8_t>(states[k]->window[kHop + i] + (kBiased ? 128 : 0));
        inputs.x[k] = products.x[k] = work.bytes;
        inputs.out[k] = work.input, products.out[k] = work.product;
    }
    multiply_gates<S>(model.frame_input, inputs);
    for (int k = 0; k < S; ++k) {
        frame_gates(model, *states[k], works[k]);
        state_bytes(states[k]->frame, works[k].bytes, model.frame_units);
    }
    multiply_gates<S>(model.frame_recurrent, products);
    for (int k = 0; k < S; ++k) frame_units(model, *states[k], works[k]);
    multiply_gates<S>(model.frame_output, products);
    for (int k = 0; k < S; ++k)
        for (int i = 0; i < 3 * model.sample_padded; i += kLanes)
            vstore(states[k]->condition + i,
                   vadds(vload(works[k].product + i), vload(model.frame_output_bias + i)));
}

inline void prefetch(const void* address) {
#if defined(__GNUC__)
    __builtin_prefetch(address);
#endif
}

// Starts to load a row of one of the sample tier's tables.
inline void prefetch_row(const Model& model, const int16_t* table, int code) {
    const size_t row = static_cast<size_t>(3) * model.sample_padded;
    for (size_t i = 0; i < row; i += 32) prefetch(table + code * row + i);
}

// Starts to load those that the next sample will read.
inline void prefetch_rows(const Model& model, int last, int predicted, int residual) {
    prefetch_row(model, model.sample_code, last);
    prefetch_row(model, model.sample_predicted, predicted);
    prefetch_row(model, model.sample_residual, residual);
}

// The condition with the rows of the hints from the third on.
inline const int16_t* hinted(const Model& model, const State& state, Work& work) {
    const int all = 3 * model.sample_padded;
    for (int i = 0; i < all; i += kLanes) vstore(work.input + i, vload(state.condition + i));
    for (int k = 2; k < model.hints; ++k)
        add_row(work.input, model.sample_hint[k] + static_cast<size_t>(work.hints[k]) * all, all);
    return work.input;
}

// The phase of the pitch at the next sample, by how far into the stretch of a conditioning vector that is.
inline uint32_t pitch_phase(const Model& model, const State& state) {
    const uint64_t offset = state.position % (static_cast<uint64_t>(model.stride) * kHop);
    return state.phase_start + state.phase_increment * static_cast<uint32_t>(offset);
}

// The condition with the row of the pitch's phase, which moves on to the next sample: its row starts to load at once, as
// no code decides which it is.
SYNTH_APART const int16_t* phased(const Model& model, const State& state, Work& work) {
    const int all = 3 * model.sample_padded;
    const int16_t* row = model.sample_phase + static_cast<size_t>(work.phase >> 24) * all;
    for (int i = 0; i < all; i += kLanes) vstore(work.input + i, vadds(vload(state.condition + i), vload(row + i)));
    work.phase += state.phase_increment;
    prefetch_row(model, model.sample_phase, static_cast<int>(work.phase >> 24));
    return work.input;
}

// The sample tier's gates; leaves its state in 8 bits in work.bytes.
inline void sample_gates(const Model& model, State& state, Work& work, const int16_t* condition, int last,
                         int predicted) {
    const int padded = model.sample_padded;
    const int16_t* product = state.sample_product;
    const int16_t* a = model.sample_code + static_cast<size_t>(last) * 3 * padded;
    const int16_t* b = model.sample_predicted + static_cast<size_t>(predicted) * 3 * padded;
    const int16_t* c = model.sample_residual + static_cast<size_t>(state.residual) * 3 * padded;
    const auto input = [=](int i) {
        return vadds(vadds(vadds(vload(condition + i), vload(a + i)), vload(b + i)), vload(c + i));
    };
    for (int i = 0; i < model.sample_units; i += kLanes)
        store_state(state.sample + i, work.bytes + i,
                    gates(model, input(i), input(padded + i), input(2 * padded + i), vload(product + i),
                          vload(product + padded + i), vload(product + 2 * padded + i),
                          vload(model.sample_recurrent_bias + i), vload(state.sample + i)));
}

template <int T>
inline void finish_hidden(const Matrix& dense, Work& work) {
    for (int tile = 0; tile < dense.units / kTile; tile += T)
        finish<T>(work.sums + tile, dense.shift, dense.scale + tile * kTile, work.hidden + tile * kTile);
}

// The hidden layer of the head in 7 bits: work.hidden_bytes.
SYNTH_WITHIN void hidden_layer(const Model& model, Work& work, int predicted) {
    const Matrix& dense = model.head_dense;
    multiply_head(dense, work.bytes, work.sums);
    if (dense.tiles % kGateTiles == 0)
        finish_hidden<kGateTiles>(dense, work);
    else
        finish_hidden<1>(dense, work);
    const int16_t* row = model.head_predicted + static_cast<size_t>(predicted) * model.head_padded;
    for (int i = 0; i < model.head_units; i += kLanes) {
        const V sum = vmax(vadds(vload(work.hidden + i), vload(row + i)), vset(0));
        vbytes<false>(work.hidden_bytes + i, vmin(vsra<5>(sum), vset(127)));
    }
}

// Logits of one of the tree's 17 tiles, and their places in the table of probabilities.
inline void tree_tile(const Model& model, const Work& work, int tile, TileLogits& out) {
    Sums sums[1];
    const int columns = model.head_units, row = tile * kTile;
    clear_sums(sums, model.tree_start + row, 1);
    const auto at = [&](int, int step, int) { return work.hidden_bytes + step * 4; };
    dot<1, 4, 1>(model.tree_weight + static_cast<size_t>(row) * columns, at, columns / 4, sums);
    finish_logits(sums[0], model.tree_shift, model.tree_scale + row, model.tree_bias + row, out.logits,
                  out.places);
}
