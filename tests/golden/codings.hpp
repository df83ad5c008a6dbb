// The codec of every instruction set that this machine has, slowest first.
#pragma once

#include <cstring>
#include <vector>

#include "codec/coding.hpp"
#include "built_sets.hpp"
#include "engine/dispatch.hpp"

namespace synth {

#define SYNTH_DECLARE_CODING(set) extern const CodingApi coding_##set;
SYNTH_BUILT_SETS(SYNTH_DECLARE_CODING)

}  // namespace synth

inline const synth::CodingApi& coding_of(const synth::Api& api) {
#define SYNTH_IF_CODING(set) \
    if (std::strcmp(api.name, synth::coding_##set.name) == 0) return synth::coding_##set;
    SYNTH_BUILT_SETS(SYNTH_IF_CODING)
    return synth::coding_baseline;
}
