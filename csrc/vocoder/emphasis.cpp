#include "vocoder/emphasis.hpp"

#include <algorithm>

namespace synth {

int32_t de_emphasise(const int16_t* samples, size_t count, int32_t state, int32_t* out) {
    for (size_t i = 0; i < count; ++i) {
        const int64_t kept = (static_cast<int64_t>(kEmphasis) * state + (1 << 14)) >> 15;
        const int64_t sum = samples[i] * 256 + kept;
        state = static_cast<int32_t>(std::clamp<int64_t>(sum, -kMaxDeEmphasised, kMaxDeEmphasised));
        out[i] = (state + 128) >> 8;
    }
    return state;
}

}  // namespace synth
