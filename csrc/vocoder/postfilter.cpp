#include "vocoder/postfilter.hpp"

#include <algorithm>

namespace synth {
namespace {

constexpr int kReciprocal = 15;  // binary places

// [columns][rows] as [rows][columns], and where each row is not zero.
void lay_out(const int16_t* from, int rows, int columns, std::vector<int16_t>& to, std::vector<Range>& ranges) {
    to.resize(static_cast<size_t>(rows) * columns);
    for (int row = 0; row < rows; ++row) {
        Range range{0, 0};
        for (int column = 0; column < columns; ++column) {
            const int16_t value = from[static_cast<size_t>(column) * rows + row];
            to[static_cast<size_t>(row) * columns + column] = value;
            if (value && range.last == 0) range.first = column;
            if (value) range.last = column + 1;
        }
        ranges.push_back(range);
    }
}

}  // namespace

std::vector<int64_t> window_sums(const int16_t* shape, int window, int hop) {
    std::vector<int64_t> sums(hop);
    for (int i = 0; i < window; ++i) sums[(i + window / 2 * (hop - 1)) % hop] += shape[i];
    return sums;
}

bool is_mirrored(const int16_t* cosine, int fft) {
    for (int i = 0; i < fft; ++i)
        if (cosine[i] != cosine[-i & (fft - 1)] || cosine[i] != -cosine[(fft / 2 - i) & (fft - 1)]) return false;
    return true;
}

Postfilter::Postfilter(const VoiceApi& api, const FilterTables& tables) : api(api) {
    const int bins = tables.fft / 2 + 1;
    shape_.assign(tables.shape, tables.shape + tables.window);
    lay_out(tables.bands, tables.mels, bins, bands_, band_);
    lay_out(tables.shares, bins, tables.mels, shares_, share_);
    logarithm_.assign(tables.logarithm, tables.logarithm + 256);
    power_.assign(tables.power, tables.power + 256);
    for (const int64_t sum : window_sums(tables.shape, tables.window, tables.hop))
        reciprocal_.push_back((int64_t{1} << (kReciprocal + 15)) / sum);
    model.hop = tables.hop, model.window = tables.window, model.fft = tables.fft, model.mels = tables.mels;
    while (1 << model.bits < tables.fft) ++model.bits;
    int split = 0;
    for (int n = tables.fft / 2; n >= kSmallest; n /= 2, ++split) {
        model.cosine[split] = matrix(tables.cosine, n, false);
        model.sine[split] = matrix(tables.cosine, n, true);
    }
    model.shape = shape_.data(), model.bands = bands_.data(), model.shares = shares_.data();
    model.band = band_.data(), model.share = share_.data();
    model.logarithm = logarithm_.data(), model.power = power_.data(), model.reciprocal = reciprocal_.data();
}

// That of odd times and the bins up to n / 2, or of all times and bins.
const double* Postfilter::matrix(const int16_t* cosine, int n, bool sine) {
    const int fft = model.fft, step = fft / 2 / n;
    const bool whole = n == kSmallest;
    const int rows = whole ? 2 * kAbreast : n / 2, columns = whole ? n + 1 : n / 2;
    std::vector<double> matrix(static_cast<size_t>(rows) * columns);
    for (int row = 0; row < rows; ++row) {
        const int64_t bin = row + (sine && !whole ? 1 : 0);
        for (int column = 0; column < columns; ++column) {
            const int64_t turn = bin * (whole ? column : 2 * column + 1) * step - (sine ? fft / 4 : 0);
            const size_t group = static_cast<size_t>(row / kAbreast) * columns + column;
            matrix[group * kAbreast + row % kAbreast] = whole && row > n ? 0.0 : cosine[turn & (fft - 1)];
        }
    }
    matrices_.push_back(std::move(matrix));
    return matrices_.back().data();
}

void Postfilter::settle(const int64_t* total, size_t count, size_t place, int16_t* out) const {
    const int shift = 14 + model.bits + kReciprocal - 10;
    for (size_t i = 0; i < count; ++i) {
        // unsigned: what a forged state holds may not fit, and wraps as in NumPy
        const int64_t sum = static_cast<int64_t>(static_cast<uint64_t>(total[i]) + 512) >> 10;
        const uint64_t product = static_cast<uint64_t>(sum) * static_cast<uint64_t>(model.reciprocal[place]);
        const int64_t sample = static_cast<int64_t>(product + (uint64_t{1} << (shift - 1))) >> shift;
        out[i] = static_cast<int16_t>(std::clamp<int64_t>(sample, -32768, 32767));
        if (++place == static_cast<size_t>(model.hop)) place = 0;
    }
}

}  // namespace synth
