// De-emphasis, emphasis.py's arithmetic. One sample needs the one before: no instruction set makes it faster.
#pragma once

#include <cstddef>
#include <cstdint>

namespace synth {

constexpr int32_t kEmphasis = 27853;          // 0.85, 15 places
constexpr int32_t kMaxDeEmphasised = 1 << 30;  // of the state, 8 places

// Filters `count` samples from a state on, any number; returns the state after them.
int32_t de_emphasise(const int16_t* samples, size_t count, int32_t state, int32_t* out);

}  // namespace synth
