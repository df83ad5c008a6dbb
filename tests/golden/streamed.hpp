// A whole stream of a small voice with a tonal bed and a guided planner, which the golden test runs; streamed.py has it
// in Python.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "engine/dispatch.hpp"
#include "vocoder/voice_stream.hpp"
#include "voiced.hpp"

constexpr int kHopOfTokens = 160, kMelBands = 8, kLatents = 9, kBooks = 3, kTones = 16, kHarmonics = 66, kUnits = 16;

// Makes arrays of noise, and keeps them.
class StreamedArrays {
   public:
    const int16_t* numbers(size_t count, int below, int less) {
        shorts_.push_back(noise.many<int16_t>(count, below, less));
        return shorts_.back().data();
    }
    const int8_t* weights(size_t count) {
        bytes_.push_back(noise.many<int8_t>(count, 255, 127));
        return bytes_.back().data();
    }
    synth::LinearTensors linear(int rows, int columns, int shift) {
        const int8_t* weight = weights(static_cast<size_t>(rows) * columns);
        return {weight, numbers(rows, 16384, -4096), shift};
    }
    template <class T>
    const T* kept(std::deque<std::vector<T>>& of, std::vector<T> values) {
        of.push_back(std::move(values));
        return of.back().data();
    }
    const int16_t* keep(std::vector<int16_t> values) { return kept(shorts_, std::move(values)); }
    const uint32_t* keep(std::vector<uint32_t> values) { return kept(words_, std::move(values)); }

    Noise noise;

   private:
    std::deque<std::vector<int8_t>> bytes_;
    std::deque<std::vector<int16_t>> shorts_;
    std::deque<std::vector<uint32_t>> words_;
};

inline void add_tables(StreamedArrays& arrays, synth::Tensors& t) {
    std::vector<uint32_t> probability(2048);
    for (uint32_t x = 0; x < 1024; ++x) {
        probability[1024 + x] = (1u << 31) + (x << 20);
        probability[1023 - x] = 0u - probability[1024 + x];
    }
    std::vector<int16_t> sigmoid(24), tanh(24);
    for (int i = 0; i < 8; ++i) {
        sigmoid[i] = static_cast<int16_t>(16384 + 2000 * i), sigmoid[8 + i] = 2000;
        sigmoid[16 + i] = static_cast<int16_t>(-211 + 30 * i);
        tanh[i] = static_cast<int16_t>(4000 * i), tanh[8 + i] = 4500, tanh[16 + i] = static_cast<int16_t>(-500 + 7 * i);
    }
    t.probability = arrays.keep(std::move(probability));
    t.cost = arrays.keep(std::vector<uint32_t>(2048));
    t.sigmoid = arrays.keep(std::move(sigmoid)), t.tanh = arrays.keep(std::move(tanh));
}

inline synth::Tensors network_of_noise(StreamedArrays& arrays, const synth::Sizes& s) {
    synth::Tensors t{};
    const int frame = s.frame_units, sample = s.sample_units, head = s.head_units;
    const auto table = [&](int rows, int units) { return arrays.numbers(static_cast<size_t>(rows) * units, 2000, 1000); };
    t.frame_input = arrays.linear(3 * frame, s.window, 4);
    t.frame_recurrent = arrays.linear(3 * frame, frame, 4);
    t.frame_output = arrays.linear(3 * sample, frame, 4);
    t.sample_recurrent = arrays.linear(3 * sample, sample, 4);
    t.head_dense = arrays.linear(head, sample, 3);
    t.head_tree = arrays.linear(256, head, 3);
    t.frame_input_bias = table(1, 3 * frame), t.frame_recurrent_bias = table(1, frame);
    t.frame_output_bias = table(1, 3 * sample), t.sample_recurrent_bias = table(1, sample);
    t.head_tree_bias = table(1, 256);
    for (int key = 0; key < s.labels; ++key) t.frame_label[key] = table(s.label_values[key] + 1, 3 * frame);
    t.sample_code = table(256, 3 * sample), t.sample_predicted = table(256, 3 * sample);
    t.sample_residual = table(256, 3 * sample);
    if (s.phases) t.sample_phase = table(256, 3 * sample);
    t.head_predicted = table(256, head);
    add_tables(arrays, t);
    t.predictor.order = s.period ? 0 : s.order;
    return t;
}

inline std::shared_ptr<const synth::Layer> layer_of_noise(const synth::VoiceApi& api, StreamedArrays& arrays, int rows,
                                                          int columns, bool biased, const int16_t* tanh) {
    const synth::LinearTensors linear = arrays.linear(rows, columns, 4);
    const int16_t* bias = biased ? arrays.numbers(rows, 2000, 1000) : arrays.keep(std::vector<int16_t>(rows));
    return std::make_shared<synth::Layer>(api, rows, columns, linear.weight, linear.scale, linear.shift, bias, tanh);
}

inline std::shared_ptr<const synth::Bed> bed_of_noise(const synth::VoiceApi& api, StreamedArrays& arrays) {
    std::vector<uint32_t> increments(2 * synth::kQuarters + 1);
    std::vector<int16_t> logarithms(increments.size()), gates(1025);
    std::vector<uint16_t> places(1025);
    std::vector<int32_t> power(256);
    for (size_t i = 0; i < increments.size(); ++i) {
        increments[i] = static_cast<uint32_t>(20000000 + 100000 * i);
        logarithms[i] = static_cast<int16_t>(5000 + 2 * i);
    }
    for (int i = 0; i < 1025; ++i) {
        places[i] = static_cast<uint16_t>(std::min(256 * (kTones - 1), 4 * i));
        gates[i] = static_cast<int16_t>(i < 900 ? 256 : std::max(0, 256 - 2 * (i - 900)));
    }
    for (int i = 0; i < 256; ++i) power[i] = 32768 + 128 * i;
    const int16_t* phases = arrays.numbers(kTones * kTones, 2000, 1000);
    const auto bank = std::make_shared<synth::Oscillators>(api, kHopOfTokens / 2, cosine_table().data());
    return std::make_shared<synth::TonalBed>(
        bank, synth::BedTables{kTones, kHarmonics, increments.data(), logarithms.data(), places.data(), gates.data(),
                               phases, power.data()});
}

inline std::shared_ptr<const synth::Postfilter> postfilter_of_noise(const synth::VoiceApi& api, Noise& noise) {
    const std::vector<int16_t> shape = noise.many<int16_t>(200, 24576, -8192), cosine = mirrored(noise, 256);
    const std::vector<int16_t> bands = noise.sparse(129 * kMelBands, 128), shares = noise.sparse(129 * kMelBands, 257);
    std::vector<int16_t> logarithm(256);
    std::vector<int32_t> power(256);
    for (int i = 0; i < 256; ++i) logarithm[i] = static_cast<int16_t>(4 * i), power[i] = 32768 + 128 * i;
    return std::make_shared<synth::Postfilter>(
        api, synth::FilterTables{80, 200, 256, kMelBands, shape.data(), cosine.data(), bands.data(), shares.data(),
                                 logarithm.data(), power.data()});
}

inline std::shared_ptr<const synth::VoiceModel> voice_of_noise(const synth::VoiceApi& api, const synth::Api& engine,
                                                               StreamedArrays& arrays) {
    const synth::Sizes sizes{16, 32, 48, 32, 16, 5, 0, 0, 1, 2, {3, 2}}, plans{16, 16, 32, 16, 16, 0, 2, 0, 0, 2, {3, 2}};
    auto voice = std::make_shared<synth::VoiceModel>();
    voice->hop = kHopOfTokens, voice->parts = 2, voice->latent = kLatents, voice->mels = kMelBands;
    voice->levels = kTones, voice->lookahead = 3, voice->passes = 2;
    const synth::Tensors network = network_of_noise(arrays, sizes);
    voice->network = std::make_shared<synth::PackedNetwork>(engine, sizes, network);
    voice->planner = std::make_shared<synth::PackedNetwork>(*engine.tokens, plans, network_of_noise(arrays, plans));
    const auto layer = [&](int rows, int columns, bool biased) {
        return layer_of_noise(api, arrays, rows, columns, biased, network.tanh);
    };
    voice->hidden[0] = layer(kUnits, 3 * kLatents, true), voice->hidden[1] = layer(kUnits, 3 * kUnits, true);
    voice->gates = layer(2 * 3 * 32, kUnits, false), voice->reflections = layer(2 * 16, kUnits, true);
    const int targets = 2 * (kMelBands + kTones + 1);
    voice->envelope[0] = layer(kUnits, 3 * kLatents, true), voice->envelope[1] = layer(kUnits, 3 * kUnits, true);
    voice->envelope[2] = layer(targets, kUnits, true), voice->linear = layer(targets, 3 * kLatents, true);
    voice->postfilter = postfilter_of_noise(api, arrays.noise);
    voice->bed = bed_of_noise(api, arrays);
    voice->codebooks = arrays.noise.many<int8_t>(kBooks * synth::kCodes * kLatents, 81, 40);
    return voice;
}

inline void streamed(const synth::VoiceApi& api, Sha256& hash) {
    StreamedArrays arrays;
    const synth::Api* engine = nullptr;
    for (const synth::Api* each : synth::instruction_sets())
        if (std::string(each->name) == api.name) engine = each;
    const std::shared_ptr<const synth::VoiceModel> voice = voice_of_noise(api, *engine, arrays);
    const std::array<int, synth::kLabels> first{1, 2}, then{3, 0};
    const auto state = std::make_shared<synth::Stream>(voice->network, 5u, 0u);
    auto source = std::make_unique<synth::PlannedLatents>(
        *voice, std::make_shared<synth::Stream>(voice->planner, 5u, 1u),
        std::make_shared<synth::Stream>(voice->planner, 5u, 1u), synth::PlanOptions{5000, 3, 5, 0});
    source->schedule = {{0, first}, {5, then}};
    auto passes = std::make_unique<synth::PostfilterPasses>(*voice->postfilter, 0, -1);
    for (int k = 0; k < 2; ++k)
        passes->passes.push_back({-1, -180, -208, std::vector<int16_t>(180), std::vector<int64_t>(256)});
    std::copy(first.begin(), first.end(), state->state.labels);
    synth::VoiceStream stream(voice, state, std::move(source), 1, std::move(passes), {4500, 256, uint64_t{1} << 32},
                              {0, 80, 0, 0, 0, {}});
    stream.schedule = {{800, then}};
    for (const size_t count : {1, 399, 700}) {
        std::vector<int16_t> samples(count);
        synth::read_together({&stream}, count, std::array<int16_t*, 1>{samples.data()}.data());
        hash_values(hash, samples);
    }
}

constexpr const char* kVoiced[] = {"short", "long", "layer", "search", "oscillators", "emphasis", "stream"};

inline std::string voiced(const std::string& what, const char* set) {
    const synth::VoiceApi& api = synth::find_voice(set);
    Sha256 hash;
    if (what == "short") filtered(api, 12, 30, 32, hash);
    if (what == "long") filtered(api, 80, 200, 256, hash);
    if (what == "layer") layered(api, hash);
    if (what == "search") searched(api, hash);
    if (what == "oscillators") oscillated(api, hash);
    if (what == "emphasis") de_emphasised(hash);
    if (what == "stream") streamed(api, hash);
    return hash.hex().substr(0, 32);
}
