// The Python face of what a voice has behind its network: checks types, sizes and values, gives up the interpreter's
// lock.
#include "bind_voice.hpp"

#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <memory>

#include "bind_arrays.hpp"
#include "postfilter.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace synth {
namespace {

using Samples = nb::ndarray<const int16_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using SamplesOut = nb::ndarray<int16_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Levels = nb::ndarray<const int32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Total = nb::ndarray<int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <class T>
const T* within(const nb::dict& from, const std::string& name, std::initializer_list<int64_t> shape, int least,
                int most) {
    const auto found = array<T>(from, name, shape);
    const T* values = found.data();
    for (size_t i = 0; i < found.size(); ++i)
        need(values[i] >= least && values[i] <= most, name + ": out of range");
    return values;
}

std::shared_ptr<Postfilter> make_postfilter(const std::string& set, int hop, int mels, const nb::dict& from) {
    FilterTables t{};
    t.hop = hop, t.mels = mels;
    const size_t window = array<int16_t>(from, "postfilter.window", {-1}).size();
    const size_t fft = array<int16_t>(from, "postfilter.cosine", {-1}).size();
    need(fft >= 2 * kSmallest && fft <= kMaxFft && (fft & (fft - 1)) == 0, "postfilter.cosine: wrong shape");
    need(window >= 2 && window % 2 == 0 && window <= fft, "postfilter.window: wrong shape");
    need(hop >= 1 && static_cast<size_t>(hop) <= window && mels >= 1 && mels <= kMaxMels,
         "postfilter: sizes out of range");
    t.window = static_cast<int>(window), t.fft = static_cast<int>(fft);
    const int bins = t.fft / 2 + 1;
    t.shape = within<int16_t>(from, "postfilter.window", {-1}, 0, 32767);
    t.cosine = within<int16_t>(from, "postfilter.cosine", {-1}, -16384, 16384);
    t.bands = within<int16_t>(from, "postfilter.bands", {bins, mels}, 0, 256);
    t.shares = within<int16_t>(from, "postfilter.shares", {mels, bins}, 0, 256);
    t.logarithm = within<int16_t>(from, "postfilter.logarithm", {256}, 0, 1024);
    t.power = within<int32_t>(from, "postfilter.power", {256}, 1 << 15, 2 << 15);
    need(is_mirrored(t.cosine, t.fft), "postfilter.cosine: lacks the symmetries of a cosine");
    for (const int64_t sum : window_sums(t.shape, t.window, hop))
        need(sum >= 1 << 13, "postfilter.window: leaves a gap between frames");
    return std::make_shared<Postfilter>(find_voice(set.c_str()), t);
}

void filter(const Postfilter& postfilter, const Samples& samples, const Levels& levels, const Total& total,
            size_t place, const SamplesOut& out) {
    const FilterModel& model = postfilter.model;
    const size_t hop = model.hop, frames = out.shape(0) / hop;
    need(frames >= 1 && out.shape(0) == frames * hop && place < hop, "postfilter: out must be whole frames");
    need(samples.shape(0) >= (frames - 1) * hop + model.window, "postfilter: too few samples");
    need(levels.shape(0) == frames && levels.shape(1) == static_cast<size_t>(model.mels), "postfilter: levels' shape");
    need(total.shape(0) == frames * hop + model.fft, "postfilter: total's shape");
    const int16_t* in = samples.data();
    const int32_t* asked = levels.data();
    int64_t* sums = total.data();
    int16_t* found = out.data();
    bool good;
    {
        const nb::gil_scoped_release release;
        good = postfilter.api.filter(model, in, asked, frames, sums);
        if (good) postfilter.settle(sums, frames * hop, place, found);
    }
    if (!good) throw std::bad_alloc();
}

}  // namespace

void bind_voice(nb::module_& m) {
    nb::class_<Postfilter>(m, "Postfilter")
        .def("filter", &filter, "samples"_a, "levels"_a, "total"_a, "place"_a, "out"_a);
    m.def("postfilter", &make_postfilter, "set"_a, "hop"_a, "mels"_a, "tensors"_a);
}

}  // namespace synth
