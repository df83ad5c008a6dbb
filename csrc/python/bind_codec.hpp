// Adds the codec's functions to the extension module.
#pragma once

#include <nanobind/nanobind.h>

namespace synth {

void bind_coding(nanobind::module_& m);

}  // namespace synth
