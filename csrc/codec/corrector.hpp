// A network that corrects the mixture. Its input is the number of the bin, of 256 of the mixture's cdf, that each
// sample fell into; its output how likely the next one is to fall into each. Bins are narrower towards the ends: number
// k of the lower half begins at k^2 / 2^15.
#pragma once

constexpr double kDoubt = 1.0 / 1024.0;  // what is left of the mixture as it was

struct Corrector {
    const Api* api;  // null: there is no network
    const Model* model;
    State* state;
    void* work;
    double newest;             // the last sample
    uint32_t computed;         // bits: tiles whose bins' probabilities were needed
    double tops[17];           // cdf at every 16th bin's beginning
    double bins[16][17];       // cdf at the beginnings of the bins of a tile, as a share of it
    uint8_t hints[kMaxHints];  // inputs for the next sample
    Trace* trace;              // where the inputs are written down, to train a network; else null
};

inline void prepare(Corrector& c, Arena& arena, const CodecNetwork& network, int channel) {
    if (!network.api || !network.model->hints) return;
    c.api = network.api, c.model = network.model, c.state = network.states[channel];
    c.work = arena.take<char>(c.api->work_bytes);
}

// Where a cdf value lies among the bins; its whole part is the bin's number.
inline double position_of(double u) {
    const bool upper = u > 0.5;
    double tail = upper ? 1.0 - u : u;
    if (!(tail > 0.0)) tail = 0.0;
    const double depth = std::sqrt(tail + tail) * 128.0;
    return upper ? 256.0 - depth : depth;
}

inline int bin_of(double u) {
    const int bin = static_cast<int>(position_of(u));
    return bin < 255 ? bin : 255;
}

inline double bin_start(int bin) {
    const double whole = 1.0 / 32768.0;
    if (bin <= 128) return static_cast<double>(bin * bin) * whole;
    return 1.0 - static_cast<double>((256 - bin) * (256 - bin)) * whole;
}

// The tile's 15 decisions as the cdf at its 16 ends, of which each lies between two others, and at 1.
inline void spread(const Corrector& c, int tile, double* cdf) {
    int16_t logits[16];
    float wide[16], right[16];
    c.api->logits(*c.model, c.work, tile, logits);
    for (int i = 0; i < 16; ++i) wide[i] = static_cast<float>(logits[i]) * (1.0f / 512.0f);
    const F16 most = fset(kMaxStretch), one = fset(1.0f);
    const F16 x = fmin(fmax(fload(wide), fset(-kMaxStretch)), most);
    fstore(right, fdiv(one, fadd(one, exponential(fsub(fset(0.0f), x)))));
    cdf[0] = 0.0, cdf[16] = 1.0;
    for (int half = 8, node = 1; half > 0; half /= 2)
        for (int i = half; i < 16; i += 2 * half, ++node)
            cdf[i] = cdf[i + half] - (cdf[i + half] - cdf[i - half]) * static_cast<double>(right[node]);
}

// The mixture's cdf value as corrected.
inline double corrected(Corrector& c, double u) {
    if (!(u > 0.0 && u < 1.0)) return u;
    const int bin = bin_of(u), tile = bin >> 4, within = bin & 15;
    const double mass = c.tops[tile + 1] - c.tops[tile];
    if (!(c.computed >> tile & 1)) {
        spread(c, 1 + tile, c.bins[tile]);
        c.computed |= uint32_t{1} << tile;
    }
    const double from = bin_start(bin), to = bin_start(bin + 1);
    const double share = (u - from) / (to - from);
    const double* at = c.bins[tile] + within;
    const double place = at[0] + (at[1] - at[0]) * share;
    const double by_network = c.tops[tile] + mass * place;
    return by_network + (u - by_network) * kDoubt;
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

// The network's other inputs before a sample: the last sample and its prediction as mu-law codes; how large errors are, in
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

// Computes what `corrected` needs for the next sample.
inline void predict(Corrector& c, const Experts& e, const double* guess) {
    if (!c.api && !c.trace) return;
    make_hints(e, guess, c.newest, c.hints);
    if (!c.api) return;
    c.api->set_hints(*c.model, *c.state, c.work, c.hints);
    c.api->step(*c.model, *c.state, c.work);
    c.computed = 0;
    spread(c, 0, c.tops);
}

// Moves the stream past a sample, whose interval is from `low` to `high` of the mixture's cdf.
inline void update(Corrector& c, double low, double high, double sample) {
    if (!c.api && !c.trace) return;
    c.newest = sample;
    const int bin = bin_of((low + high) * 0.5);
    if (c.trace) {
        std::memcpy(c.trace->hints, c.hints, kHints);
        *c.trace->bins = static_cast<uint8_t>(bin);
        for (int i = 0; i < 2; ++i) {
            const double position = position_of(i ? high : low) * 256.0;
            c.trace->bounds[i] = static_cast<uint16_t>(position < 65535.0 ? position : 65535.0);
        }
        c.trace->hints += kHints, c.trace->bins += 1, c.trace->bounds += 2;
    }
    if (c.api) c.api->advance(*c.model, *c.state, c.work, bin);
}
