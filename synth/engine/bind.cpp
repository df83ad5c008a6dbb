// The Python face of the kernel: checks sizes, gives up the interpreter's lock, calls the set that was chosen.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>

#include "dispatch.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using Codes = nb::ndarray<const uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using CodesOut = nb::ndarray<uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Doubles = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

const synth::Api& find_set(const std::string& name) {
    for (const synth::Api* set : synth::instruction_sets())
        if (name == set->name) return *set;
    throw std::invalid_argument("no instruction set " + name);
}

void need(bool good, const char* what) {
    if (!good) throw std::invalid_argument(what);
}

synth::PredictorWeights predictor_weights(const Doubles& start, const Doubles& powers, const Doubles& decay,
                                          const Doubles& ridge) {
    const size_t order = start.shape(0);
    need(order == 16 || order == 32, "predictor.start: must have 16 or 32 values");
    need(powers.shape(0) == synth::kHop, "predictor.powers: must have 16 values");
    need(decay.shape(0) == 1 && ridge.shape(0) == 2, "predictor.decay, predictor.ridge: must have 1 and 2 values");
    synth::PredictorWeights weights{};
    weights.order = static_cast<int>(order);
    for (size_t i = 0; i < order; ++i) weights.start[i] = start(i);
    for (int i = 0; i < synth::kHop; ++i) weights.powers[i] = powers(i);
    weights.decay = decay(0);
    weights.prior = ridge(0);
    weights.floor = ridge(1);
    return weights;
}

void predict_codes(const std::string& set, const Doubles& start, const Doubles& powers, const Doubles& decay,
                   const Doubles& ridge, const Codes& codes, const CodesOut& predicted, const CodesOut& residual) {
    const synth::Api& api = find_set(set);
    const synth::PredictorWeights weights = predictor_weights(start, powers, decay, ridge);
    const size_t rows = codes.shape(0), count = codes.shape(1);
    for (const CodesOut* out : {&predicted, &residual})
        need(out->shape(0) == rows && out->shape(1) == count, "predict_codes: arrays differ in shape");
    const uint8_t* in = codes.data();
    uint8_t *first = predicted.data(), *second = residual.data();
    const nb::gil_scoped_release release;
    for (size_t row = 0; row < rows; ++row)
        api.predict_codes(weights, in + row * count, first + row * count, second + row * count, count);
}

std::vector<std::string> instruction_sets() {
    std::vector<std::string> names;
    for (const synth::Api* set : synth::instruction_sets()) names.emplace_back(set->name);
    return names;
}

}  // namespace

NB_MODULE(_kernel, m) {
    m.def("instruction_sets", &instruction_sets);
    m.def("predict_codes", &predict_codes, "set"_a, "start"_a, "powers"_a, "decay"_a, "ridge"_a, "codes"_a,
          "predicted"_a, "residual"_a);
}
