// A generative network's predictive distribution of a channel's next sample: log-odds of the decisions down the mu-law
// tree.
#pragma once

struct MulawPredictor {
    const Api* api;  // null: there is no network
    const Model* model;
    State* state;
    void* work;
    int tile;              // whose logits are in `logits`
    int16_t logits[2][16];  // of the tile of the upper four levels, and of the one below the place reached
};

inline void prepare(MulawPredictor& p, Arena& arena, const CodecNetwork& network, int channel) {
    if (!network.api || network.model->hints) return;  // one with hints corrects
    p.api = network.api, p.model = network.model, p.state = network.states[channel];
    p.work = arena.take<char>(p.api->work_bytes);
}

// Computes what log_odds needs for the next sample.
inline void predict(MulawPredictor& p) {
    if (!p.api) return;
    p.api->step(*p.model, *p.state, p.work);
    p.api->logits(*p.model, p.work, 0, p.logits[0]);
    p.tile = 0;
}

// ln(p(1) / p(0)) of the decision between the lower and the upper `half` codes from `code` on.
inline float log_odds(MulawPredictor& p, int code, int half) {
    int16_t logit;
    if (half >= 16) {
        logit = p.logits[0][128 / half + code / (2 * half)];
    } else {
        const int high = code >> 4, tile = 1 + high;
        if (p.tile != tile) {
            p.api->logits(*p.model, p.work, tile, p.logits[1]);
            p.tile = tile;
        }
        logit = p.logits[1][8 / half + (code & 15) / (2 * half)];
    }
    return static_cast<float>(logit) * (1.0f / 512.0f);
}

// Moves the stream past the sample of this value, in units of 16-bit samples.
inline void update(MulawPredictor& p, double value) {
    if (!p.api) return;
    int sample = static_cast<int>(value);
    if (sample > value) --sample;
    p.api->advance(*p.model, *p.state, p.work, kMulaw.encode[sample + 32768]);
}
