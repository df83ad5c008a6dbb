// Layers of 8-bit integers over many inputs at once.
#pragma once

constexpr int kInputs = 4;  // that share a load of weights

inline int saturate(int x) { return x < -32768 ? -32768 : x > 32767 ? 32767 : x; }
inline int scaled(int a, int b) { return (a * b + 16384) >> 15; }

inline int16_t finished(const LayerModel& model, int row, int32_t sum) {
    const int shifted = saturate((sum + ((1 << model.shift) >> 1)) >> model.shift);
    return static_cast<int16_t>(saturate(saturate(scaled(shifted, model.scale[row])) + model.bias[row]));
}

// Outputs of K inputs, R rows at a time: together they hide how long a sum takes.
template <int K, int R>
inline void row_sums(const LayerModel& model, int row, const int16_t (*x)[kMaxColumns], int rows, int16_t* out) {
    const int padded = model.padded;
    const int8_t* weight = model.weight + static_cast<size_t>(row) * padded;
    int32_t sums[R][K] = {};
    for (int i = 0; i < padded; ++i)
        for (int r = 0; r < R; ++r)
            for (int k = 0; k < K; ++k) sums[r][k] += weight[r * padded + i] * x[k][i];
    for (int r = 0; r < R; ++r)
        for (int k = 0; k < K; ++k) out[k * rows + r] = finished(model, row + r, sums[r][k]);
}

template <int K, int R>
inline void value_rows(const LayerModel& model, const int16_t (*x)[kMaxColumns], int16_t* out) {
    int row = 0;
    for (; row + R <= model.rows; row += R) row_sums<K, R>(model, row, x, model.rows, out + row);
    for (; row < model.rows; ++row) row_sums<K, 1>(model, row, x, model.rows, out + row);
}

void values(const LayerModel& model, const int8_t* in, size_t count, int16_t* out) {
    const int rows = model.rows, columns = model.columns, padded = model.padded;
    alignas(64) int16_t x[kInputs][kMaxColumns];
    for (size_t at = 0; at < count;) {
        const int inputs = count - at >= kInputs ? kInputs : 1;
        for (int k = 0; k < inputs; ++k)
            for (int i = 0; i < padded; ++i) x[k][i] = i < columns ? in[(at + k) * columns + i] : int16_t{0};
        if (inputs == kInputs)
            value_rows<kInputs, 1>(model, x, out + at * rows);
        else
            value_rows<1, 4>(model, x, out + at * rows);
        at += inputs;
    }
}

// The hyperbolic tangent of numbers of unit 1024 as 8 bits.
void hidden(const LayerModel& model, const int16_t* in, size_t count, int8_t* out) {
    for (size_t i = 0; i < count; ++i) {
        const int x = in[i] < -32767 ? -32767 : in[i];
        const int magnitude = x < 0 ? -x : x, size = magnitude < 4095 ? magnitude : 4095;
        const int place = size >> 9, within = (size & 511) << 6;
        const int inner = model.tanh[1][place] + scaled(within, model.tanh[2][place]);
        const int y = model.tanh[0][place] + scaled(within, inner);
        out[i] = static_cast<int8_t>(saturate((x < 0 ? -y : y) + 128) >> 8);
    }
}
