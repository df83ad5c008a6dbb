// A network that corrects the mixture: it hears in which of 256 cells of the mixture's cdf each sample fell, and tells
// how likely the next one is to fall into each. Cells are finer towards the ends: that of the lower half's number k begins
// at k^2 / 2^15.
#pragma once

constexpr double kDoubt = 1.0 / 1024.0;  // what is left of the mixture as it was

struct Corrector {
    const Api* api;  // null: there is no network
    const Model* model;
    State* state;
    void* work;
    double newest;             // the last sample
    uint32_t known;            // bits: tiles whose cells' probabilities were needed
    double tops[17];           // cdf at every 16th cell's beginning
    double cells[16][17];      // cdf at the beginnings of the cells of a tile, as a share of it
    uint8_t hints[kMaxHints];  // told for the next sample
    Trace* trace;              // where a network in training wants to know what one would hear; else null
};

inline void prepare(Corrector& c, Arena& arena, const Listening& network, int channel) {
    if (!network.api || !network.model->hints) return;
    c.api = network.api, c.model = network.model, c.state = network.states[channel];
    c.work = arena.take<char>(c.api->work_bytes);
}

// Where a cdf value lies among the cells; its whole part is the cell.
inline double place_of(double u) {
    const bool upper = u > 0.5;
    double tail = upper ? 1.0 - u : u;
    if (!(tail > 0.0)) tail = 0.0;
    const double depth = std::sqrt(tail + tail) * 128.0;
    return upper ? 256.0 - depth : depth;
}

inline int cell_of(double u) {
    const int cell = static_cast<int>(place_of(u));
    return cell < 255 ? cell : 255;
}

inline double cell_start(int cell) {
    const double whole = 1.0 / 32768.0;
    if (cell <= 128) return static_cast<double>(cell * cell) * whole;
    return 1.0 - static_cast<double>((256 - cell) * (256 - cell)) * whole;
}

// The tile's 15 decisions as the cdf at its 16 ends, of which each lies between two others, and at 1.
inline void spread(const Corrector& c, int tile, double* cdf) {
    int16_t logits[16];
    float wide[16], right[16];
    c.api->logits(*c.model, c.work, tile, logits);
    for (int i = 0; i < 16; ++i) wide[i] = static_cast<float>(logits[i]) * (1.0f / 512.0f);
    const F16 most = fset(kMostStretch), one = fset(1.0f);
    const F16 x = fmin(fmax(fload(wide), fset(-kMostStretch)), most);
    fstore(right, fdiv(one, fadd(one, exponential(fsub(fset(0.0f), x)))));
    cdf[0] = 0.0, cdf[16] = 1.0;
    for (int half = 8, node = 1; half > 0; half /= 2)
        for (int i = half; i < 16; i += 2 * half, ++node)
            cdf[i] = cdf[i + half] - (cdf[i + half] - cdf[i - half]) * static_cast<double>(right[node]);
}

// The mixture's cdf value as corrected.
inline double corrected(Corrector& c, double u) {
    if (!(u > 0.0 && u < 1.0)) return u;
    const int cell = cell_of(u), tile = cell >> 4, within = cell & 15;
    const double mass = c.tops[tile + 1] - c.tops[tile];
    if (!(c.known >> tile & 1)) {
        spread(c, 1 + tile, c.cells[tile]);
        c.known |= uint32_t{1} << tile;
    }
    const double from = cell_start(cell), to = cell_start(cell + 1);
    const double share = (u - from) / (to - from);
    const double* at = c.cells[tile] + within;
    const double place = at[0] + (at[1] - at[0]) * share;
    const double found = c.tops[tile] + mass * place;
    return found + (u - found) * kDoubt;
}

// A positive number's logarithm in 1/16 of an octave, linear within an octave, 0 at `first` octaves.
inline int sixteenths(double x, int first) {
    int64_t bits;
    std::memcpy(&bits, &x, 8);
    return static_cast<int>(bits >> 48) - (1023 + first) * 16;
}

inline uint8_t code_of(double x) {
    const double within = x > -32768.0 ? (x < 32767.0 ? x : 32767.0) : -32768.0;
    int sample = static_cast<int>(within);
    if (sample > within) --sample;
    return kMulaw.encode[sample + 32768];
}

// What the network is told before a sample: the last sample and its prediction as mu-law codes; how large errors are, in
// sixteenths of octaves; where other predictions lie, against that; how large errors are over short and long times.
inline void make_hints(const Experts& e, const double* guess, double newest, uint8_t* hints) {
    const double size = e.mean[1] + e.least, scale = 512.0 / size, at = guess[kFinal];
    hints[0] = code_of(newest);
    hints[1] = code_of(at);
    hints[2] = static_cast<uint8_t>(limited(sixteenths(size, -2), 255));
    hints[3] = code_of((guess[kSlow] - at) * scale);
    hints[4] = code_of((guess[kOlsA] - at) * scale);
    hints[5] = code_of((guess[kOlsB] - at) * scale);
    hints[6] = code_of((guess[kOlsC] - at) * scale);
    const int shorter = limited((sixteenths(e.mean[0] + e.least, 0) - sixteenths(size, 0) + 34) >> 2, 15);
    const int longer = limited((sixteenths(size, 0) - sixteenths(e.mean[3] + e.least, 0) + 34) >> 2, 15);
    hints[7] = static_cast<uint8_t>(longer * 16 + shorter);
}

inline void listen(Corrector& c, const Experts& e, const double* guess) {
    if (!c.api && !c.trace) return;
    make_hints(e, guess, c.newest, c.hints);
    if (!c.api) return;
    c.api->tell(*c.model, *c.state, c.work, c.hints);
    c.api->listen(*c.model, *c.state, c.work);
    c.known = 0;
    spread(c, 0, c.tops);
}

// Past a sample, whose interval is from `low` to `high` of the mixture's cdf.
inline void hear(Corrector& c, double low, double high, double sample) {
    if (!c.api && !c.trace) return;
    c.newest = sample;
    const int cell = cell_of((low + high) * 0.5);
    if (c.trace) {
        std::memcpy(c.trace->hints, c.hints, kHints);
        *c.trace->cells = static_cast<uint8_t>(cell);
        for (int i = 0; i < 2; ++i) {
            const double place = place_of(i ? high : low) * 256.0;
            c.trace->bounds[i] = static_cast<uint16_t>(place < 65535.0 ? place : 65535.0);
        }
        c.trace->hints += kHints, c.trace->cells += 1, c.trace->bounds += 2;
    }
    if (c.api) c.api->hear(*c.model, *c.state, c.work, cell);
}
