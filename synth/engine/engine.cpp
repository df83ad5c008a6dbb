// What every instruction set shares: fresh states, and the draw from 256 leaf weights.
#include "kernel.hpp"

namespace synth {

void reset_predictor(const PredictorWeights& weights, Predictor& state) {
    state = Predictor{};
    for (int i = 0; i < weights.order; ++i) {
        state.covariance[i * weights.order + i] = weights.prior;
        state.weights[i] = weights.start[i];
        state.correlation[i] = weights.prior * weights.start[i];
    }
    state.scale = 16.0;
}

}  // namespace synth
