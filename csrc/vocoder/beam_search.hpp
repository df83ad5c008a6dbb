// The search for tokens: of each frame kWays ways are kept, all side by side. Rows of numbers are [row][kAbreast].
#pragma once

constexpr int kFrames = kAbreast / kWays;
constexpr double kNever = 1099511627776.0;  // 2^40, more than any way costs
constexpr int kOptions = kWays * kCodes;

struct Ways {
    double cost[kAbreast];
    uint8_t tokens[kAbreast][kMaxQuantisers];
};

// The kWays cheapest of a frame's options, in order; cost x kOptions + place, which all differ.
inline void cheapest(const double* products, const double* norms, const double* cost, double* best) {
    for (int i = 0; i < kWays; ++i) best[i] = 4 * kNever * kOptions;
    for (int code = 0; code < kCodes; ++code) {
        for (int way = 0; way < kWays; ++way) {
            const double option = cost[way] + norms[code] - 2.0 * products[code * kAbreast + way];
            double key = option * kOptions + (way * kCodes + code);
            if (key >= best[kWays - 1]) continue;
            for (int i = 0; i < kWays; ++i) {
                const double other = best[i];
                best[i] = key < other ? key : other;
                key = key < other ? other : key;
            }
        }
    }
}

// Moves the ways past a quantiser. left, after [latent]: what is left to say before it and after it.
inline void choose(const SearchModel& model, int quantiser, const double* left, const double* products, Ways& ways,
                   double* after) {
    const double* book = model.codebooks[quantiser];
    const Ways before = ways;
    for (int lane = 0; lane < kAbreast; lane += kWays) {
        double best[kWays];
        cheapest(products + lane, model.norms + quantiser * kCodes, before.cost + lane, best);
        for (int i = 0; i < kWays; ++i) {
            const int64_t key = static_cast<int64_t>(best[i]);
            const int from = lane + static_cast<int>(key % kOptions / kCodes), code = static_cast<int>(key % kCodes);
            const double* row = book + static_cast<size_t>(code / kAbreast) * model.latent * kAbreast + code % kAbreast;
            for (int d = 0; d < model.latent; ++d)
                after[d * kAbreast + lane + i] = left[d * kAbreast + from] - row[d * kAbreast];
            for (int q = 0; q < quantiser; ++q) ways.tokens[lane + i][q] = before.tokens[from][q];
            ways.tokens[lane + i][quantiser] = static_cast<uint8_t>(code);
            ways.cost[lane + i] = static_cast<double>(key / kOptions);
        }
    }
}

void search(const SearchModel& model, const int8_t* vectors, size_t frames, int count, uint8_t* tokens) {
    const FloatMode mode;
    alignas(64) double rows[2][kMaxLatent * kAbreast], products[kCodes * kAbreast];
    for (size_t at = 0; at < frames; at += kFrames) {
        const int here = static_cast<int>(frames - at < kFrames ? frames - at : kFrames);
        Ways ways{};
        for (int lane = 0; lane < kAbreast; ++lane) {
            const int frame = lane / kWays < here ? lane / kWays : here - 1;
            const int8_t* vector = vectors + (at + frame) * model.latent;
            int norm = 0;
            for (int d = 0; d < model.latent; ++d) {
                rows[0][d * kAbreast + lane] = vector[d];
                norm += vector[d] * vector[d];
            }
            ways.cost[lane] = lane % kWays == 0 ? norm : kNever;
        }
        for (int q = 0; q < count; ++q) {
            multiply_rows(model.codebooks[q], kCodes / kAbreast, model.latent, rows[q & 1], 1, model.latent, products);
            choose(model, q, rows[q & 1], products, ways, rows[~q & 1]);
        }
        for (int f = 0; f < here; ++f)
            for (int q = 0; q < count; ++q) tokens[(at + f) * count + q] = ways.tokens[f * kWays][q];
    }
}
