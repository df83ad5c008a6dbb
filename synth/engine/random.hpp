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

inline int temper(int logit, int64_t inverse_temperature) {
    if (inverse_temperature == 4096) return logit;
    const int64_t value = (logit * inverse_temperature) >> 12;
    return static_cast<int>(value < -32768 ? -32768 : value > 32767 ? 32767 : value);
}

// Where a logit (9 fractional bits) stands in the table of probabilities: steps of 1/64, from -16 to 16.
inline int place_of(int logit) {
    return ((logit < -8192 ? -8192 : logit > 8191 ? 8191 : logit) >> 3) + 1024;
}

// Four levels of the tree from a tile's logits: the node within the tile, 16 to 31, less 16.
struct Drawer {
    static constexpr bool kLeaves = false;
    const Model& model;
    const Work& work;
    int64_t inverse_temperature;
    int column;

    int walk(const int16_t* logits, int stage) const {
        int node = 1;
        for (int level = 0; level < 4; ++level) {
            const int logit = logits[node];
            int bit;
            if (inverse_temperature == 0) {
                bit = logit >= 0;
            } else {
                const int index = place_of(temper(logit, inverse_temperature));
                bit = work.random[stage * 4 + level][column] < model.probability[index];
            }
            node = 2 * node + bit;
        }
        return node - 16;
    }
};

// The same where the code is known: follows it and adds up what its bits cost.
struct Follower {
    static constexpr bool kLeaves = false;
    const Model& model;
    int code;
    uint32_t cost;

    int walk(const int16_t* logits, int stage) {
        const int four = stage == 0 ? code >> 4 : code & 15;
        for (int level = 0; level < 4; ++level) {
            const int index = place_of(logits[(16 + four) >> (4 - level)]);
            cost += model.cost[(four >> (3 - level)) & 1 ? index : 2047 - index];
        }
        return four;
    }
};

// Weights of all 256 codes: uint32 products down the tree.
inline void all_leaves(const Model& model, const Work& work, int64_t inverse_temperature, uint32_t* leaves) {
    alignas(64) int16_t logits[17][kTile + kPad];
    for (int tile = 0; tile < 17; ++tile) tree_tile(model, work, tile, logits[tile]);
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
        const int index = place_of(temper(logits[tile][within], inverse_temperature));
        const uint32_t right = static_cast<uint32_t>((static_cast<uint64_t>(weights[node]) * model.probability[index]) >> 32);
        weights[2 * node] = weights[node] - right;
        weights[2 * node + 1] = right;
    }
    for (int code = 0; code < 256; ++code) leaves[code] = weights[256 + code];
}
