// Adds a voice's stream to the extension module.
#pragma once

#include <nanobind/nanobind.h>

namespace synth {

void bind_voice_stream(nanobind::module_& m);

}  // namespace synth
