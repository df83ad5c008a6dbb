// The recursive least-squares predictor: doubles, every operation in the order that reference.py writes down. Vectors
// run over rows (or over independent elements), so that each element sees the same operations in the same order.
#pragma once

inline int saturate16(int value) { return value < -32768 ? -32768 : value > 32767 ? 32767 : value; }
inline int encode(int sample) { return kMulaw.encode[sample + 32768]; }

// floor(value + 0.5) in 16 bits; what is not a number gives -32768.
inline int round16(double value) {
    const double shifted = value + 0.5;
    if (!(shifted >= -32768.0)) return -32768;
    if (shifted >= 32768.0) return 32767;
    const int whole = static_cast<int>(shifted);
    return whole - (static_cast<double>(whole) > shifted ? 1 : 0);
}

// All of the folded sum but the newest sample's product: sum = ((((w0 x0 + part[0]) + part[1]) + ...).
template <int N>
inline void predict_parts(const double* weights, const double* history, double* parts) {
    double v[N];
    v[0] = 0.0;
    for (int i = 1; i < N; ++i) v[i] = weights[i] * history[i];
    int part = 0;
    for (int half = N / 2; half > 0; half /= 2) {
        parts[part++] = v[half];
        for (int i = 1; i < half; ++i) v[i] = v[i] + v[i + half];
    }
}

template <int N>
inline int predict_newest(double weight, double newest, const double* parts) {
    double sum = weight * newest;
    for (int half = N / 2, part = 0; half > 0; half /= 2) sum = sum + parts[part++];
    return round16(sum);
}

// Takes in the sample after `phase` samples of the frame; the caller counts phase up.
inline void predictor_push(const PredictorWeights& constants, Predictor& state, int phase, int sample, int error) {
    const double size = static_cast<double>(error < 0 ? -error : error);
    state.scale = state.scale + (size - state.scale) * 0.0625;
    state.gains[phase] = constants.powers[phase] / (state.scale + 1.0);
    state.history[kHop - 1 - phase] = static_cast<double>(sample);
}

// covariance * decay + the frame's weighted outer products; 8 columns of one vector of rows at a time.
template <int N>
inline void accumulate(const PredictorWeights& constants, Predictor& state) {
    constexpr int kColumns = 8;
    const Vd decay = dset(constants.decay);
    for (int row = 0; row < N; row += kDoubles) {
        for (int column = 0; column < row + kDoubles; column += kColumns) {
            double* target = state.covariance + column * N + row;
            Vd sums[kColumns];
            for (int c = 0; c < kColumns; ++c) sums[c] = dmul(dload(target + c * N), decay);
            for (int k = 0; k < kHop; ++k) {
                const double* x = state.history + kHop - k;
                const Vd gained = dmul(dset(state.gains[k]), dload(x + row));
                for (int c = 0; c < kColumns; ++c) sums[c] = dadd(sums[c], dmul(gained, dset(x[column + c])));
            }
            for (int c = 0; c < kColumns; ++c) dstore(target + c * N, sums[c]);
        }
        Vd sum = dmul(dload(state.correlation + row), decay);
        for (int k = 0; k < kHop; ++k) {
            const double* x = state.history + kHop - k;
            sum = dadd(sum, dmul(dmul(dset(state.gains[k]), dload(x + row)), dset(x[-1])));
        }
        dstore(state.correlation + row, sum);
    }
}

// Solves (covariance + floor) weights = correlation. Rows at or above the pivot hold what nobody reads.
template <int N>
inline void solve(const PredictorWeights& constants, Predictor& state) {
    alignas(64) double matrix[N * N], lower[N * N], right[N], result[N], inverse[N];
    for (int i = 0; i < N * N; ++i) matrix[i] = state.covariance[i];
    for (int i = 0; i < N; ++i) matrix[i * N + i] = state.covariance[i * N + i] + constants.floor;
    for (int i = 0; i < N; ++i) right[i] = state.correlation[i];
    const double least = constants.floor * 0.5;
    for (int j = 0; j < N; ++j) {
        double pivot = matrix[j * N + j];
        if (!(pivot >= least)) pivot = least;
        inverse[j] = 1.0 / pivot;
        result[j] = right[j];
        const Vd scale = dset(inverse[j]), head = dset(result[j]);
        for (int row = j / kDoubles * kDoubles; row < N; row += kDoubles) {
            const Vd factor = dmul(dload(matrix + j * N + row), scale);
            dstore(lower + j * N + row, factor);
            dstore(right + row, dsub(dload(right + row), dmul(factor, head)));
            const int last = row + kDoubles < N ? row + kDoubles : N;
            for (int k = j + 1; k < last; ++k) {
                double* target = matrix + k * N + row;
                dstore(target, dsub(dload(target), dmul(factor, dset(matrix[j * N + k]))));
            }
        }
    }
    for (int i = 0; i < N; ++i) result[i] = result[i] * inverse[i];
    for (int i = N - 1; i > 0; --i)
        for (int k = 0; k < i; ++k) result[k] = result[k] - lower[k * N + i] * result[i];
    bool good = true;
    for (int i = 0; i < N; ++i) good = good && result[i] <= 64.0 && result[i] >= -64.0;
    const double* chosen = good ? result : constants.start;
    for (int i = 0; i < N; ++i) state.weights[i] = chosen[i];
}

// The history moved so that phase 0 stands.
template <int N>
inline void turn_history(Predictor& state) {
    for (int i = N - 1; i >= 0; --i) state.history[kHop + i] = state.history[i];
}

// The end of a frame: new weights.
template <int N>
inline void predictor_update(const PredictorWeights& constants, Predictor& state) {
    accumulate<N>(constants, state);
    solve<N>(constants, state);
    turn_history<N>(state);
}

// The weights that reflection coefficients stand for, as lattice.py has it.
template <int N>
inline void steer(const int16_t* reflections, Predictor& state) {
    double before[N];
    for (int m = 0; m < N; ++m) {
        const double k = static_cast<double>(reflections[m]) / 32768.0;
        for (int i = 0; i < m; ++i) before[i] = state.weights[i];
        for (int i = 0; i < m; ++i) state.weights[i] = before[i] - k * before[m - 1 - i];
        state.weights[m] = k;
    }
}

// Predicted and residual codes of a whole row of known codes, from a fresh state.
template <int N>
inline void predict_row(const PredictorWeights& constants, const uint8_t* codes, uint8_t* predicted, uint8_t* residual,
                        size_t count) {
    Predictor state;
    reset_predictor(constants, state);
    int last = 128;
    for (size_t t = 0; t < count; ++t) {
        const int phase = static_cast<int>(t % kHop);
        if (phase == 0 && t > 0) predictor_update<N>(constants, state);
        const double* history = state.history + kHop - phase;
        double parts[8];
        predict_parts<N>(state.weights, history, parts);
        const int guess = predict_newest<N>(state.weights[0], history[0], parts);
        const int sample = kMulaw.decode[codes[t]];
        predicted[t] = static_cast<uint8_t>(encode(guess));
        residual[t] = static_cast<uint8_t>(last);
        last = encode(saturate16(sample - guess));
        predictor_push(constants, state, phase, sample, sample - guess);
    }
}
