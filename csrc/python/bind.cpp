// The Python face of the kernel: checks types and sizes, gives up the interpreter's lock, calls the set that was chosen.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <stdexcept>

#include "python/bind_codec.hpp"
#include "python/bind_arrays.hpp"
#include "python/bind_voice.hpp"
#include "python/bind_voice_stream.hpp"
#include "engine/dispatch.hpp"
#include "engine/engine.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using Codes = nb::ndarray<const uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Gates = nb::ndarray<const int16_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using VectorRows = nb::ndarray<const int16_t, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using CodeRows = nb::ndarray<const uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using CodeRowsOut = nb::ndarray<uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

using synth::array;
using synth::data;
using synth::need;
using synth::to_array;

const synth::Api& find_set(const std::string& name) {
    for (const synth::Api* set : synth::instruction_sets())
        if (name == set->name) return *set;
    throw std::invalid_argument("instruction set " + name + ": this machine or build lacks it");
}

std::vector<std::string> instruction_sets() {
    std::vector<std::string> names;
    for (const synth::Api* set : synth::instruction_sets()) names.emplace_back(set->name);
    return names;
}

synth::LinearTensors linear(const nb::dict& from, const std::string& name, int rows, int columns) {
    const int shift = *data<int32_t>(from, name + ".shift", {1});
    need(shift >= 0 && shift <= 12, name + ".shift: must be 0 to 12");
    const int8_t* weight = data<int8_t>(from, name + ".weight", {rows, columns});
    const int16_t* scale = data<int16_t>(from, name + ".scale", {rows});
    for (size_t i = 0; i < static_cast<size_t>(rows) * columns; ++i)
        need(weight[i] != -128, name + ".weight: must be -127 to 127");
    for (int i = 0; i < rows; ++i) need(scale[i] >= 0, name + ".scale: must be 0 or more");
    return {weight, scale, shift};
}

synth::PredictorWeights predictor(const nb::dict& from) {
    const auto start = array<double>(from, "predictor.start", {-1});
    const size_t order = start.shape(0);
    need(order == 16 || order == 32, "predictor.start: wrong shape");
    const double* powers = data<double>(from, "predictor.powers", {synth::kHop});
    const double* ridge = data<double>(from, "predictor.ridge", {2});
    synth::PredictorWeights weights{};
    weights.order = static_cast<int>(order);
    for (size_t i = 0; i < order; ++i) weights.start[i] = start.data()[i];
    for (int i = 0; i < synth::kHop; ++i) weights.powers[i] = powers[i];
    weights.decay = *data<double>(from, "predictor.decay", {1});
    weights.prior = ridge[0];
    weights.floor = ridge[1];
    return weights;
}

synth::Sizes check_sizes(int window, int frame, int sample, int head, int order, int stride, int period, int hints,
                         int phases, const std::vector<int>& label_values) {
    const auto fits = [](int value, int most) { return value >= 16 && value <= most && value % 16 == 0; };
    need(fits(window, synth::kMaxWindow) && fits(frame, synth::kMaxUnits) && fits(sample, synth::kMaxUnits) &&
             fits(head, synth::kMaxHead) && label_values.size() <= synth::kLabels,
         "network: sizes out of range");
    need(stride >= 0 && stride <= 64, "network: stride out of range");
    need(period >= 0 && period <= synth::kHop && (period & (period - 1)) == 0, "network: period out of range");
    need(hints == 0 || (hints >= 2 && hints <= synth::kMaxHints && !stride && !period), "network: hints out of range");
    need(phases == 0 || (phases == 1 && stride && !period), "network: phases out of range");
    need(order == 16 || order == 32, "network: order out of range");
    const int labels = static_cast<int>(label_values.size());
    synth::Sizes sizes{window, frame, sample, head, order, stride, period, hints, phases, labels, {}};
    for (size_t key = 0; key < label_values.size(); ++key) {
        need(label_values[key] > 0 && label_values[key] <= 4096, "network: label values out of range");
        sizes.label_values[key] = label_values[key];
    }
    return sizes;
}

std::shared_ptr<synth::PackedNetwork> make_network(const std::string& set, int window, int frame, int sample, int head,
                                             int order, int stride, int period, int hints,
                                             const std::vector<int>& label_values, const nb::dict& from, int phases) {
    const synth::Sizes sizes =
        check_sizes(window, frame, sample, head, order, stride, period, hints, phases, label_values);
    synth::Tensors t{};
    t.frame_input = linear(from, "frame.input", 3 * frame, window);
    t.frame_recurrent = linear(from, "frame.recurrent", 3 * frame, frame);
    t.frame_output = linear(from, "frame.output", 3 * sample, frame);
    t.sample_recurrent = linear(from, "sample.recurrent", 3 * sample, sample);
    t.head_dense = linear(from, "head.dense", head, sample);
    t.head_tree = linear(from, "head.tree", 256, head);
    t.frame_input_bias = data<int16_t>(from, "frame.input.bias", {3 * frame});
    t.frame_recurrent_bias = data<int16_t>(from, "frame.recurrent.bias", {frame});
    t.frame_output_bias = data<int16_t>(from, "frame.output.bias", {3 * sample});
    t.sample_recurrent_bias = data<int16_t>(from, "sample.recurrent.bias", {sample});
    for (int key = 0; key < sizes.labels; ++key)
        t.frame_label[key] =
            data<int16_t>(from, "frame.label." + std::to_string(key), {sizes.label_values[key] + 1, 3 * frame});
    t.sample_code = data<int16_t>(from, "sample.code", {256, 3 * sample});
    const auto hint = [&](int k) { return data<int16_t>(from, "sample.hint." + std::to_string(k), {256, 3 * sample}); };
    t.sample_predicted = hints ? hint(0) : data<int16_t>(from, "sample.predicted", {256, 3 * sample});
    t.sample_residual = hints ? hint(1) : data<int16_t>(from, "sample.residual", {256, 3 * sample});
    for (int k = 2; k < hints; ++k) t.sample_hint[k] = hint(k);
    if (phases) t.sample_phase = data<int16_t>(from, "sample.phase", {256, 3 * sample});
    t.head_predicted = data<int16_t>(from, hints ? "head.hint" : "head.predicted", {256, head});
    t.head_tree_bias = data<int16_t>(from, "head.tree.bias", {256});
    t.sigmoid = data<int16_t>(from, "table.sigmoid", {3, 8});
    t.tanh = data<int16_t>(from, "table.tanh", {3, 8});
    t.probability = data<uint32_t>(from, "table.probability", {2048});
    t.cost = data<uint32_t>(from, "table.cost", {2048});
    if (!period && !stride && !hints) t.predictor = predictor(from);
    if (!period && stride) t.predictor.order = order;  // its weights come with the conditioning
    need(period || hints || t.predictor.order == order, "predictor.start: wrong shape");
    return std::make_shared<synth::PackedNetwork>(find_set(set), sizes, t);
}

// What `call`, which may touch nothing of Python, gives while no other thread moves the stream. Whoever holds a stream
// never waits for the interpreter, and whoever waits for a stream has let go of the interpreter: so neither waits for ever.
template <class Call>
auto alone(const synth::Stream& stream, Call call) {
    {
        const std::unique_lock<std::mutex> free(stream.mutex, std::try_to_lock);
        if (free.owns_lock()) return call();
    }
    const nb::gil_scoped_release release;
    const std::lock_guard<std::mutex> guard(stream.mutex);
    return call();
}

// What `call`, which takes the stream by itself, gives while other threads may run Python.
template <class Call>
auto released(Call call) {
    const nb::gil_scoped_release release;
    return call();
}

nb::dict save(const synth::Stream& stream) {
    synth::SavedState saved = released([&] { return stream.save(); });
    nb::dict out;
    saved.each(stream.network->model,
               [&](const char* name, auto& values, int columns) { out[name] = to_array(values, columns); });
    return out;
}

void check_labels(const synth::PackedNetwork& network, const std::vector<int>& rows) {
    need(static_cast<int>(rows.size()) == network.model.labels, "labels: one row for each key");
    for (size_t key = 0; key < rows.size(); ++key)
        need(rows[key] >= 0 && rows[key] <= network.model.label_values[key], "labels: no such row");
}

std::shared_ptr<synth::Stream> restore(const std::shared_ptr<synth::PackedNetwork>& network, const nb::dict& from) {
    auto stream = std::make_shared<synth::Stream>(network, 0, 0);
    synth::SavedState saved = stream->save();  // for its sizes
    saved.each(network->model, [&](const char* name, auto& values, int columns) {
        using T = std::decay_t<decltype(values[0])>;
        const int64_t length = static_cast<int64_t>(values.size());
        const T* source = columns ? data<T>(from, name, {length / columns, columns}) : data<T>(from, name, {length});
        values.assign(source, source + length);
    });
    check_labels(*network, {saved.labels.begin(), saved.labels.end()});
    stream->restore(saved);
    return stream;
}

size_t conditioning_units(const synth::Model& model) {
    if (!model.stride) return 0;
    return static_cast<size_t>(3 * model.frame_units + model.predictor.order + (model.sample_phase ? 3 : 0));
}

// Samples that a conditioning vector lasts.
uint64_t conditioning_period(const synth::Model& model) {
    return static_cast<uint64_t>(model.stride) * synth::kHop;
}

// Streams of one network, held for one call that moves them all. Made and gone while the interpreter is let go.
class Held {
   public:
    explicit Held(const std::vector<std::shared_ptr<synth::Stream>>& streams) : network(*streams.at(0)->network) {
        std::vector<synth::Stream*> order;
        for (const auto& stream : streams) {
            need(stream->network == streams[0]->network, "streams: of several networks");
            order.push_back(stream.get());
            states.push_back(&stream->state);
        }
        need(!network.model.hints, "network: needs hints, which only a codec has");
        std::sort(order.begin(), order.end());  // one order everywhere, so that two calls can't wait for each other
        need(std::adjacent_find(order.begin(), order.end()) == order.end(), "streams: the same one twice");
        for (synth::Stream* stream : order) guards_.emplace_back(stream->mutex);
    }
    int count() const { return static_cast<int>(states.size()); }
    // How many conditioning vectors begin within the next `count` samples, behind the first of them.
    size_t changes(size_t count) const {
        if (count == 0 || !network.model.stride) return 0;
        const uint64_t position = states[0]->position;
        const uint64_t period = conditioning_period(network.model);
        return static_cast<size_t>((position + count - 1) / period - position / period);
    }
    void check_vectors(size_t rows, size_t columns, size_t units, size_t count) const {
        for (const synth::State* state : states)
            need(state->position == states[0]->position, "vectors: the streams stand at several samples");
        need(rows == states.size() && columns == changes(count) && units == conditioning_units(network.model),
             "vectors: wrong shape");
    }

    const synth::PackedNetwork& network;
    std::vector<synth::State*> states;

   private:
    std::vector<std::unique_lock<std::mutex>> guards_;
};

// Pointers to the rows of a [rows][columns] array.
template <class T>
std::vector<T*> rows_of(T* values, size_t rows, size_t columns) {
    std::vector<T*> pointers;
    for (size_t row = 0; row < rows; ++row) pointers.push_back(values + row * columns);
    return pointers;
}

using Streams = std::vector<std::shared_ptr<synth::Stream>>;

// Draws `count` codes a stream; `vectors` is [streams][changes][conditioning units], what is in force from each start
// of a stretch on that lies behind the first sample. Null: the conditioning stays as it is.
void draw_along(const Held& held, const Streams& streams, uint8_t* codes, size_t count, const int16_t* vectors,
                size_t units, const synth::DrawOptions& draw) {
    const synth::Model& model = held.network.model;
    const size_t changes = vectors ? held.changes(count) : 0;
    std::vector<uint8_t*> rows = rows_of(codes, streams.size(), count);
    for (size_t done = 0, change = 0; done < count; ++change) {
        size_t part = count - done;
        if (change < changes) {
            const uint64_t period = conditioning_period(model);
            part = static_cast<size_t>(period - held.states[0]->position % period);
        }
        held.network.api.generate(model, held.states.data(), rows.data(), held.count(), part, draw);
        done += part;
        for (size_t k = 0; k < streams.size(); ++k) {
            rows[k] += part;
            if (change < changes) streams[k]->take_conditioning(vectors + (k * changes + change) * units);
        }
    }
}

nb::object generate(const Streams& streams, size_t count, int64_t inverse_temperature, int top_k, uint64_t top_p,
                    bool eases_at_rest, const std::optional<VectorRows>& vectors) {
    need(!streams.empty() && inverse_temperature >= 0 && inverse_temperature <= (int64_t{1} << 24) && top_k >= 1 &&
             top_k <= 256 && top_p >= 1 && top_p <= (uint64_t{1} << 32),
         "draw: out of range");
    std::vector<uint8_t> codes(streams.size() * count);
    {
        const nb::gil_scoped_release release;
        const Held held(streams);
        if (vectors) held.check_vectors(vectors->shape(0), vectors->shape(1), vectors->shape(2), count);
        draw_along(held, streams, codes.data(), count, vectors ? vectors->data() : nullptr,
                   vectors ? vectors->shape(2) : 0, {inverse_temperature, top_k, top_p, eases_at_rest});
    }
    return to_array(codes, count);
}

nb::object teacher_force(const Streams& streams, const CodeRows& codes) {
    need(!streams.empty() && codes.shape(0) == streams.size(), "codes: one row for each stream");
    const size_t count = codes.shape(1);
    std::vector<uint32_t> costs(streams.size() * count);
    {
        const nb::gil_scoped_release release;
        const Held held(streams);
        held.network.api.teacher_force(held.network.model, held.states.data(),
                               rows_of(codes.data(), streams.size(), count).data(),
                               rows_of(costs.data(), streams.size(), count).data(), held.count(), count);
    }
    return to_array(costs, count);
}

void product(const synth::Stream& stream, size_t count) {
    const nb::gil_scoped_release release;
    synth::Stream copy(stream);
    copy.network->api.product(copy.network->model, copy.state, count);
}

nb::object distribution(const synth::Stream& stream) {
    need(!stream.network->model.hints, "network: needs hints, which only a codec has");
    std::vector<uint32_t> leaves(256);
    released([&] {
        synth::Stream peek(stream);
        peek.network->api.distribution(peek.network->model, peek.state, leaves.data());
    });
    return to_array(leaves, 0);
}

void predict_codes(const std::string& set, const nb::dict& tensors, const CodeRows& codes, const CodeRowsOut& predicted,
                   const CodeRowsOut& residual) {
    const synth::Api& api = find_set(set);
    const synth::PredictorWeights weights = predictor(tensors);
    const size_t rows = codes.shape(0), count = codes.shape(1);
    for (const CodeRowsOut* out : {&predicted, &residual})
        need(out->shape(0) == rows && out->shape(1) == count, "predict_codes: arrays differ in shape");
    const uint8_t* in = codes.data();
    uint8_t *first = predicted.data(), *second = residual.data();
    const nb::gil_scoped_release release;
    for (size_t row = 0; row < rows; ++row)
        api.predict_codes(weights, in + row * count, first + row * count, second + row * count, count);
}

std::vector<int> labels(const synth::Stream& stream) {
    return alone(stream, [&] {
        return std::vector<int>(stream.state.labels, stream.state.labels + stream.network->model.labels);
    });
}

void set_labels(synth::Stream& stream, const std::vector<int>& rows) {
    check_labels(*stream.network, rows);
    alone(stream, [&] { std::copy(rows.begin(), rows.end(), stream.state.labels); });
}

nb::object conditioning(const synth::Stream& stream) {
    return to_array(released([&] { return stream.conditioning(); }), 0);
}

void set_conditioning(synth::Stream& stream, const Gates& vector) {
    need(vector.shape(0) == conditioning_units(stream.network->model), "given: wrong shape");
    released([&] { stream.set_conditioning(vector.data()); });
}

}  // namespace

NB_MODULE(_kernel, m) {
    nb::class_<synth::PackedNetwork>(m, "Network")
        .def_prop_ro("instruction_set",
                     [](const synth::PackedNetwork& network) { return std::string(network.api.name); });
    nb::class_<synth::Stream>(m, "Stream")
        .def("__init__",
             [](synth::Stream* place, std::shared_ptr<synth::PackedNetwork> network, uint32_t seed, uint32_t stream) {
                 new (place) synth::Stream(std::move(network), seed, stream);
             })
        .def_prop_ro("position", [](const synth::Stream& stream) {
            return alone(stream, [&] { return stream.state.position; });
        })
        .def_prop_ro("seed", [](const synth::Stream& stream) { return stream.state.seed; })
        .def_prop_ro("stream", [](const synth::Stream& stream) { return stream.state.stream; })
        .def_prop_rw("labels", &labels, &set_labels)
        .def_prop_rw("given", &conditioning, &set_conditioning)
        .def("copy", [](const synth::Stream& stream) {
            return released([&] { return std::make_shared<synth::Stream>(stream); });
        })
        .def("save", &save)
        .def("distribution", &distribution);
    m.def("generate", &generate, "streams"_a, "count"_a, "inverse_temperature"_a, "top_k"_a, "top_p"_a,
          "eases_at_rest"_a = false, "vectors"_a = nb::none());
    m.def("force", &teacher_force);
    m.def("product", &product);
    m.def("network", &make_network, "set"_a, "window"_a, "frame_units"_a, "sample_units"_a, "head_units"_a,
          "order"_a, "stride"_a, "period"_a, "hints"_a, "label_values"_a, "tensors"_a, "phases"_a = 0);
    m.def("restore", &restore);
    m.def("instruction_sets", &instruction_sets);
    // noconvert: what is written into a converted copy would be lost
    m.def("predict_codes", &predict_codes, "set"_a, "tensors"_a, "codes"_a.noconvert(), "predicted"_a.noconvert(),
          "residual"_a.noconvert());
    synth::bind_coding(m);
    synth::bind_voice(m);
    synth::bind_voice_stream(m);
}
