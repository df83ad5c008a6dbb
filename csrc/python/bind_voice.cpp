// The Python face of what a voice has around its network: checks types, sizes and values, gives up the interpreter's
// lock.
#include "python/bind_voice.hpp"

#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <memory>

#include "python/bind_arrays.hpp"
#include "vocoder/emphasis.hpp"
#include "vocoder/postfilter.hpp"
#include "vocoder/vocoder.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace synth {
namespace {

using Samples = nb::ndarray<const int16_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using SamplesOut = nb::ndarray<int16_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Levels = nb::ndarray<const int32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Bytes = nb::ndarray<const int8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using BytesOut = nb::ndarray<int8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Tokens = nb::ndarray<uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Values = nb::ndarray<int16_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Phases = nb::ndarray<const uint32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Sound = nb::ndarray<int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Total = nb::ndarray<int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <class T>
const T* within(const nb::dict& from, const std::string& name, std::initializer_list<int64_t> shape, int least,
                int most) {
    const auto tensor = array<T>(from, name, shape);
    const T* values = tensor.data();
    for (size_t i = 0; i < tensor.size(); ++i)
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
    int16_t* result = out.data();
    bool good;
    {
        const nb::gil_scoped_release release;
        good = postfilter.api.filter(model, in, asked, frames, sums);
        if (good) postfilter.settle(sums, frames * hop, place, result);
    }
    if (!good) throw std::bad_alloc();
}

// The layer `name` of a dict, whose curve is "table.tanh".
std::shared_ptr<Layer> make_layer(const std::string& set, const std::string& name, const nb::dict& from) {
    const auto weight = array<int8_t>(from, name + ".weight", {-1, -1});
    const int64_t rows = weight.shape(0), columns = weight.shape(1);
    need(rows >= 1 && rows <= (1 << 20) && columns >= 1 && columns <= kMaxColumns, name + ".weight: wrong shape");
    const int16_t* scale = within<int16_t>(from, name + ".scale", {rows}, 0, 32767);
    const int32_t* shift = within<int32_t>(from, name + ".shift", {1}, 0, 12);
    const int16_t* tanh = data<int16_t>(from, "table.tanh", {3, 8});
    const std::vector<int16_t> none(rows);
    const std::string bias = name + ".bias";
    const int16_t* added = from.contains(bias.c_str()) ? data<int16_t>(from, bias, {rows}) : none.data();
    return std::make_shared<Layer>(find_voice(set.c_str()), static_cast<int>(rows), static_cast<int>(columns),
                                   weight.data(), scale, *shift, added, tanh);
}

void layer_values(const Layer& layer, const Bytes& in, const Values& out) {
    const size_t count = in.shape(0);
    need(in.shape(1) == static_cast<size_t>(layer.model.columns) && out.shape(0) == count &&
             out.shape(1) == static_cast<size_t>(layer.model.rows),
         "layer: wrong shape");
    const int8_t* x = in.data();
    int16_t* result = out.data();
    const nb::gil_scoped_release release;
    layer.api.values(layer.model, x, count, result);
}

void layer_hidden(const Layer& layer, const Bytes& in, const BytesOut& out) {
    const size_t count = in.shape(0), rows = layer.model.rows;
    need(in.shape(1) == static_cast<size_t>(layer.model.columns) && out.shape(0) == count && out.shape(1) == rows,
         "layer: wrong shape");
    const int8_t* x = in.data();
    int8_t* result = out.data();
    const nb::gil_scoped_release release;
    std::vector<int16_t> between(count * rows);
    layer.api.values(layer.model, x, count, between.data());
    layer.api.hidden(layer.model, between.data(), between.size(), result);
}

std::shared_ptr<Codebooks> make_codebooks(const std::string& set, const nb::dict& from) {
    const auto codebooks = array<int8_t>(from, "vocoder.books", {-1, kCodes, -1});
    need(codebooks.shape(0) <= kMaxQuantisers && codebooks.shape(2) >= 1 && codebooks.shape(2) <= kMaxLatent,
         "vocoder.books: wrong shape");
    return std::make_shared<Codebooks>(find_voice(set.c_str()), static_cast<int>(codebooks.shape(0)),
                                   static_cast<int>(codebooks.shape(2)), codebooks.data());
}

void search(const Codebooks& codebooks, const Bytes& latents, const Tokens& tokens) {
    const size_t frames = latents.shape(0), count = tokens.shape(1);
    need(latents.shape(1) == static_cast<size_t>(codebooks.model.latent) && tokens.shape(0) == frames &&
             count <= static_cast<size_t>(codebooks.model.quantisers),
         "search: wrong shape");
    const int8_t* in = latents.data();
    uint8_t* result = tokens.data();
    const nb::gil_scoped_release release;
    codebooks.api.search(codebooks.model, in, frames, static_cast<int>(count), result);
}

std::shared_ptr<Oscillators> make_oscillators(const std::string& set, int length, const Samples& cosine) {
    need(length >= kMinSegment && length <= kMaxSegment, "oscillators: length out of range");
    need(cosine.shape(0) == 4096, "oscillators: cosine's shape");
    return std::make_shared<Oscillators>(find_voice(set.c_str()), length, cosine.data());
}

void render(const Oscillators& oscillators, const Phases& starts, const Levels& increments, const Levels& slopes,
            const Levels& amplitudes, const Sound& out) {
    const size_t segments = starts.shape(0), partials = starts.shape(1);
    need(partials <= kMaxPartials, "oscillators: too many partials");
    for (const Levels* each : {&increments, &slopes})
        need(each->shape(0) == segments && each->shape(1) == partials, "oscillators: wrong shape");
    need(amplitudes.shape(0) == segments + 1 && amplitudes.shape(1) == partials, "oscillators: amplitudes' shape");
    need(out.shape(0) == segments * oscillators.model.length, "oscillators: out's shape");
    const uint32_t* phases = starts.data();
    const int32_t *rises = increments.data(), *bends = slopes.data(), *loudness = amplitudes.data();
    int32_t* result = out.data();
    bool good = true;
    {
        const nb::gil_scoped_release release;
        for (size_t i = 0; i < (segments + 1) * partials; ++i)
            good &= loudness[i] >= 0 && loudness[i] <= kMaxAmplitude;
        if (good)
            oscillators.api.oscillate(oscillators.model, phases, rises, bends, loudness, segments, partials, result);
    }
    need(good, "oscillators: amplitudes out of range");
}

int32_t filter_emphasis(const Samples& samples, int32_t state, const Sound& out) {
    const size_t count = samples.shape(0);
    need(out.shape(0) == count, "de_emphasise: out's shape");
    const int16_t* in = samples.data();
    int32_t* result = out.data();
    const nb::gil_scoped_release release;
    return de_emphasise(in, count, state, result);
}

}  // namespace

void bind_voice(nb::module_& m) {
    // noconvert: what is written into a converted copy would be lost
    nb::class_<Postfilter>(m, "Postfilter")
        .def("filter", &filter, "samples"_a.noconvert(), "levels"_a.noconvert(), "total"_a.noconvert(), "place"_a,
             "out"_a.noconvert());
    nb::class_<Layer>(m, "Layer")
        .def("values", &layer_values, "x"_a.noconvert(), "out"_a.noconvert())
        .def("hidden", &layer_hidden, "x"_a.noconvert(), "out"_a.noconvert());
    nb::class_<Codebooks>(m, "Books").def("search", &search, "vectors"_a.noconvert(), "tokens"_a.noconvert());
    nb::class_<Oscillators>(m, "Oscillators")
        .def("render", &render, "starts"_a.noconvert(), "increments"_a.noconvert(), "slopes"_a.noconvert(),
             "amplitudes"_a.noconvert(), "out"_a.noconvert());
    m.def("oscillators", &make_oscillators, "set"_a, "length"_a, "cosine"_a.noconvert());
    m.def("de_emphasise", &filter_emphasis, "samples"_a.noconvert(), "state"_a, "out"_a.noconvert());
    m.def("postfilter", &make_postfilter, "set"_a, "hop"_a, "mels"_a, "tensors"_a);
    m.def("layer", &make_layer, "set"_a, "name"_a, "tensors"_a);
    m.def("books", &make_codebooks, "set"_a, "tensors"_a);
}

}  // namespace synth
