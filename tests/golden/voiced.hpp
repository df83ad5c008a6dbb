// Parts of voices that the golden test runs; voiced.py has them in Python.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "vocoder/emphasis.hpp"
#include "vocoder/postfilter.hpp"
#include "sha256.hpp"
#include "vocoder/vocoder.hpp"

struct Noise {
    uint32_t state = 1;
    int next(int below) {
        state = (state * 1103515245u + 12345u) & 0x7FFFFFFFu;
        return static_cast<int>(state >> 8) % below;
    }
    template <class T>
    std::vector<T> many(size_t count, int below, int less) {
        std::vector<T> found(count);
        for (T& value : found) value = static_cast<T>(next(below) - less);
        return found;
    }
    // about a third of them not zero
    std::vector<int16_t> sparse(size_t count, int below) {
        std::vector<int16_t> found(count);
        for (int16_t& value : found) {
            const bool some = next(3) == 0;
            const int weight = next(below);
            value = static_cast<int16_t>(some ? weight : 0);
        }
        return found;
    }
};

template <class T>
void hash_values(Sha256& hash, const std::vector<T>& values) {
    for (const T value : values)
        for (size_t i = 0; i < sizeof(T); ++i)
            hash.add(static_cast<uint8_t>(static_cast<uint64_t>(static_cast<int64_t>(value)) >> 8 * i));
}

// A table with the symmetries of a cosine.
inline std::vector<int16_t> mirrored(Noise& noise, int fft) {
    std::vector<int16_t> table(fft);
    for (int i = 0; i < fft / 4; ++i) {
        const int16_t value = static_cast<int16_t>(noise.next(32769) - 16384);
        table[i] = table[(fft - i) % fft] = value;
        table[fft / 2 - i] = table[fft / 2 + i] = static_cast<int16_t>(-value);
    }
    return table;
}

inline void filtered(const synth::VoiceApi& api, int hop, int window, int fft, Sha256& hash) {
    constexpr int kMels = 8, kFrames = 11;
    Noise noise;
    const size_t weights = static_cast<size_t>(fft / 2 + 1) * kMels;
    const std::vector<int16_t> shape = noise.many<int16_t>(window, 24576, -8192), cosine = mirrored(noise, fft);
    const std::vector<int16_t> bands = noise.sparse(weights, 128), shares = noise.sparse(weights, 257);
    std::vector<int16_t> logarithm(256);
    std::vector<int32_t> power(256);
    for (int i = 0; i < 256; ++i) logarithm[i] = static_cast<int16_t>(4 * i), power[i] = 32768 + 128 * i;
    const synth::Postfilter made(api, {hop, window, fft, kMels, shape.data(), cosine.data(), bands.data(),
                                       shares.data(), logarithm.data(), power.data()});
    std::vector<int16_t> samples = noise.many<int16_t>((kFrames - 1) * hop + window, 65536, 32768);
    for (size_t i = samples.size() / 2; i < samples.size(); ++i) samples[i] = static_cast<int16_t>(samples[i] / 2048);
    std::vector<int32_t> levels = noise.many<int32_t>(kFrames * kMels, 20480, 8192);
    for (int32_t& level : levels)
        if (noise.next(8) == 0) level = synth::kNeutral;
    std::vector<int64_t> total(static_cast<size_t>(kFrames) * hop + fft);
    std::vector<int16_t> out(static_cast<size_t>(kFrames) * hop);
    if (!api.filter(made.model, samples.data(), levels.data(), kFrames, total.data())) throw std::bad_alloc();
    made.settle(total.data(), out.size(), 5, out.data());
    hash_values(hash, total);
    hash_values(hash, out);
}

inline void layered(const synth::VoiceApi& api, Sha256& hash) {
    constexpr int kRows = 21, kColumns = 37, kCount = 9;
    Noise noise;
    const std::vector<int8_t> weight = noise.many<int8_t>(kRows * kColumns, 255, 127);
    const std::vector<int16_t> scale = noise.many<int16_t>(kRows, 32768, 0);
    const std::vector<int16_t> bias = noise.many<int16_t>(kRows, 65536, 32768);
    const std::vector<int16_t> tanh = noise.many<int16_t>(24, 65536, 32768);
    const synth::Layer made(api, kRows, kColumns, weight.data(), scale.data(), 3, bias.data(), tanh.data());
    const std::vector<int8_t> x = noise.many<int8_t>(kCount * kColumns, 256, 128);
    std::vector<int16_t> values(kCount * kRows);
    std::vector<int8_t> hidden(values.size());
    api.values(made.model, x.data(), kCount, values.data());
    api.hidden(made.model, values.data(), values.size(), hidden.data());
    hash_values(hash, values);
    hash_values(hash, hidden);
}

inline void searched(const synth::VoiceApi& api, Sha256& hash) {
    constexpr int kQuantisers = 5, kLatent = 12, kCount = 9;
    Noise noise;
    const std::vector<int8_t> books = noise.many<int8_t>(kQuantisers * synth::kCodes * kLatent, 81, 40);
    const std::vector<int8_t> vectors = noise.many<int8_t>(kCount * kLatent, 255, 127);
    const synth::Codebooks made(api, kQuantisers, kLatent, books.data());
    std::vector<uint8_t> tokens(kCount * kQuantisers);
    api.search(made.model, vectors.data(), kCount, kQuantisers, tokens.data());
    hash_values(hash, tokens);
}

// cos(2 pi k / 4096) by a series; what it lacks is far below what rounding takes off.
inline double cosine_of(int k) {
    const double angle = 6.283185307179586 * k / 4096;
    double sum = 1.0, term = 1.0;
    for (int i = 1; i < 40; ++i) sum += term *= -angle * angle / ((2 * i - 1) * (2 * i));
    return sum;
}

inline std::vector<int16_t> cosine_table() {
    std::vector<int16_t> cosine(4096);
    for (int k = 0; k <= 2048; ++k) {
        const double value = 32767 * cosine_of(k);
        cosine[k] = static_cast<int16_t>(value < 0 ? value - 0.5 : value + 0.5);
        if (k > 0) cosine[4096 - k] = cosine[k];
    }
    return cosine;
}

inline void oscillated(const synth::VoiceApi& api, Sha256& hash) {
    constexpr int kSegments = 5, kPartials = 70, kLength = 81;
    Noise noise;
    const std::vector<int16_t> cosine = cosine_table();
    const synth::Oscillators made(api, kLength, cosine.data());
    std::vector<uint32_t> starts = noise.many<uint32_t>(kSegments * kPartials, 1 << 23, 0);
    std::vector<int32_t> increments = noise.many<int32_t>(kSegments * kPartials, 1 << 22, 1 << 21);
    const std::vector<int32_t> slopes = noise.many<int32_t>(kSegments * kPartials, 1 << 22, 1 << 21);
    std::vector<int32_t> amplitudes = noise.many<int32_t>((kSegments + 1) * kPartials, (1 << 19) + 1, 0);
    for (uint32_t& start : starts) start <<= 9;
    for (int32_t& increment : increments) increment *= 256;
    for (int row = 0; row <= kSegments; ++row)
        for (int i = 0; i < kPartials; i += 3) amplitudes[row * kPartials + i] = row == 1 && i % 6 == 0 ? 1 : 0;
    std::vector<int32_t> out(kSegments * kLength);
    api.oscillate(made.model, starts.data(), increments.data(), slopes.data(), amplitudes.data(), kSegments, kPartials,
                  out.data());
    hash_values(hash, out);
}

inline void de_emphasised(Sha256& hash) {
    Noise noise;
    const std::vector<int16_t> samples = noise.many<int16_t>(300, 65536, 32768);
    std::vector<int32_t> out(samples.size());
    int32_t state = synth::de_emphasise(samples.data(), 7, 0, out.data());
    state = synth::de_emphasise(samples.data() + 7, samples.size() - 7, state, out.data() + 7);
    out.push_back(state);
    hash_values(hash, out);
}
