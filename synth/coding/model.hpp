// One channel's model, and the walk of a sample's decisions: down the mu-law tree, then by halving what is left of the
// code's interval. Encoder and decoder share it; the coder either follows `rank` or finds it.
#pragma once

struct Channel {
    Cascade cascade;
    Experts experts;
    CdfMap map;
};

inline uint32_t probability16(double p) {
    const double scaled = p * 65536.0 + 0.5;
    if (!(scaled >= 1.0)) return 1;
    if (scaled >= 65535.0) return 65535;
    return static_cast<uint32_t>(scaled);
}

inline void prepare(Channel& channel, Arena& arena, const Preset& preset, bool has_other, double unit) {
    prepare(channel.cascade, arena, preset, has_other);
    prepare(channel.experts, preset, unit);
    prepare(channel.map);
}

inline void finish_point(const Channel& channel, Point& point) {
    const double weight = channel.experts.preset->map_weight;
    point.value = point.mixed + (mapped(channel.map, point.mixed) - point.mixed) * weight;
}

template <class Coder>
inline int code_sample(Channel& channel, const Grid& grid, Coder& coder, int rank) {
    Point points[3];
    Point *low = points, *high = points + 1, *middle = points + 2;
    aim(channel.experts, channel.cascade.guess);
    end_point(channel.experts, -1.0, *low);
    end_point(channel.experts, 1.0, *high);
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
        const double one = high->value - middle->value;
        const bool bit = coder.code(rank >= split, probability16(one / (high->value - low->value)));
        Point* reached = middle;
        if (bit) {
            middle = low, low = reached, from = split;
            code += half;
        } else {
            middle = high, high = reached, to = split;
        }
    }
    learn(channel.map, low->mixed, high->mixed, channel.experts.preset->map_rate);
    learn(channel.experts, *low, *high, value_of(grid, from));
    return from;
}
