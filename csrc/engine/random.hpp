// Philox 4x32-10 (Salmon et al., SC 2011) for a frame of samples at once, and the draw from the tree.
#pragma once

constexpr int kBlock = 2 * kHop;  // two counters a sample

// One of the ten rounds on all counters: word [4][kBlock].
inline void philox_round(uint32_t (&word)[4][kBlock], uint32_t key0, uint32_t key1) {
    for (int i = 0; i < kBlock; ++i) {
        const uint64_t p = static_cast<uint64_t>(word[0][i]) * 0xD2511F53u;
        const uint64_t q = static_cast<uint64_t>(word[2][i]) * 0xCD9E8D57u;
        word[0][i] = static_cast<uint32_t>(q >> 32) ^ word[1][i] ^ key0;
        word[2][i] = static_cast<uint32_t>(p >> 32) ^ word[3][i] ^ key1;
        word[1][i] = static_cast<uint32_t>(q);
        word[3][i] = static_cast<uint32_t>(p);
    }
}

// random[level][k] for the samples k of the frame that holds `position`.
inline void frame_random(const State& state, uint32_t (&random)[8][kHop]) {
    alignas(64) uint32_t word[4][kBlock];
    for (int i = 0; i < kBlock; ++i) {
        const uint64_t sample = state.position / kHop * kHop + static_cast<uint64_t>(i % kHop);
        word[0][i] = static_cast<uint32_t>(sample);
        word[1][i] = static_cast<uint32_t>(sample >> 32);
        word[2][i] = i < kHop ? 0 : 1;
        word[3][i] = 0;
    }
    uint32_t key0 = state.seed, key1 = state.stream;
    for (int round = 0; round < 10; ++round, key0 += 0x9E3779B9u, key1 += 0xBB67AE85u) philox_round(word, key0, key1);
    for (int i = 0; i < kBlock; ++i)
        for (int j = 0; j < 4; ++j) random[i / kHop * 4 + j][i % kHop] = word[j][i];
}

// The places of a tile's logits after division by the temperature.
SYNTH_APART void find_places(const int16_t* logits, int64_t inverse_temperature, int16_t* places) {
    for (int i = 0; i < kTile; ++i) {
        int64_t value = (logits[i] * inverse_temperature) >> 12;
        value = value < -8192 ? -8192 : value > 8191 ? 8191 : value;
        places[i] = static_cast<int16_t>((value >> 3) + 1024);
    }
}

inline bool at_rest(const State& state) {
    const int8_t* codes = state.window + kHop - state.phase;
    int least = codes[0], most = codes[0];
    for (int i = 1; i < kRestCodes; ++i) {
        least = codes[i] < least ? codes[i] : least;
        most = codes[i] > most ? codes[i] : most;
    }
    return most - least <= kRestSpan;
}

// How the next code of a stream is drawn. A greedy draw looks at no top-k and no top-p, at rest neither.
inline DrawOptions eased(const State& state, const DrawOptions& draw) {
    if (!draw.eases_at_rest || !at_rest(state)) return draw;
    DrawOptions now = draw;
    if (draw.inverse_temperature == 0 || draw.inverse_temperature > kRest.inverse_temperature)
        now.inverse_temperature = kRest.inverse_temperature;
    if (draw.top_k < kRest.top_k) now.top_k = kRest.top_k;
    if (draw.top_p < kRest.top_p) now.top_p = kRest.top_p;
    return now;
}

// Four levels of the tree from a tile's logits: the node within the tile, 16 to 31, less 16.
struct Drawer {
    const Model* model;
    const Work* work;
    int64_t inverse_temperature;
    int column;

    int walk(TileLogits& tile, int stage) const {
        uint32_t node = 1;
        if (inverse_temperature == 0) {
            for (int level = 0; level < 4; ++level) node = 2 * node + static_cast<uint32_t>(tile.logits[node] >= 0);
            return static_cast<int>(node) - 16;
        }
        if (inverse_temperature != 4096) find_places(tile.logits, inverse_temperature, tile.places);
        const uint32_t* random = &work->random[stage * 4][column];
        for (int level = 0; level < 4; ++level)
            node = 2 * node + static_cast<uint32_t>(random[level * kHop] < model->probability[tile.places[node]]);
        return static_cast<int>(node) - 16;
    }
};

// The same where the code is known: follows it and adds up what its bits cost.
struct Follower {
    const Model* model;
    int code;
    uint32_t cost;

    int walk(const TileLogits& tile, int stage) {
        const int four = stage == 0 ? code >> 4 : code & 15;
        for (int level = 0; level < 4; ++level) {
            const int place = tile.places[(16 + four) >> (4 - level)];
            cost += model->cost[(four >> (3 - level)) & 1 ? place : 2047 - place];
        }
        return four;
    }
};

// Weights of all 256 codes: uint32 products down the tree.
inline void all_leaves(const Model& model, const Work& work, int64_t inverse_temperature, uint32_t* leaves) {
    TileLogits tiles[17];
    for (int tile = 0; tile < 17; ++tile) {
        tree_tile(model, work, tile, tiles[tile]);
        if (inverse_temperature != 4096) find_places(tiles[tile].logits, inverse_temperature, tiles[tile].places);
    }
    uint32_t weights[512];
    weights[1] = 0xFFFFFFFFu;
    for (int node = 1; node < 256; ++node) {
        int tile = 0, within = node;
        if (node >= 16) {
            int level = 0;
            while ((node >> level) >= 32) ++level;
            tile = 1 + (node >> level) - 16;
            within = (1 << level) + (node & ((1 << level) - 1));
        }
        const uint64_t share = model.probability[tiles[tile].places[within]];
        const uint32_t right = static_cast<uint32_t>((weights[node] * share) >> 32);
        weights[2 * node] = weights[node] - right;
        weights[2 * node + 1] = right;
    }
    for (int code = 0; code < 256; ++code) leaves[code] = weights[256 + code];
}
