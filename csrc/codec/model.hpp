// One channel's model, and the walk of a sample's decisions: down the mu-law tree, then by halving what is left of the
// code's interval. Encoder and decoder share it; the coder either follows `rank` or finds it.
#pragma once

struct Channel {
    Cascade cascade;
    Experts experts;
    CdfMap map;
    Point points[3];
    Mixer mixer;
    Counters counters;
    MulawPredictor predictor;
    Corrector corrector;
    int bursts;  // how the error's size over a short time compares with that over a long one, 0 to 3
};

inline bool has_network(const Channel& channel) { return channel.predictor.api || channel.corrector.api; }

inline uint32_t probability16(double p) {
    const double scaled = p * 65536.0 + 0.5;
    if (!(scaled >= 1.0)) return 1;
    if (scaled >= 65535.0) return 65535;
    return static_cast<uint32_t>(scaled);
}

inline void prepare(Channel& channel, Arena& arena, const Preset& preset, bool has_other, const Grid& grid) {
    prepare(channel.cascade, arena, preset, has_other);
    prepare(channel.experts, preset, grid.unit);
    prepare(channel.map);
    if (!preset.mixing) return;
    prepare(channel.mixer, arena, kInputMixture, channel.predictor.api, channel.corrector.api);
    prepare(channel.counters, arena, grid);
}

inline void finish_point(Channel& channel, Point& point) {
    const double weight = channel.experts.preset->map_weight;
    point.mapped = mapped(channel.map, point.mixed);
    point.value = point.mixed + (point.mapped - point.mixed) * weight;
    if (channel.corrector.api) point.corrected = corrected(channel.corrector, point.mixed);
}

// Where in the tree and around the prediction a decision stands.
struct Place {
    int from, to, split;  // ranks
    int depth;            // 7 to 0 down the mu-law tree; below it 8 + log2 of the ranks left, rounded down
    int code, half;       // the lowest mu-law code left, and half of how many are left; 0 within a code
};

// A decision by the mixer. Its contexts: how likely the mixture thinks it and how much is left to decide; the place in
// the tree; how wide the interval is for the expected error; how likely the network and the mixture think it. Within a
// code the network has no opinion, and the mixture's stands for it.
template <class Coder>
inline bool decide(Channel& channel, Coder& coder, const Point& low, const Point& middle, const Point& high,
                   const Place& place, double unit, bool bit) {
    Mixer& m = channel.mixer;
    stretch(m, low.cdf, middle.cdf, high.cdf);
    uint8_t* counts = node(channel.counters, place.from, place.to, place.split);
    m.inputs[kInputCounter] = counts ? stretch(channel.counters, counts) : 0.0f;
    MulawPredictor& network = channel.predictor;
    const bool predicts = network.api && place.half > 0;
    const int other = channel.corrector.api ? kInputCorrected : kInputMixture;
    m.inputs[kInputNetwork] = predicts ? log_odds(network, place.code, place.half) : m.inputs[other];
    m.inputs[kInputCorrected] = 0.0f;
    const int odds = exponent((high.mixed - middle.mixed) / (middle.mixed - low.mixed));
    const int opinion = static_cast<int>(m.inputs[kInputNetwork] * 1.5f + 8.0f);
    const int width = exponent((place.to - place.from) * unit * channel.experts.inverse[2]);
    const int contexts[kMixSets] = {limited(odds + 8, 15) * 4 + limited(0 - exponent(high.mixed - low.mixed), 3),
                                    limited(place.depth, 31) * 16 + (place.code >> 4),
                                    limited((width >> 1) + 8, 15) * 4 + channel.bursts,
                                    limited(opinion, 15) * 16 + limited(odds + 8, 15)};
    bit = coder.code(bit, probability16(mix(m, contexts, 1)));
    learn(m, bit);
    if (counts) count(counts, bit);
    return bit;
}

template <class Coder>
inline int code_sample(Channel& channel, const Grid& grid, Coder& coder, int rank) {
    Point *low = channel.points, *high = low + 1, *middle = low + 2;
    aim(channel.experts, channel.cascade.guess);
    predict(channel.predictor);
    predict(channel.corrector, channel.experts, channel.cascade.guess);
    end_point(channel.experts, -1.0, *low);
    end_point(channel.experts, 1.0, *high);
    const Experts& e = channel.experts;
    channel.bursts = limited(exponent((e.mean[0] + e.least) / (e.mean[3] + e.least)) + 2, 3);
    if (e.preset->mixing) set_rates(channel.mixer, e.seen);
    finish_point(channel, *low);
    finish_point(channel, *high);
    int from = 0, to = grid.count, code = 0, codes = 256;
    while (to - from > 1) {
        const int half = codes / 2;
        int split = (from + to) / 2;
        if (half > 0) {
            split = grid.threshold[code + half];
            codes = half;
            if (split <= from) code += half;
            if (split <= from || split >= to) continue;
        }
        evaluate(channel.experts, bound_of(grid, split), *middle);
        finish_point(channel, *middle);
        bool bit = rank >= split;
        if (channel.experts.preset->mixing) {
            const Place place{from, to, split, half > 0 ? exponent(half) : 8 + exponent(to - from), code, half};
            bit = decide(channel, coder, *low, *middle, *high, place, grid.unit, bit);
        } else {
            const double one = high->value - middle->value;
            bit = coder.code(bit, probability16(one / (high->value - low->value)));
        }
        Point* reached = middle;
        if (bit) {
            middle = low, low = reached, from = split;
            code += half;
        } else {
            middle = high, high = reached, to = split;
        }
    }
    update(channel.corrector, low->mixed, high->mixed, value_of(grid, from));
    learn(channel.map, low->mixed, high->mixed, channel.experts.preset->map_rate);
    learn(channel.experts, *low, *high, value_of(grid, from));
    return from;
}
