// Layers of 8-bit integers over many inputs at once.
#pragma once

constexpr int kInputs = 4;  // that share a load of weights

inline int saturate(int x) { return x < -32768 ? -32768 : x > 32767 ? 32767 : x; }
inline int scaled(int a, int b) { return (a * b + 16384) >> 15; }

inline int16_t finished(const LayerModel& model, int row, int32_t sum) {
    const int shifted = saturate((sum + ((1 << model.shift) >> 1)) >> model.shift);
    return static_cast<int16_t>(saturate(saturate(scaled(shifted, model.scale[row])) + model.bias[row]));
}

void values(const LayerModel& model, const int8_t* in, size_t count, int16_t* out) {
    const int rows = model.rows, columns = model.columns, padded = model.padded;
    alignas(64) int16_t x[kInputs][kMaxColumns];
    for (size_t at = 0; at < count; at += kInputs) {
        const int inputs = static_cast<int>(count - at < kInputs ? count - at : kInputs);
        for (int k = 0; k < kInputs; ++k)
            for (int i = 0; i < padded; ++i)
                x[k][i] = k < inputs && i < columns ? in[(at + k) * columns + i] : int16_t{0};
        for (int row = 0; row < rows; ++row) {
            const int16_t* weight = model.weight + static_cast<size_t>(row) * padded;
            int32_t sums[kInputs] = {};
            for (int k = 0; k < kInputs; ++k) {
                int32_t sum = 0;
                for (int i = 0; i < padded; ++i) sum += weight[i] * x[k][i];
                sums[k] = sum;
            }
            for (int k = 0; k < inputs; ++k) out[(at + k) * rows + row] = finished(model, row, sums[k]);
        }
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
