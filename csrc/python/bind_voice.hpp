// Adds what a voice has behind its network to the extension module.
#pragma once

#include <nanobind/nanobind.h>

namespace synth {

void bind_voice(nanobind::module_& m);

}  // namespace synth
