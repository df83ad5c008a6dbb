// The Python face of a voice's stream: checks types, sizes and values, gives up the interpreter's lock.
#include "python/bind_voice_stream.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <tuple>

#include "python/bind_arrays.hpp"
#include "vocoder/voice_stream.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace synth {
namespace {

using Latents = nb::ndarray<const int8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using LabelRows = nb::ndarray<const int64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Streams = std::vector<std::shared_ptr<VoiceStream>>;
using Layers = std::vector<std::shared_ptr<Layer>>;
// The planner's stream, the one without labels, 4096 / temperature, rounds of guidance, quarters of 1 / temperature, keys
// that are told without labels too.
using PlanSource = std::tuple<std::shared_ptr<Stream>, std::shared_ptr<Stream>, int64_t, int, int, int>;

void check_layer(const Layer& layer, int rows, int columns, const char* name) {
    need(layer.model.rows == rows && layer.model.columns == columns, std::string(name) + ": sizes do not fit the voice");
}

std::shared_ptr<const Bed> make_bed(const VoiceModel& voice, int partials, const std::shared_ptr<Oscillators>& bank,
                                    const nb::dict& from) {
    const int tones = voice.levels;
    need(voice.parts == 2 && bank && bank->model.length == voice.hop / 2 && partials >= 1 && partials <= kMaxPartials,
         "bed: sizes do not fit the voice");
    const auto within = [](const auto* values, size_t count, int64_t least, int64_t most, const char* name) {
        const bool good =
            std::all_of(values, values + count, [&](int64_t value) { return value >= least && value <= most; });
        need(good, std::string(name) + ": out of range");
        return values;
    };
    const int32_t* power = within(data<int32_t>(from, "bed.power", {256}), 256, 1 << 15, 2 << 15, "bed.power");
    if (from.contains("bed.octave")) {
        const uint32_t* octave = data<uint32_t>(from, "bed.octave", {NoteBed::kOctave});
        within(octave, NoteBed::kOctave, 1, (1 << 26) - 1, "bed.octave");
        return std::make_shared<NoteBed>(bank, tones, octave, power);
    }
    constexpr size_t kPitches = 2 * kQuarters + 1, kPlaces = 1025;
    BedTables t{tones, partials, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr};
    t.increments = within(data<uint32_t>(from, "bed.increments", {kPitches}), kPitches, 1, (int64_t{1} << 31) - 1,
                          "bed.increments");
    t.logarithms = within(data<int16_t>(from, "bed.logarithms", {kPitches}), kPitches, 0, 16384, "bed.logarithms");
    t.places = within(data<uint16_t>(from, "bed.places", {kPlaces}), kPlaces, 0, 256 * (tones - 1), "bed.places");
    t.gates = within(data<int16_t>(from, "bed.gates", {kPlaces}), kPlaces, 0, 256, "bed.gates");
    t.phases = data<int16_t>(from, "bed.phases", {tones, tones});
    t.power = power;
    return std::make_shared<TonalBed>(bank, t);
}

void set_conditioner(VoiceModel& voice, const Layers& layers) {
    need(layers.size() == 4, "voice: a conditioner has four layers");
    const int units = layers[0]->model.rows, parts = voice.parts;
    check_layer(*layers[0], units, 3 * voice.latent, "condition.0");
    check_layer(*layers[1], layers[1]->model.rows, 3 * units, "condition.1");
    check_layer(*layers[2], parts * 3 * voice.network->model.frame_units, layers[1]->model.rows, "condition.out");
    check_layer(*layers[3], parts * voice.network->model.predictor.order, layers[1]->model.rows, "reflect");
    voice.hidden[0] = layers[0], voice.hidden[1] = layers[1], voice.gates = layers[2], voice.reflections = layers[3];
}

void set_postfilter(VoiceModel& voice, const Layers& layers, const std::shared_ptr<Postfilter>& postfilter) {
    if (!postfilter) return need(layers.empty() && !voice.levels && !voice.passes, "voice: a bed needs a postfilter");
    need(layers.size() == (voice.levels ? 4 : 3), "voice: layers of the envelope");
    const int units = layers[0]->model.rows, rows = 2 * voice.targets();
    check_layer(*layers[0], units, 3 * voice.latent, "envelope.0");
    check_layer(*layers[1], layers[1]->model.rows, 3 * units, "envelope.1");
    check_layer(*layers[2], rows, layers[1]->model.rows, "envelope.out");
    if (voice.levels) check_layer(*layers[3], rows, 3 * voice.latent, "envelope.linear");
    need(postfilter->model.mels == voice.mels && postfilter->model.hop == voice.hop / 2 && voice.passes >= 1,
         "postfilter: sizes do not fit the voice");
    for (int i = 0; i < 3; ++i) voice.envelope[i] = layers[i];
    if (voice.levels) voice.linear = layers[3];
    voice.postfilter = postfilter;
}

// `sizes`: samples of a token frame, parts of it, latents, mel bands, levels of a bed, frames looked ahead, passes, partials.
std::shared_ptr<VoiceModel> make_model(const std::vector<int>& sizes, const std::shared_ptr<PackedNetwork>& network,
                                       const std::shared_ptr<PackedNetwork>& planner, const Layers& conditioner,
                                       const Layers& envelope, const std::shared_ptr<Postfilter>& postfilter,
                                       const std::shared_ptr<Oscillators>& oscillators, const nb::dict& tensors) {
    need(sizes.size() == 8 && network, "voice: wrong sizes");
    auto voice = std::make_shared<VoiceModel>();
    voice->hop = sizes[0], voice->parts = sizes[1], voice->latent = sizes[2], voice->mels = sizes[3];
    voice->levels = sizes[4], voice->lookahead = sizes[5], voice->passes = sizes[6];
    voice->network = network, voice->planner = planner;
    need(voice->parts >= 1 && voice->hop == voice->parts * network->model.stride * kHop && network->model.stride &&
             network->model.predictor.order && voice->latent >= 1 && voice->latent <= kMaxLatent && voice->mels >= 1 &&
             voice->mels <= kMaxMels && (voice->levels == 0 || (voice->levels >= 16 && voice->levels <= 108)) &&
             voice->lookahead == (voice->levels ? 3 : 2) && voice->passes >= 0 && voice->passes <= 4,
         "voice: sizes do not fit the network");
    const auto codebooks = array<int8_t>(tensors, "vocoder.books", {-1, kCodes, voice->latent});
    need(codebooks.shape(0) <= kMaxQuantisers, "vocoder.books: wrong shape");
    if (planner)
        need(planner->model.period >= 1 && static_cast<size_t>(planner->model.period) <= codebooks.shape(0) &&
                 !planner->model.stride,
             "planner: does not fit the voice");
    voice->codebooks.assign(codebooks.data(), codebooks.data() + codebooks.size());
    if (voice->levels) voice->bed = make_bed(*voice, sizes[7], oscillators, tensors);
    need((network->model.sample_phase != nullptr) == (voice->bed && voice->bed->pitched()),
         "voice: the phases of a pitch are read by networks with phases alone");
    set_conditioner(*voice, conditioner);
    set_postfilter(*voice, envelope, postfilter);
    return voice;
}

std::array<int, kLabels> label_row(const Model& network, const int64_t* from) {
    std::array<int, kLabels> labels{};
    for (int key = 0; key < network.labels; ++key) {
        need(from[key] >= 0 && from[key] <= network.label_values[key], "labels: no such row");
        labels[static_cast<size_t>(key)] = static_cast<int>(from[key]);
    }
    return labels;
}

LabelSchedule schedule_of(const LabelRows& rows, const Model& network) {
    const size_t width = 1 + static_cast<size_t>(network.labels);
    need(rows.shape(1) == width, "labels: one for each key");
    LabelSchedule schedule;
    for (size_t i = 0; i < rows.shape(0); ++i) {
        const int64_t* row = rows.data() + i * width;
        schedule.push_back({row[0], label_row(network, row + 1)});
    }
    return schedule;
}

template <class T>
std::vector<T> vector_of(const nb::dict& from, const std::string& name, std::initializer_list<int64_t> shape) {
    const auto values = array<T>(from, name, shape);
    return {values.data(), values.data() + values.size()};
}

std::unique_ptr<PlannedLatents> make_source(const VoiceModel& model, const std::optional<PlanSource>& plan,
                                            const nb::dict& from) {
    if (!plan) return nullptr;
    const auto& [own, free, inverse_temperature, rounds, quarters, told] = *plan;
    need(own && own->network == model.planner && (!free || free->network == model.planner) && own != free,
         "source: is of another planner");
    need(inverse_temperature >= 0 && inverse_temperature <= (int64_t{1} << 24) && rounds >= 0 && rounds <= 4096 &&
             quarters >= 1 && quarters <= 4096 && told >= 0 && told <= model.planner->model.labels,
         "source: draw out of range");
    auto source = std::make_unique<PlannedLatents>(
        model, own, free, PlanOptions{inverse_temperature, rounds, quarters, told});
    source->prompt = vector_of<int8_t>(from, "prompt", {-1, model.latent});
    return source;
}

std::unique_ptr<PostfilterPasses> make_passes(const VoiceModel& model, const nb::dict& from) {
    if (!model.postfilter) return nullptr;
    const FilterModel& f = model.postfilter->model;
    const int64_t* numbers = data<int64_t>(from, "postfilter.numbers", {2 + 3 * model.passes});
    auto passes = std::make_unique<PostfilterPasses>(*model.postfilter, numbers[0], numbers[1]);
    passes->levels = vector_of<int32_t>(from, "postfilter.levels", {-1, f.mels});
    const int64_t end = numbers[1] + static_cast<int64_t>(passes->levels.size()) / f.mels;
    for (int k = 0; k < model.passes; ++k) {
        const std::string suffix = "." + std::to_string(k);
        const int64_t* own = numbers + 2 + 3 * k;
        FilterPass pass{own[0], own[1], own[2], vector_of<int16_t>(from, "postfilter.samples" + suffix, {-1}),
                        vector_of<int64_t>(from, "postfilter.total" + suffix, {f.fft})};
        need(pass.frame >= numbers[1] && pass.frame <= end && pass.samples.size() < static_cast<size_t>(f.window),
             "postfilter: numbers contradict each other");
        passes->passes.push_back(std::move(pass));
    }
    return passes;
}

void set_conditioning(Conditioner& conditioner, const nb::dict& from, const VoiceModel& model, const int64_t* numbers) {
    conditioner.held.first = numbers[0], conditioner.ended = numbers[1] != 0;
    conditioner.held.values = vector_of<int8_t>(from, "held", {-1, model.latent});
    const auto phases = array<int64_t>(from, "phases", {-1});
    const size_t width = model.bed ? static_cast<size_t>(model.bed->phases()) : 1;
    need(phases.size() > width && phases.size() % width == 1 % width, "phases: not whole rows");
    conditioner.phase_frame = phases.data()[0];
    conditioner.phases.clear();
    for (size_t i = 1; i < phases.size(); ++i)
        conditioner.phases.push_back(static_cast<uint32_t>(phases.data()[i]));
    const int64_t* pitch = data<int64_t>(from, "pitch", {2});
    need(std::abs(pitch[0]) <= (1 << 20) && pitch[1] >= 0 && pitch[1] <= model.mels, "pitch: out of range");
    conditioner.change = {static_cast<int>(pitch[0]), static_cast<int>(pitch[1]), vector_of<int8_t>(from, "course", {-1, 2})};
}

// `numbers`: first held frame, whether latents have ended, origin, opening, skipped, read, state of the de-emphasis.
std::shared_ptr<VoiceStream> make_stream(const std::shared_ptr<VoiceModel>& model,
                                         const std::shared_ptr<Stream>& network, const std::optional<PlanSource>& plan,
                                         int ahead, const std::tuple<int64_t, int, uint64_t>& draw, const nb::dict& from) {
    need(network->network == model->network, "voice's stream: is of another network");
    need(ahead >= 1 && ahead <= 1024, "ahead: out of range");
    const auto [inverse_temperature, top_k, top_p] = draw;
    need(inverse_temperature >= 0 && inverse_temperature <= (int64_t{1} << 24) && top_k >= 1 && top_k <= 256 &&
             top_p >= 1 && top_p <= (uint64_t{1} << 32),
         "draw: out of range");
    const int64_t* numbers = data<int64_t>(from, "numbers", {7});
    need(numbers[0] >= 0 && numbers[4] >= 0 && numbers[5] >= 0 && std::abs(numbers[6]) <= (1 << 30),
         "numbers: out of range");
    VoicePlace place{numbers[2], numbers[3], numbers[4], numbers[5], static_cast<int32_t>(numbers[6]),
                     vector_of<int16_t>(from, "ready", {-1})};
    auto stream = std::make_shared<VoiceStream>(model, network, make_source(*model, plan, from), ahead,
                                                make_passes(*model, from),
                                                DrawOptions{inverse_temperature, top_k, top_p}, std::move(place));
    stream->schedule = schedule_of(nb::cast<LabelRows>(from["changes"]), model->network->model);
    set_conditioning(stream->conditioner, from, *model, numbers);
    return stream;
}

// Streams, held for one call; made and gone while the interpreter is let go, or where nobody else holds any.
class HeldVoices {
   public:
    explicit HeldVoices(const Streams& shared) {
        std::vector<Stream*> states;
        for (const auto& stream : shared) {
            need(stream->model == shared[0]->model, "streams: of several voices");
            streams.push_back(stream.get());
            states.push_back(stream->network.get());
            if (!stream->source) continue;
            states.push_back(stream->source->planner.get());
            if (stream->source->free) states.push_back(stream->source->free.get());
        }
        std::vector<VoiceStream*> order = streams;
        std::sort(order.begin(), order.end());  // one order everywhere, so that two calls can't wait for each other
        std::sort(states.begin(), states.end());
        need(std::adjacent_find(states.begin(), states.end()) == states.end(), "streams: the same one twice");
        for (VoiceStream* stream : order) guards_.emplace_back(stream->mutex);
        for (Stream* state : states) guards_.emplace_back(state->mutex);
    }
    std::vector<VoiceStream*> streams;

   private:
    std::vector<std::unique_lock<std::mutex>> guards_;
};

// What `call`, which may touch nothing of Python, gives while no other thread moves the stream and others run Python.
template <class Call>
auto held(const std::shared_ptr<VoiceStream>& stream, Call call) {
    const nb::gil_scoped_release release;
    const HeldVoices guard({stream});
    return call(*stream);
}

nb::object read_voices(const Streams& streams, size_t count) {
    need(!streams.empty(), "streams: none");
    std::vector<int16_t> samples(streams.size() * count);
    {
        const nb::gil_scoped_release release;
        const HeldVoices guard(streams);
        std::vector<int16_t*> rows;
        for (size_t k = 0; k < streams.size(); ++k) rows.push_back(samples.data() + k * count);
        read_together(guard.streams, count, rows.data());
    }
    return to_array(samples, count);
}

nb::object draw_voices(const Streams& streams, size_t count) {
    need(!streams.empty() && !streams[0]->postfilter, "streams: codes go through no postfilter");
    std::vector<uint8_t> all;
    {
        const nb::gil_scoped_release release;
        const HeldVoices guard(streams);
        std::vector<std::vector<uint8_t>> codes;
        draw_together(guard.streams, count, codes);
        for (const std::vector<uint8_t>& row : codes) all.insert(all.end(), row.begin(), row.end());
    }
    return to_array(all, count);
}

void push(const std::shared_ptr<VoiceStream>& stream, const Latents& latents, bool last) {
    const size_t frames = latents.shape(0);
    need(latents.shape(1) == stream->conditioner.held.width && !stream->source, "push: no such latents are asked for");
    const int8_t* from = latents.data();
    held(stream, [&](VoiceStream& voice) { voice.conditioner.push(from, frames, last); });
}

// Labels from token frames on, [changes][1 + keys], for what is drawn next.
void plan(const std::shared_ptr<VoiceStream>& stream, const LabelRows& rows) {
    need(stream->source != nullptr, "plan: this stream does not plan");
    const LabelSchedule changes = schedule_of(rows, stream->model->planner->model);
    held(stream, [&](VoiceStream& voice) {
        voice.source->schedule.insert(voice.source->schedule.end(), changes.begin(), changes.end());
    });
}

void relabel(const std::shared_ptr<VoiceStream>& stream, const std::vector<int64_t>& ids) {
    const Model& network = stream->model->network->model;
    need(ids.size() == static_cast<size_t>(network.labels), "labels: one row for each key");
    const std::array<int, kLabels> labels = label_row(network, ids.data());
    held(stream, [&](VoiceStream& voice) { voice.relabel(labels); });
}

std::vector<int> labels(const std::shared_ptr<VoiceStream>& stream) {
    return held(stream, [](VoiceStream& voice) {
        const int* ids = voice.labels();
        return std::vector<int>(ids, ids + voice.model->network->model.labels);
    });
}

std::vector<int64_t> rows_of(const LabelSchedule& schedule, int labels) {
    std::vector<int64_t> rows;
    for (const LabelChange& change : schedule) {
        rows.push_back(change.at);
        rows.insert(rows.end(), change.labels.begin(), change.labels.begin() + labels);
    }
    return rows;
}

void save_passes(const PostfilterPasses& passes, int mels, nb::dict& out) {
    std::vector<int64_t> numbers{passes.start, passes.first};
    for (size_t k = 0; k < passes.passes.size(); ++k) {
        const FilterPass& pass = passes.passes[k];
        for (const int64_t number : {pass.frame, pass.first, pass.out}) numbers.push_back(number);
        out[("postfilter.samples." + std::to_string(k)).c_str()] = to_array(pass.samples, 0);
        out[("postfilter.total." + std::to_string(k)).c_str()] = to_array(pass.total, 0);
    }
    out["postfilter.numbers"] = to_array(numbers, 0);
    out["postfilter.levels"] = to_array(passes.levels, static_cast<size_t>(mels));
}

// What changes of a stream.
struct SavedVoice {
    std::vector<int8_t> held;
    std::vector<int64_t> numbers, phases, changes;
    std::vector<int16_t> ready;
    std::unique_ptr<PostfilterPasses> passes;
};

SavedVoice copied(const VoiceStream& voice) {
    const Conditioner& c = voice.conditioner;
    const VoicePlace& place = voice.place;
    SavedVoice saved;
    saved.held = c.known_latents();
    saved.numbers = {c.held.first, c.ended,    place.origin,  place.opening,
                     place.skipped, place.read, place.emphasis};
    saved.phases = {c.phase_frame};
    saved.phases.insert(saved.phases.end(), c.phases.begin(), c.phases.end());
    saved.changes = rows_of(voice.schedule, voice.model->network->model.labels);
    saved.ready = place.ready;
    if (voice.postfilter) saved.passes = std::make_unique<PostfilterPasses>(*voice.postfilter);
    return saved;
}

// What `make_stream` takes of a stream that stands here, but for what never changes.
nb::dict save(const std::shared_ptr<VoiceStream>& stream) {
    const VoiceModel& model = *stream->model;
    const SavedVoice saved = held(stream, [](VoiceStream& voice) { return copied(voice); });
    nb::dict out;
    out["held"] = to_array(saved.held, static_cast<size_t>(model.latent));
    out["numbers"] = to_array(saved.numbers, 0);
    out["phases"] = to_array(saved.phases, 0);
    out["changes"] = to_array(saved.changes, static_cast<size_t>(1 + model.network->model.labels));
    out["ready"] = to_array(saved.ready, 0);
    if (saved.passes) save_passes(*saved.passes, model.mels, out);
    return out;
}

}  // namespace

void bind_voice_stream(nb::module_& m) {
    nb::class_<VoiceModel>(m, "VoiceModel");
    nb::class_<VoiceStream>(m, "VoiceStream")
        .def_prop_ro("position", [](const std::shared_ptr<VoiceStream>& stream) {
            return held(stream, [](VoiceStream& voice) { return voice.position(); });
        })
        .def_prop_ro("labels", &labels)
        .def_prop_ro("seconds", [](const std::shared_ptr<VoiceStream>& stream) {
            return held(stream, [](VoiceStream& voice) {
                const PartSeconds& s = voice.conditioner.seconds;
                return std::vector<double>{s.planner, s.conditioner, s.bed, s.network, s.postfilter};
            });
        })
        .def("relabel", &relabel)
        .def("wanted", [](const std::shared_ptr<VoiceStream>& stream, size_t count) {
            return held(stream, [&](VoiceStream& voice) {
                return std::make_tuple(voice.conditioner.known_until(), voice.wanted(count));
            });
        })
        .def("plan", &plan, "rows"_a.noconvert())
        .def("push", &push, "latents"_a.noconvert(), "last"_a)
        .def("save", &save);
    m.def("voice_model", &make_model, "sizes"_a, "network"_a, "planner"_a.none(), "conditioner"_a, "envelope"_a,
          "postfilter"_a.none(), "oscillators"_a.none(), "tensors"_a);
    m.def("voice_stream", &make_stream, "model"_a, "network"_a, "source"_a.none(), "ahead"_a, "draw"_a, "arrays"_a);
    m.def("read_voices", &read_voices, "streams"_a, "count"_a);
    m.def("draw_voices", &draw_voices, "streams"_a, "count"_a);
}

}  // namespace synth
