#include "codec/tokens.hpp"

#include <algorithm>

namespace synth {
namespace {

#include "codec/rangecoder.hpp"

constexpr int kSilence = 128;
constexpr size_t kMaxBytes = 17;  // of a token: its eight decisions take 16 bits each at most, and a little

// A fresh stream of the network, followed token by token.
class Planner {
   public:
    explicit Planner(const std::shared_ptr<const PackedNetwork>& network)
        : stream_(network, 0, 0), api_(network->api), model_(network->model),
          work_(arena_.take<char>(api_.work_bytes)) {}

    void predict() { api_.step(model_, stream_.state, work_); }
    void update(int token) { api_.advance(model_, stream_.state, work_, token); }

    // The next token, by the eight decisions of the tree. `weight` is the sum of the codes that are left: their weights
    // are products down the tree that lose nothing, so that those beside the path need not be known.
    template <class Coder>
    int code(Coder& coder, int token) const {
        uint32_t weight = 0xffffffff;
        int node = 1;
        int16_t logits[kTile];
        for (int depth = 0; depth < 8; ++depth) {
            if (depth == 0 || depth == 4) api_.logits(model_, work_, depth == 0 ? 0 : node - 15, logits);
            const int row = 1 << depth % 4;  // of the tile, where the depth begins
            const int logit = std::clamp<int>(logits[row | (node & (row - 1))], -8192, 8191);
            const uint64_t right = model_.probability[(logit >> 3) + 1024];
            const uint32_t upper = static_cast<uint32_t>(weight * right >> 32);
            const uint64_t share = (static_cast<uint64_t>(upper) << 16) / std::max<uint32_t>(1, weight);
            const bool bit = coder.code((token >> (7 - depth) & 1) != 0,
                                        static_cast<uint32_t>(std::clamp<uint64_t>(share, 1, 65535)));
            weight = bit ? upper : weight - upper;
            node = 2 * node + bit;
        }
        return node - 256;
    }

   private:
    Arena arena_;
    Stream stream_;
    const Api& api_;
    const Model& model_;
    void* work_;
};

template <class Coder>
void code_tokens(const std::shared_ptr<const PackedNetwork>& network, Coder& coder, uint8_t* tokens, size_t frames,
                 size_t count) {
    Planner planner(network);
    const size_t period = static_cast<size_t>(network->model.period);
    for (size_t frame = 0; frame < frames; ++frame, tokens += count) {
        for (size_t place = 0; place < period; ++place) {
            planner.predict();
            if (place < count) tokens[place] = static_cast<uint8_t>(planner.code(coder, tokens[place]));
            planner.update(place < count ? tokens[place] : kSilence);
        }
    }
}

}  // namespace

std::vector<uint8_t> encode_tokens(const std::shared_ptr<const PackedNetwork>& network, const uint8_t* tokens,
                                   size_t frames, size_t count) {
    std::vector<uint8_t> out(frames * count * kMaxBytes + 16);
    RangeEncoder coder(out.data(), out.size());
    code_tokens(network, coder, const_cast<uint8_t*>(tokens), frames, count);  // an encoder writes what it reads
    out.resize(coder.finish());
    return out;
}

void decode_tokens(const std::shared_ptr<const PackedNetwork>& network, const uint8_t* data, size_t size,
                   uint8_t* tokens, size_t frames, size_t count) {
    RangeDecoder coder(data, size);
    code_tokens(network, coder, tokens, frames, count);
}

}  // namespace synth
