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

}  // namespace synth
