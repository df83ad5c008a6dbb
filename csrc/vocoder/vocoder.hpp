// Owners of what a LayerModel, a SearchModel and an OscillatorModel point to, laid out for voice.cpp.
#pragma once

#include <vector>

#include "vocoder/voice.hpp"

namespace synth {

class Layer {
   public:
    // weight [rows][columns], scale and bias [rows], tanh [3][8]
    Layer(const VoiceApi& api, int rows, int columns, const int8_t* weight, const int16_t* scale, int shift,
          const int16_t* bias, const int16_t* tanh);
    Layer(const Layer&) = delete;
    Layer& operator=(const Layer&) = delete;

    const VoiceApi& api;
    LayerModel model{};

   private:
    std::vector<int8_t> weight_;
    std::vector<int16_t> scale_, bias_;
};

class Codebooks {
   public:
    // codebooks [quantisers][kCodes][latent]
    Codebooks(const VoiceApi& api, int quantisers, int latent, const int8_t* codebooks);
    Codebooks(const Codebooks&) = delete;
    Codebooks& operator=(const Codebooks&) = delete;

    const VoiceApi& api;
    SearchModel model{};

   private:
    std::vector<double> codebooks_, norms_;
};

class Oscillators {
   public:
    // cosine [4096]
    Oscillators(const VoiceApi& api, int length, const int16_t* cosine);
    Oscillators(const Oscillators&) = delete;
    Oscillators& operator=(const Oscillators&) = delete;

    const VoiceApi& api;
    OscillatorModel model{};

   private:
    std::vector<int16_t> cosine_;
};

}  // namespace synth
