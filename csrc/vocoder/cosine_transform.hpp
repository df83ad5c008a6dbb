// Sums of a row of frames side by side with the cosines and the sines of a table that has their symmetries. Rows of
// numbers are [row][kAbreast].
#pragma once

constexpr int kAcross = kAbreast / kDoubles;  // vectors of a row
constexpr int kAtOnce = kDoubles;             // rows of a matrix: as many sums as fit the registers of any set

// y (groups x kAbreast rows) = matrix x (every `step`-th of `count` rows); the matrix has `columns` of them.
inline void multiply_rows(const double* matrix, int groups, int columns, const double* x, int step, int count,
                          double* y) {
    for (int row = 0; row < groups * kAbreast; row += kAtOnce) {
        const double* weight = matrix + row / kAbreast * columns * kAbreast + row % kAbreast;
        Vd sums[kAtOnce][kAcross];
        for (auto& sum : sums)
            for (Vd& part : sum) part = dset(0.0);
        const double* in = x;
        for (int column = 0; column < count; ++column, in += step * kAbreast, weight += kAbreast) {
            Vd parts[kAcross];
            for (int i = 0; i < kAcross; ++i) parts[i] = dload(in + i * kDoubles);
            for (int r = 0; r < kAtOnce; ++r) {
                const Vd by = dset(weight[r]);
                for (int i = 0; i < kAcross; ++i) sums[r][i] = dadd(sums[r][i], dmul(by, parts[i]));
            }
        }
        for (int r = 0; r < kAtOnce; ++r)
            for (int i = 0; i < kAcross; ++i) dstore(y + (row + r) * kAbreast + i * kDoubles, sums[r][i]);
    }
}

// low = a + b, high = a - b: what two bins that mirror each other have of even and of odd times. `low` may be `a`.
inline void mirror(const double* a, const double* b, double* low, double* high) {
    for (int i = 0; i < kAbreast; i += kDoubles) {
        const Vd first = dload(a + i), second = dload(b + i);
        dstore(low + i, dadd(first, second));
        dstore(high + i, dsub(first, second));
    }
}

// Bins 0 to n of `count` times, every `step`-th row of x. y has room for n + 1 and 2 kSmallest rows, work for n.
inline void cosines(const double* const* matrices, int n, const double* x, int step, int count, double* y,
                    double* work) {
    if (n == kSmallest) return multiply_rows(*matrices, 2, n + 1, x, step, count, y);
    const int half = n / 2;
    multiply_rows(*matrices, half / kAbreast, half, x + step * kAbreast, 2 * step, count / 2, work);
    cosines(matrices + 1, half, x, 2 * step, (count + 1) / 2, y, work + half * kAbreast);
    for (int k = 0; k < half; ++k)
        mirror(y + k * kAbreast, work + k * kAbreast, y + k * kAbreast, y + (n - k) * kAbreast);
}

// The same of sines: over odd times rows are bins 1 to n / 2.
inline void sines(const double* const* matrices, int n, const double* x, int step, int count, double* y, double* work) {
    if (n == kSmallest) return multiply_rows(*matrices, 2, n + 1, x, step, count, y);
    const int half = n / 2;
    multiply_rows(*matrices, half / kAbreast, half, x + step * kAbreast, 2 * step, count / 2, work);
    sines(matrices + 1, half, x, 2 * step, (count + 1) / 2, y, work + half * kAbreast);
    double* middle = y + half * kAbreast;
    for (int k = 1; k < half; ++k)
        mirror(work + (k - 1) * kAbreast, y + k * kAbreast, y + k * kAbreast, y + (n - k) * kAbreast);
    for (int i = 0; i < kAbreast; ++i) {
        middle[i] = work[(half - 1) * kAbreast + i];
        y[n * kAbreast + i] = 0.0;
    }
}
