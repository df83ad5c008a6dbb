// Owners of what kernel.hpp only points to: a network packed for an instruction set, and one stream's state.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/kernel.hpp"

namespace synth {

// Zeroed memory, aligned to 64 bytes, with room behind every piece for a vector read or written past its end.
class Arena {
   public:
    template <class T>
    T* take(size_t count) {
        return static_cast<T*>(bytes(count * sizeof(T)));
    }

   private:
    void* bytes(size_t size);
    std::vector<std::unique_ptr<unsigned char[]>> pieces_;
};

struct Sizes {
    int window, frame_units, sample_units, head_units, order, stride, period, hints, phases, labels;
    int label_values[kLabels];
};

// A checkpoint's tensors as they lie in the file: sizes are those of `Sizes`, already checked.
struct LinearTensors {
    const int8_t* weight;
    const int16_t* scale;
    int shift;
};
struct Tensors {
    LinearTensors frame_input, frame_recurrent, frame_output, sample_recurrent, head_dense, head_tree;
    const int16_t *frame_input_bias, *frame_recurrent_bias, *frame_output_bias, *sample_recurrent_bias;
    const int16_t* frame_label[kLabels];
    const int16_t *sample_code, *sample_predicted, *sample_residual, *head_predicted, *head_tree_bias;
    const int16_t* sample_hint[kMaxHints];
    const int16_t* sample_phase;
    const int16_t *sigmoid, *tanh;
    const uint32_t *probability, *cost;
    PredictorWeights predictor;
};

class PackedNetwork {
   public:
    PackedNetwork(const Api& api, const Sizes& sizes, const Tensors& tensors);
    PackedNetwork(const PackedNetwork&) = delete;
    PackedNetwork& operator=(const PackedNetwork&) = delete;

    const Api& api;
    Model model{};

   private:
    struct Plan {
        bool sparse;
        std::vector<int32_t> first;  // [groups + 1] steps
        std::vector<uint16_t> columns;
    };
    Plan plan(const LinearTensors& from, int blocks, int tiles, int units, int columns) const;
    Matrix pack(const LinearTensors& from, int blocks, int tiles, int units, int columns);
    void pack_tree(const Tensors& tensors);
    const int16_t* spread(const int16_t* from, size_t rows, int units);
    template <class T>
    const T* copy(const T* from, size_t count);
    Arena arena_;
};

// A state in its natural order, without padding: what is saved.
struct SavedState {
    std::vector<uint64_t> position;
    std::vector<uint32_t> seed;
    std::vector<int32_t> labels;
    std::vector<uint8_t> codes, residual;
    std::vector<int16_t> conditioning, frame, condition, sample;
    std::vector<double> history, weights, covariance, correlation, scale, rows, targets, gains;

    // Calls visit(name, vector, columns) for each piece that a network has; columns is 0 for a vector, else the pieces'
    // last axis.
    template <class Visit>
    void each(const Model& model, Visit visit) {
        const int order = model.predictor.order;
        visit("position", position, 0), visit("seed", seed, 0), visit("labels", labels, 0);
        if (model.stride) visit("given", conditioning, 0);
        visit("codes", codes, 0);
        if (order) visit("residual", residual, 0);
        visit("frame", frame, 0), visit("condition", condition, 0), visit("sample", sample, 0);
        if (!order) return;
        visit("history", history, 0), visit("weights", weights, 0);
        if (model.stride) return;
        visit("covariance", covariance, order);
        visit("correlation", correlation, 0), visit("scale", scale, 0), visit("rows", rows, order);
        visit("targets", targets, 0), visit("gains", gains, 0);
    }
};

class Stream {
   public:
    Stream(std::shared_ptr<const PackedNetwork> network, uint32_t seed, uint32_t stream);
    Stream(const Stream& other);
    Stream& operator=(const Stream&) = delete;

    SavedState save() const;
    void restore(const SavedState& saved);  // sizes already checked against those of save()
    std::vector<int16_t> conditioning() const;              // [3][frame units], [order], [3] with phases; or nothing
    void set_conditioning(const int16_t* vector);           // as many as conditioning() has
    void take_conditioning(const int16_t* vector);          // the same by a caller that holds the mutex

    std::shared_ptr<const PackedNetwork> network;
    State state{};
    mutable std::mutex mutex;

   private:
    void allocate();
    void save_predictor(SavedState& to) const;
    void restore_predictor(const SavedState& from);
    std::vector<int16_t> gather_conditioning() const;
    Arena arena_;
};

}  // namespace synth
