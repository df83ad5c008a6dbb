#include "vocoder/vocoder.hpp"

#include <stdexcept>
#include <string>

#include "built_sets.hpp"
#include "engine/dispatch.hpp"

namespace synth {

#define SYNTH_DECLARE_VOICE(set) extern const VoiceApi voice_##set;
SYNTH_BUILT_SETS(SYNTH_DECLARE_VOICE)

Layer::Layer(const VoiceApi& api, int rows, int columns, const int8_t* weight, const int16_t* scale, int shift,
             const int16_t* bias, const int16_t* tanh)
    : api(api), scale_(scale, scale + rows), bias_(bias, bias + rows) {
    model.rows = rows, model.columns = columns, model.padded = (columns + 31) / 32 * 32, model.shift = shift;
    weight_.resize(static_cast<size_t>(rows) * model.padded);
    for (size_t row = 0; row < static_cast<size_t>(rows); ++row)
        for (int i = 0; i < columns; ++i) weight_[row * model.padded + i] = weight[row * columns + i];
    for (int i = 0; i < 24; ++i) model.tanh[i / 8][i % 8] = tanh[i];
    model.weight = weight_.data(), model.scale = scale_.data(), model.bias = bias_.data();
}

Codebooks::Codebooks(const VoiceApi& api, int quantisers, int latent, const int8_t* codebooks) : api(api) {
    const size_t size = static_cast<size_t>(kCodes) * latent;
    codebooks_.resize(quantisers * size);
    norms_.resize(static_cast<size_t>(quantisers) * kCodes);
    for (int row = 0; row < quantisers * kCodes; ++row) {  // kAbreast divides kCodes: no group has two codebooks
        for (int d = 0; d < latent; ++d) {
            const int value = codebooks[static_cast<size_t>(row) * latent + d];
            codebooks_[(static_cast<size_t>(row / kAbreast) * latent + d) * kAbreast + row % kAbreast] = value;
            norms_[row] += value * value;
        }
    }
    model.quantisers = quantisers, model.latent = latent, model.norms = norms_.data();
    for (int q = 0; q < quantisers; ++q) model.codebooks[q] = codebooks_.data() + q * size;
}

Oscillators::Oscillators(const VoiceApi& api, int length, const int16_t* cosine)
    : api(api), cosine_(cosine, cosine + 4096) {
    model.length = length, model.cosine = cosine_.data();
}

const VoiceApi& find_voice(const char* name) {
    static const VoiceApi* const built[] = {
#define SYNTH_LIST_VOICE(set) &voice_##set,
        SYNTH_BUILT_SETS(SYNTH_LIST_VOICE)};
    const std::string wanted = name;
    for (const Api* set : instruction_sets())
        for (const VoiceApi* voice : built)
            if (wanted == set->name && wanted == voice->name) return *voice;
    throw std::invalid_argument("instruction set " + wanted + ": this machine or build lacks it");
}

}  // namespace synth
