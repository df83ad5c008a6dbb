#include "codec/tokens.hpp"

#include <algorithm>
#include <cstring>

namespace synth {
namespace {

#include "codec/rangecoder.hpp"

constexpr int kSilence = 128;
constexpr size_t kMaxBytes = 17;  // of a token: its eight decisions take 16 bits each at most, and a little
constexpr int kCodes = 256;
constexpr int kBeams = 4;
constexpr size_t kMaxCount = 16;  // tokens of a frame

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

    // Of each code as the next token, in 1/65536 bit.
    void lengths(uint32_t* out) const {
        uint32_t nodes[2 * kCodes];
        nodes[1] = 0;
        int16_t logits[kTile];
        for (int tile = 0; tile < 17; ++tile) {
            api_.logits(model_, work_, tile, logits);
            for (int depth = 0; depth < 4; ++depth) {
                for (int row = 1 << depth; row < 2 << depth; ++row) {
                    const int node = tile == 0 ? row : ((tile + 15) << depth) + row - (1 << depth);
                    const int place = (std::clamp<int>(logits[row], -8192, 8191) >> 3) + 1024;
                    nodes[2 * node] = nodes[node] + model_.cost[2047 - place];
                    nodes[2 * node + 1] = nodes[node] + model_.cost[place];
                }
            }
        }
        std::copy(nodes + kCodes, nodes + 2 * kCodes, out);
    }

    // Takes on the state of another planner of the same network.
    void become(const Planner& other) {
        State& to = stream_.state;
        const State& from = other.stream_.state;
        to.position = from.position, to.phase = from.phase, to.residual = from.residual;
        std::copy(from.window, from.window + model_.window + kHop, to.window);
        std::copy(from.frame, from.frame + model_.frame_padded, to.frame);
        std::copy(from.condition, from.condition + 3 * model_.sample_padded, to.condition);
        std::copy(from.sample, from.sample + model_.sample_padded, to.sample);
        std::copy(from.sample_product, from.sample_product + 3 * model_.sample_padded, to.sample_product);
        std::memcpy(work_, other.work_, api_.work_bytes);
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

// Some first tokens of a frame, the planner past them, and what they cost.
struct Beam {
    explicit Beam(const std::shared_ptr<const PackedNetwork>& network) : planner(network) {}

    Planner planner;
    int64_t distance = 0;
    uint64_t length = 0;
    uint8_t tokens[kMaxCount] = {};
};

struct Option {
    int64_t cost, distance;
    uint64_t length;
    int beam, code;
};

// The cheapest options, in order; of equal ones the first.
class Cheapest {
   public:
    void add(const Option& option) {
        if (count_ == kBeams && option.cost >= options_[kBeams - 1].cost) return;
        int at = count_ < kBeams ? count_++ : kBeams - 1;
        for (; at > 0 && option.cost < options_[at - 1].cost; --at) options_[at] = options_[at - 1];
        options_[at] = option;
    }
    int count() const { return count_; }
    const Option& operator[](int i) const { return options_[i]; }

   private:
    Option options_[kBeams];
    int count_ = 0;
};

// Adds what each code of a quantiser would cost after a beam to `best`.
void add_options(const TokenDistances& distances, size_t frame, size_t quantiser, const Beam& beam, int number,
                 int64_t weight, Cheapest& best) {
    uint32_t lengths[kCodes];
    int64_t added[kCodes];
    beam.planner.lengths(lengths);
    const int32_t* own = distances.own + (frame * distances.count + quantiser) * kCodes;
    std::copy(own, own + kCodes, added);
    for (size_t earlier = 0; earlier < quantiser; ++earlier) {
        const size_t pair = quantiser * (quantiser - 1) / 2 + earlier;
        const int32_t* row = distances.pairs + (pair * kCodes + beam.tokens[earlier]) * kCodes;
        for (int code = 0; code < kCodes; ++code) added[code] += row[code];
    }
    for (int code = 0; code < kCodes; ++code) {
        const int64_t distance = beam.distance + added[code];
        const uint64_t length = beam.length + lengths[code];
        best.add({distance * 65536 + weight * static_cast<int64_t>(length), distance, length, number, code});
    }
}

using Beams = std::vector<std::unique_ptr<Beam>>;

// Moves `kept` beams past a quantiser, into `after`; returns how many there are then, one after the last quantiser.
int pass(const TokenDistances& distances, size_t frame, size_t quantiser, int64_t weight, uint8_t first, Beams& beams,
         int kept, Beams& after) {
    Cheapest best;
    for (int i = 0; i < kept; ++i) {
        beams[i]->planner.predict();
        if (quantiser > 0) {
            add_options(distances, frame, quantiser, *beams[i], i, weight, best);
        } else {
            uint32_t lengths[kCodes];
            beams[i]->planner.lengths(lengths);
            best.add({0, distances.own[frame * distances.count * kCodes + first], lengths[first], i, first});
        }
    }
    const int count = quantiser + 1 == distances.count ? 1 : best.count();
    for (int i = 0; i < count; ++i) {
        const Beam& from = *beams[best[i].beam];
        Beam& to = *after[i];
        to.planner.become(from.planner);
        std::copy(from.tokens, from.tokens + quantiser, to.tokens);
        to.tokens[quantiser] = static_cast<uint8_t>(best[i].code);
        to.distance = best[i].distance, to.length = best[i].length;
        to.planner.update(best[i].code);
    }
    return count;
}

}  // namespace

uint64_t choose_tokens(const std::shared_ptr<const PackedNetwork>& network, const TokenDistances& distances,
                       size_t frames, int64_t weight, uint8_t* tokens) {
    Beams beams, after;
    for (int i = 0; i < kBeams; ++i) {
        beams.push_back(std::make_unique<Beam>(network));
        after.push_back(std::make_unique<Beam>(network));
    }
    const size_t period = static_cast<size_t>(network->model.period), count = distances.count;
    uint64_t length = 0;
    for (size_t frame = 0; frame < frames; ++frame, tokens += count) {
        beams[0]->distance = 0, beams[0]->length = 0;
        int kept = 1;
        for (size_t quantiser = 0; quantiser < count; ++quantiser) {
            kept = pass(distances, frame, quantiser, weight, tokens[0], beams, kept, after);
            beams.swap(after);
        }
        std::copy(beams[0]->tokens, beams[0]->tokens + count, tokens);
        length += beams[0]->length;
        for (size_t place = count; place < period; ++place) {
            beams[0]->planner.predict();
            beams[0]->planner.update(kSilence);
        }
    }
    return length;
}

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
