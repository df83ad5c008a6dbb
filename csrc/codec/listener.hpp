// What the network expects of a channel's next sample: log-odds of the decisions down the mu-law tree.
#pragma once

struct Listener {
    const Api* api;  // null: there is no network
    const Model* model;
    State* state;
    void* work;
    int tile;              // whose logits are in `logits`
    int16_t logits[2][16];  // of the tile of the upper four levels, and of the one below the place reached
};

inline void prepare(Listener& l, Arena& arena, const Listening& network, int channel) {
    if (!network.api || network.model->hints) return;  // one with hints corrects
    l.api = network.api, l.model = network.model, l.state = network.states[channel];
    l.work = arena.take<char>(l.api->work_bytes);
}

inline void listen(Listener& l) {
    if (!l.api) return;
    l.api->listen(*l.model, *l.state, l.work);
    l.api->logits(*l.model, l.work, 0, l.logits[0]);
    l.tile = 0;
}

// ln(p(1) / p(0)) of the decision between the lower and the upper `half` codes from `code` on.
inline float stretch(Listener& l, int code, int half) {
    int16_t logit;
    if (half >= 16) {
        logit = l.logits[0][128 / half + code / (2 * half)];
    } else {
        const int high = code >> 4, tile = 1 + high;
        if (l.tile != tile) {
            l.api->logits(*l.model, l.work, tile, l.logits[1]);
            l.tile = tile;
        }
        logit = l.logits[1][8 / half + (code & 15) / (2 * half)];
    }
    return static_cast<float>(logit) * (1.0f / 512.0f);
}

// Past the sample of this value, in units of 16-bit samples.
inline void hear(Listener& l, double value) {
    if (!l.api) return;
    int sample = static_cast<int>(value);
    if (sample > value) --sample;
    l.api->hear(*l.model, *l.state, l.work, kMulaw.encode[sample + 32768]);
}
