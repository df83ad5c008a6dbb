// Exponentially weighted least squares (Haykin, Adaptive Filter Theory), its normal equations solved by LDL^T every few
// samples. All sums run in the order that reference.py writes down; the lower triangles are kept in tiles of 8 x 8
// (column by column), which changes where a number lies and not how it comes about.
#pragma once

constexpr double kWeightLimit = 64.0;

struct RegressionOptions {
    int size, every;  // unknowns, a multiple of 8; samples from solution to solution
    double decay, ridge;
    bool sharp;  // moments weigh less by error^1.5, not by error
};

struct Regression {
    int size, groups, every, phase, stride;
    bool sharp;
    double decay, ridge, scale;
    double *powers, *gains, *targets, *gained;  // [every], and [every][size]
    double *tiles, *work, *unscaled;            // unscaled: [8][size], the panel's columns before division
    double *correlation, *right, *result, *inverse, *weights;
    const double** rows;  // regressors of group g at moment m: rows[g] + m * stride

    static size_t first_tile(int groups, int column) {
        return static_cast<size_t>(column) * groups - column * (column - 1) / 2;
    }
    double* tile(double* from, int g, int column) const {
        return from + (first_tile(groups, column) + g - column) * 64;
    }
};

inline void prepare(Regression& r, Arena& arena, const RegressionOptions& options, int stride) {
    const size_t n = options.size, k = options.every, g = n / 8;
    r.size = options.size, r.groups = options.size / 8, r.every = options.every, r.stride = stride;
    r.ridge = options.ridge, r.scale = 16.0, r.sharp = options.sharp;
    r.powers = arena.take<double>(k), r.gains = arena.take<double>(k), r.targets = arena.take<double>(k);
    r.gained = arena.take<double>(k * n);
    r.tiles = arena.take<double>(g * (g + 1) / 2 * 64), r.work = arena.take<double>(g * (g + 1) / 2 * 64);
    r.unscaled = arena.take<double>(8 * n);
    r.correlation = arena.take<double>(n), r.right = arena.take<double>(n), r.result = arena.take<double>(n);
    r.inverse = arena.take<double>(n), r.weights = arena.take<double>(n);
    r.rows = arena.take<const double*>(g);
    if (!arena.good()) return;
    double power = 1.0;
    for (size_t m = k; m-- > 0;) {
        r.powers[m] = power;
        power = power * options.decay;
    }
    r.decay = power;
}

// The weighted sum of the regressors of this moment.
inline double predict(const Regression& r) {
    D8 even = dset(0.0), odd = dset(0.0);
    const ptrdiff_t at = static_cast<ptrdiff_t>(r.phase) * r.stride;
    for (int g = 0; g < r.groups; g += 2) {
        even = dadd(even, dmul(dload(r.weights + g * 8), dload(r.rows[g] + at)));
        if (g + 1 < r.groups) odd = dadd(odd, dmul(dload(r.weights + g * 8 + 8), dload(r.rows[g + 1] + at)));
    }
    return dfold(dadd(even, odd));
}

// tiles * decay + the weighted outer products of the last moments
inline void accumulate(Regression& r) {
    for (int m = 0; m < r.every; ++m) {
        const ptrdiff_t at = static_cast<ptrdiff_t>(m) * r.stride;
        for (int g = 0; g < r.groups; ++g)
            dstore(r.gained + m * r.size + g * 8, dmul(dset(r.gains[m]), dload(r.rows[g] + at)));
    }
    const D8 decay = dset(r.decay);
    double* target = r.tiles;
    for (int column = 0; column < r.groups; ++column) {
        for (int g = column; g < r.groups; ++g) {
            for (int c = 0; c < 8; c += kBlock, target += kBlock * 8) {
                D8 sums[kBlock];
                for (int i = 0; i < kBlock; ++i) sums[i] = dmul(dload(target + i * 8), decay);
                const double* x = r.rows[column] + c;
                const double* gained = r.gained + g * 8;
                for (int m = 0; m < r.every; ++m, x += r.stride, gained += r.size) {
                    const D8 row = dload(gained);
                    for (int i = 0; i < kBlock; ++i) sums[i] = dadd(sums[i], dmul(row, dset(x[i])));
                }
                for (int i = 0; i < kBlock; ++i) dstore(target + i * 8, sums[i]);
            }
        }
    }
    for (int g = 0; g < r.groups; ++g) {
        D8 sum = dmul(dload(r.correlation + g * 8), decay);
        for (int m = 0; m < r.every; ++m)
            sum = dadd(sum, dmul(dload(r.gained + m * r.size + g * 8), dset(r.targets[m])));
        dstore(r.correlation + g * 8, sum);
    }
}

// A panel's diagonal tile, of n regressions of one shape side by side: while one waits for its division, the others go on.
template <int n>
inline void factor_diagonal(Regression* const* all, int panel) {
    const int base = panel * 8;
    D8 v[n][8], right[n];
    for (int k = 0; k < n; ++k) {
        const double* d = all[k]->tile(all[k]->work, panel, panel);
        right[k] = dload(all[k]->right + base);
#pragma GCC unroll 8
        for (int c = 0; c < 8; ++c) v[k][c] = dload(d + c * 8);
    }
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) {
        for (int k = 0; k < n; ++k) {
            Regression& r = *all[k];
            double* heads = r.unscaled + j * r.size + base;
            dstore(heads, v[k][j]);
            const D8 inverse = dinverse(v[k][j], j, r.ridge * 0.5), result = dlane(right[k], j);
            r.inverse[base + j] = dfirst(inverse);
            r.result[base + j] = dfirst(result);
            const D8 factor = dmul(v[k][j], inverse);
            dstore(r.tile(r.work, panel, panel) + j * 8, factor);
            right[k] = dsub(right[k], dmul(factor, result));
#pragma GCC unroll 8
            for (int c = j + 1; c < 8; ++c) v[k][c] = dsub(v[k][c], dmul(factor, dset(heads[c])));
        }
    }
}

// The tiles below it, with the right side along.
inline void factor_below(Regression& r, int panel) {
    double* d = r.tile(r.work, panel, panel);
    const int base = panel * 8;
    for (int g = panel + 1; g < r.groups; ++g) {
        double* t = d + (g - panel) * 64;
        D8 v[8], right = dload(r.right + g * 8);
        for (int c = 0; c < 8; ++c) v[c] = dload(t + c * 8);
#pragma GCC unroll 8
        for (int j = 0; j < 8; ++j) {
            dstore(r.unscaled + j * r.size + g * 8, v[j]);
            const D8 factor = dmul(v[j], dset(r.inverse[base + j]));
            dstore(t + j * 8, factor);
            right = dsub(right, dmul(factor, dset(r.result[base + j])));
            const double* heads = r.unscaled + j * r.size + base;
#pragma GCC unroll 8
            for (int c = j + 1; c < 8; ++c) v[c] = dsub(v[c], dmul(factor, dset(heads[c])));
        }
        dstore(r.right + g * 8, right);
    }
}

// Takes the panel's products off everything to its right.
inline void update_trailing(Regression& r, int panel) {
    for (int column = panel + 1; column < r.groups; ++column) {
        const double* factors = r.tile(r.work, column, panel);
        double* target = r.tile(r.work, column, column);
        for (int g = column; g < r.groups; ++g, factors += 64) {
            for (int c = 0; c < 8; c += kBlock, target += kBlock * 8) {
                const double* heads = r.unscaled + column * 8 + c;
                D8 sums[kBlock];
                for (int i = 0; i < kBlock; ++i) sums[i] = dload(target + i * 8);
#pragma GCC unroll 8
                for (int j = 0; j < 8; ++j) {
                    const D8 row = dload(factors + j * 8);
                    for (int i = 0; i < kBlock; ++i) sums[i] = dsub(sums[i], dmul(row, dset(heads[j * r.size + i])));
                }
                for (int i = 0; i < kBlock; ++i) dstore(target + i * 8, sums[i]);
            }
        }
    }
}

// Back substitution, 8 unknowns at a time from the last on.
template <int n>
inline void substitute(Regression* const* all) {
    for (int panel = all[0]->groups - 1; panel >= 0; --panel) {
        double y[n][8];
        const double* d[n];
        for (int k = 0; k < n; ++k) {
            Regression& r = *all[k];
            const int base = panel * 8;
#pragma GCC unroll 8
            for (int c = 0; c < 8; ++c) y[k][c] = r.result[base + c] * r.inverse[base + c];
            d[k] = r.tile(r.work, panel, panel);
            if (panel + 1 == r.groups) continue;
            D8 sums[8];
            for (int c = 0; c < 8; ++c) sums[c] = dset(0.0);
            for (int g = panel + 1; g < r.groups; ++g) {
                const D8 known = dload(r.result + g * 8);
                const double* t = d[k] + (g - panel) * 64;
                for (int c = 0; c < 8; ++c) sums[c] = dadd(sums[c], dmul(dload(t + c * 8), known));
            }
#pragma GCC unroll 8
            for (int c = 0; c < 8; ++c) y[k][c] = y[k][c] - dfold(sums[c]);
        }
#pragma GCC unroll 8
        for (int i = 7; i > 0; --i) {
            for (int k = 0; k < n; ++k) {
#pragma GCC unroll 8
                for (int c = 0; c < i; ++c) y[k][c] = y[k][c] - d[k][c * 8 + i] * y[k][i];
            }
        }
        for (int k = 0; k < n; ++k) dstore(all[k]->result + panel * 8, dpack(y[k]));
    }
}

template <int n>
inline void solve(Regression* const* all) {
    const int groups = all[0]->groups;
    for (int k = 0; k < n; ++k) {
        Regression& r = *all[k];
        for (int column = 0; column < groups; ++column) {
            const size_t from = Regression::first_tile(groups, column) * 64;
            const size_t to = Regression::first_tile(groups, column + 1) * 64;
            for (size_t i = from; i < to; i += 8) dstore(r.work + i, dload(r.tiles + i));
            for (int i = 0; i < 8; ++i) r.work[from + i * 9] = r.tiles[from + i * 9] + r.ridge;
        }
        for (int g = 0; g < r.size; g += 8) dstore(r.right + g, dload(r.correlation + g));
    }
    for (int panel = 0; panel < groups; ++panel) {
        factor_diagonal<n>(all, panel);
        for (int k = 0; k < n && panel + 1 < groups; ++k) {
            factor_below(*all[k], panel);
            update_trailing(*all[k], panel);
        }
    }
    substitute<n>(all);
    for (int k = 0; k < n; ++k) {
        Regression& r = *all[k];
        bool good = true;
        for (int i = 0; i < r.size; ++i) good = good && r.result[i] <= kWeightLimit && r.result[i] >= -kWeightLimit;
        for (int g = 0; good && g < r.size; g += 8) dstore(r.weights + g, dload(r.result + g));
    }
}

// Takes in what was to be predicted, and the error. True where the moments are as many as it takes to solve.
inline bool take(Regression& r, double target, double error) {
    const double size = error < 0.0 ? -error : error;
    r.scale = r.scale + (size - r.scale) * 0.0625;
    const double magnitude = r.scale + 1.0;
    r.gains[r.phase] = r.powers[r.phase] / (r.sharp ? magnitude * std::sqrt(magnitude) * 0.25 : magnitude);
    r.targets[r.phase] = target;
    return ++r.phase == r.every;
}

// Renews the weights; the moments begin again.
template <int n>
inline void renew(Regression* const* all) {
    for (int k = 0; k < n; ++k) accumulate(*all[k]), all[k]->phase = 0;
    solve<n>(all);
}
