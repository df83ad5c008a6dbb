// How often the decision of each node of the tree went either way. A node is known by the rank that it splits at, so a
// grid of up to 2^16 ranks has one counter a node; of finer grids the coarser nodes have one.
#pragma once

constexpr int kNodes = 65536, kMaxCount = 255;

struct Counters {
    uint8_t (*counts)[2];
    float logs[kMaxCount + 1];  // ln(n + 0.4)
    int shift;                   // of ranks
};

inline void prepare(Counters& c, Arena& arena, const Grid& grid) {
    c.counts = arena.take<uint8_t[2]>(kNodes + 1);
    c.shift = 0;
    while (grid.count >> c.shift > kNodes) ++c.shift;
    for (int i = 0; i <= kMaxCount; i += 16) {
        float x[16];
        for (int k = 0; k < 16; ++k) x[k] = static_cast<float>(i + k) + 0.4f;
        fstore(c.logs + i, log16(fload(x)));
    }
}

// The node's counts, or null where it has none.
inline uint8_t* node(const Counters& c, int from, int to, int split) {
    if (c.shift > 0 && (to - from) >> c.shift < 2) return nullptr;
    return c.counts[split >> c.shift];
}

inline float stretch(const Counters& c, const uint8_t* counts) { return c.logs[counts[1]] - c.logs[counts[0]]; }

inline void count(uint8_t* counts, bool bit) {
    if (++counts[bit] < kMaxCount) return;
    counts[0] = static_cast<uint8_t>(counts[0] >> 1);
    counts[1] = static_cast<uint8_t>(counts[1] >> 1);
}
