// The instruction sets that this machine can run, slowest first.
#pragma once

#include <string>
#include <vector>

#include "engine/kernel.hpp"

namespace synth {

std::vector<const Api*> instruction_sets();

}  // namespace synth
