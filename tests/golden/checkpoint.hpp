// A checkpoint file, for the engine.
#pragma once

#include <string>

#include "engine/engine.hpp"
#include "safetensors.hpp"

// A checkpoint's tensors and sizes (from the tensors' shapes, or the config where these don't tell).
struct Checkpoint {
    explicit Checkpoint(const std::string& path) : file(path) {
        sizes.window = file.axis("frame.input.weight", 1);
        sizes.frame_units = file.axis("frame.recurrent.weight", 1);
        sizes.sample_units = file.axis("sample.recurrent.weight", 1);
        sizes.head_units = file.axis("head.tree.weight", 1);
        sizes.order = file.option("order");
        sizes.stride = file.option("stride"), sizes.period = file.option("period");
        sizes.hints = file.option("hints"), sizes.phases = file.option("phases");
        sizes.labels = 0;
        while (sizes.labels < synth::kLabels && file.has(label(sizes.labels))) {
            sizes.label_values[sizes.labels] = file.axis(label(sizes.labels), 0) - 1;
            ++sizes.labels;
        }
        read();
    }

    static std::string label(int key) { return "frame.label." + std::to_string(key); }

    synth::LinearTensors linear(const std::string& name, size_t rows, size_t columns) {
        return {file.values<int8_t>(name + ".weight", rows * columns), file.values<int16_t>(name + ".scale", rows),
                *file.values<int32_t>(name + ".shift", 1)};
    }

    void read() {
        const auto small = [&](const char* name, size_t count) { return file.values<int16_t>(name, count); };
        const size_t frame = sizes.frame_units, sample = sizes.sample_units, head = sizes.head_units;
        tensors.frame_input = linear("frame.input", 3 * frame, sizes.window);
        tensors.frame_recurrent = linear("frame.recurrent", 3 * frame, frame);
        tensors.frame_output = linear("frame.output", 3 * sample, frame);
        tensors.sample_recurrent = linear("sample.recurrent", 3 * sample, sample);
        tensors.head_dense = linear("head.dense", head, sample);
        tensors.head_tree = linear("head.tree", 256, head);
        tensors.frame_input_bias = small("frame.input.bias", 3 * frame);
        tensors.frame_recurrent_bias = small("frame.recurrent.bias", frame);
        tensors.frame_output_bias = small("frame.output.bias", 3 * sample);
        tensors.sample_recurrent_bias = small("sample.recurrent.bias", sample);
        for (int key = 0; key < sizes.labels; ++key)
            tensors.frame_label[key] =
                small(label(key).c_str(), (static_cast<size_t>(sizes.label_values[key]) + 1) * 3 * frame);
        tensors.sample_code = small("sample.code", 256 * 3 * sample);
        const auto hint = [&](int k) { return small(("sample.hint." + std::to_string(k)).c_str(), 256 * 3 * sample); };
        tensors.sample_predicted = sizes.hints ? hint(0) : small("sample.predicted", 256 * 3 * sample);
        tensors.sample_residual = sizes.hints ? hint(1) : small("sample.residual", 256 * 3 * sample);
        for (int k = 2; k < sizes.hints; ++k) tensors.sample_hint[k] = hint(k);
        if (sizes.phases) tensors.sample_phase = small("sample.phase", 256 * 3 * sample);
        tensors.head_predicted = small(sizes.hints ? "head.hint" : "head.predicted", 256 * head);
        tensors.head_tree_bias = small("head.tree.bias", 256);
        tensors.sigmoid = small("table.sigmoid", 24), tensors.tanh = small("table.tanh", 24);
        tensors.probability = file.values<uint32_t>("table.probability", 2048);
        tensors.cost = file.values<uint32_t>("table.cost", 2048);
        if (!sizes.period && !sizes.stride && !sizes.hints) read_predictor();
        if (!sizes.period && sizes.stride) tensors.predictor.order = sizes.order;
    }

    void read_predictor() {
        synth::PredictorWeights& predictor = tensors.predictor;
        predictor.order = file.axis("predictor.start", 0);
        if (predictor.order != 16 && predictor.order != 32) throw std::runtime_error("predictor.start: wrong shape");
        const double* start = file.values<double>("predictor.start", predictor.order);
        for (int i = 0; i < predictor.order; ++i) predictor.start[i] = start[i];
        const double* powers = file.values<double>("predictor.powers", synth::kHop);
        for (int i = 0; i < synth::kHop; ++i) predictor.powers[i] = powers[i];
        const double* ridge = file.values<double>("predictor.ridge", 2);
        predictor.decay = *file.values<double>("predictor.decay", 1);
        predictor.prior = ridge[0], predictor.floor = ridge[1];
    }

    Safetensors file;
    synth::Sizes sizes{};
    synth::Tensors tensors{};
};
