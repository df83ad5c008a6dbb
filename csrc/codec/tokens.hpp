// Tokens of a voice as bytes of the range coder, with the probabilities of a network over tokens, its planner.
#pragma once

#include <memory>
#include <vector>

#include "engine/engine.hpp"

namespace synth {

// tokens: [frames][count], count at most the network's period; its other tokens are known as 128. The same bytes
// whatever the instruction set.
std::vector<uint8_t> encode_tokens(const std::shared_ptr<const PackedNetwork>& network, const uint8_t* tokens,
                                   size_t frames, size_t count);

// Fills tokens [frames][count]; damaged bytes give other tokens.
void decode_tokens(const std::shared_ptr<const PackedNetwork>& network, const uint8_t* data, size_t size,
                   uint8_t* tokens, size_t frames, size_t count);

// How far what is left of a frame's vector is from codebook entries, less the square of its length: `own`
// [frames][count][256] of each entry alone; `pairs` [count (count - 1) / 2][256][256] what entry j of quantiser q adds
// after entry i of an earlier quantiser p, at [q (q - 1) / 2 + p][i][j].
struct TokenDistances {
    const int32_t *own, *pairs;
    size_t count;
};

// Fills tokens [frames][count], whose first of each frame are given, count at most 16 and the network's period: those
// of least distance plus `weight` times their bits, as a search with four beams finds them. Returns their bits x 65536.
uint64_t choose_tokens(const std::shared_ptr<const PackedNetwork>& network, const TokenDistances& distances,
                       size_t frames, int64_t weight, uint8_t* tokens);

}  // namespace synth
