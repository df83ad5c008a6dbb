// A checkpoint's tensors packed for one instruction set.
#include "engine/engine.hpp"

#include <algorithm>
#include <cstring>

namespace synth {
namespace {

constexpr uint16_t kNoColumn = 0xFFFF;  // more than kMaxUnits

int padded(int units) { return (units + kPad - 1) / kPad * kPad; }

// Columns (the first of four) of the blocks of a tile of 16 rows that hold anything but zeros.
std::vector<uint16_t> kept_columns(const LinearTensors& from, size_t row, int rows, int columns) {
    std::vector<uint16_t> kept;
    for (int column = 0; column < columns; column += 4) {
        bool any = false;
        for (int r = 0; r < rows; ++r)
            for (int c = column; c < column + 4; ++c) any = any || from.weight[(row + r) * columns + c] != 0;
        if (any) kept.push_back(static_cast<uint16_t>(column));
    }
    return kept;
}

}  // namespace

void* Arena::bytes(size_t size) {
    constexpr size_t kAlign = 64, kBehind = 64;
    pieces_.push_back(std::make_unique<unsigned char[]>(size + kBehind + kAlign));
    const auto address = reinterpret_cast<uintptr_t>(pieces_.back().get());
    return pieces_.back().get() + (kAlign - address % kAlign) % kAlign;
}

template <class T>
const T* PackedNetwork::copy(const T* from, size_t count) {
    T* to = arena_.take<T>(count);
    std::copy(from, from + count, to);
    return to;
}

// [rows][units] with every row padded.
const int16_t* PackedNetwork::spread(const int16_t* from, size_t rows, int units) {
    const size_t wide = static_cast<size_t>(padded(units));
    int16_t* to = arena_.take<int16_t>(rows * wide);
    for (size_t row = 0; row < rows; ++row) std::copy(from + row * units, from + (row + 1) * units, to + row * wide);
    return to;
}

// What every group of a packed matrix reads: for each step and tile the first of four columns. All steps of all columns, or,
// where it saves a quarter of them or more, as many steps as the group's fullest tile has blocks that are not zero
// (an even number; shorter tiles repeat a column, with zeros for weights).
PackedNetwork::Plan PackedNetwork::plan(const LinearTensors& from, int blocks, int tiles, int units, int columns) const {
    const int group = tiles * kTile, groups = (units + group - 1) / group, wide = blocks * tiles, all = columns / 4;
    Plan dense{false, {0}, {}}, sparse{true, {0}, {}};
    for (int g = 0; g < groups; ++g) {
        std::vector<std::vector<uint16_t>> kept(wide);
        size_t longest = 0;
        for (int i = 0; i < wide; ++i) {
            const int unit = g * group + i % tiles * kTile;
            if (unit < units)
                kept[i] = kept_columns(from, static_cast<size_t>(i / tiles) * units + unit, kTile, columns);
            longest = std::max(longest, kept[i].size());
        }
        const int steps = static_cast<int>(longest + longest % 2);
        sparse.first.push_back(sparse.first.back() + steps);
        dense.first.push_back(dense.first.back() + all);
        for (int step = 0; step < std::max(steps, all); ++step)
            for (const std::vector<uint16_t>& columns_of : kept) {
                const bool used = static_cast<size_t>(step) < columns_of.size();
                if (step < steps) sparse.columns.push_back(used ? columns_of[step] : kNoColumn);
                if (step < all) dense.columns.push_back(static_cast<uint16_t>(step * 4));
            }
    }
    return sparse.first.back() * 4 <= dense.first.back() * 3 ? sparse : dense;
}

Matrix PackedNetwork::pack(const LinearTensors& from, int blocks, int tiles, int units, int columns) {
    const int group = tiles * kTile, groups = (units + group - 1) / group, wide = padded(units), across = blocks * tiles;
    const Plan plan = this->plan(from, blocks, tiles, units, columns);
    int8_t* weight = arena_.take<int8_t>(plan.columns.size() * kTile * 4);
    int32_t* start = arena_.take<int32_t>(static_cast<size_t>(groups) * blocks * group);
    uint16_t* places = arena_.take<uint16_t>(plan.columns.size());
    for (int g = 0; g < groups; ++g)
        for (int i = plan.first[g] * across; i < plan.first[g + 1] * across; ++i)
            for (int row = 0; row < kTile && plan.columns[i] != kNoColumn; ++row) {
                const int block = i % across / tiles, unit = g * group + i % tiles * kTile + row;
                if (unit >= units) continue;
                const size_t source = (static_cast<size_t>(block) * units + unit) * columns + plan.columns[i];
                std::memcpy(weight + (static_cast<size_t>(i) * kTile + row) * 4, from.weight + source, 4);
                places[i] = plan.columns[i];
            }
    for (int g = 0; g < groups; ++g)
        for (int block = 0; block < blocks; ++block)
            for (int row = 0; row < group && g * group + row < units; ++row) {
                const size_t source = static_cast<size_t>(block) * units + g * group + row;
                int32_t sum = 0;
                for (int c = 0; c < columns && api.biased; ++c) sum += from.weight[source * columns + c];
                start[(g * blocks + block) * group + row] = ((1 << from.shift) >> 1) - 128 * sum;
            }
    return {weight,
            start,
            spread(from.scale, blocks, units),
            plan.sparse ? places : nullptr,
            copy(plan.first.data(), plan.first.size()),
            blocks,
            tiles,
            units,
            wide,
            columns,
            from.shift};
}

// 17 tiles of 16 rows, the first row of each unused; see Model.
void PackedNetwork::pack_tree(const Tensors& tensors) {
    const LinearTensors& from = tensors.head_tree;
    const int columns = model.head_units;
    int8_t* weight = arena_.take<int8_t>(static_cast<size_t>(17) * kTile * columns);
    int32_t* start = arena_.take<int32_t>(17 * kTile);
    int16_t *scale = arena_.take<int16_t>(17 * kTile), *bias = arena_.take<int16_t>(17 * kTile);
    for (int tile = 0; tile < 17; ++tile)
        for (int row = 1; row < kTile; ++row) {
            int level = 0;
            while ((row >> level) > 1) ++level;
            const int top = tile == 0 ? 1 : 15 + tile;
            const int node = (top << level) + row - (1 << level), place = tile * kTile + row;
            start[place] = (1 << from.shift) >> 1;
            scale[place] = from.scale[node];
            bias[place] = tensors.head_tree_bias[node];
            for (int c = 0; c < columns; c += 4)
                std::memcpy(weight + (tile * columns + c) * kTile + row * 4, from.weight + node * columns + c, 4);
        }
    model.tree_weight = weight, model.tree_start = start, model.tree_scale = scale, model.tree_bias = bias;
    model.tree_shift = from.shift;
}

PackedNetwork::PackedNetwork(const Api& set, const Sizes& sizes, const Tensors& tensors)
    : api(sizes.period || sizes.hints ? *set.tokens : set) {
    const int frame = sizes.frame_units, sample = sizes.sample_units, head = sizes.head_units;
    const int gate = set.gate_tiles;
    int together = set.head_tiles;
    while (head / kTile % together != 0) together /= 2;
    model.window = sizes.window, model.labels = sizes.labels;
    model.stride = sizes.stride, model.period = sizes.period, model.hints = sizes.hints;
    model.frame_units = frame, model.frame_padded = padded(frame);
    model.sample_units = sample, model.sample_padded = padded(sample);
    model.head_units = head, model.head_padded = padded(head);
    model.sample_recurrent = pack(tensors.sample_recurrent, 3, gate, sample, sample);
    model.head_dense = pack(tensors.head_dense, 1, together, head, sample);
    pack_tree(tensors);
    model.frame_input = pack(tensors.frame_input, 3, gate, frame, sizes.window);
    model.frame_recurrent = pack(tensors.frame_recurrent, 3, gate, frame, frame);
    model.frame_output = pack(tensors.frame_output, 3, gate, sample, frame);
    model.frame_input_bias = spread(tensors.frame_input_bias, 3, frame);
    model.frame_recurrent_bias = spread(tensors.frame_recurrent_bias, 1, frame);
    model.frame_output_bias = spread(tensors.frame_output_bias, 3, sample);
    model.sample_recurrent_bias = spread(tensors.sample_recurrent_bias, 1, sample);
    for (int key = 0; key < sizes.labels; ++key) {
        model.label_values[key] = sizes.label_values[key];
        const size_t rows = 3 * (static_cast<size_t>(sizes.label_values[key]) + 1);
        model.frame_label[key] = spread(tensors.frame_label[key], rows, frame);
    }
    model.sample_code = spread(tensors.sample_code, 3 * 256, sample);
    model.sample_predicted = spread(tensors.sample_predicted, 3 * 256, sample);
    model.sample_residual = spread(tensors.sample_residual, 3 * 256, sample);
    for (int k = 2; k < sizes.hints; ++k) model.sample_hint[k] = spread(tensors.sample_hint[k], 3 * 256, sample);
    if (sizes.phases) model.sample_phase = spread(tensors.sample_phase, 3 * 256, sample);
    model.head_predicted = spread(tensors.head_predicted, 256, head);
    std::copy(tensors.sigmoid, tensors.sigmoid + 24, &model.sigmoid[0][0]);
    std::copy(tensors.tanh, tensors.tanh + 24, &model.tanh[0][0]);
    model.probability = copy(tensors.probability, 2048);
    model.cost = copy(tensors.cost, 2048);
    model.predictor = tensors.predictor;
}

}  // namespace synth
