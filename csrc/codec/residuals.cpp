#include "codec/residuals.hpp"

namespace synth {
namespace {

#include "codec/rangecoder.hpp"

constexpr uint32_t kWhole = uint32_t{1} << 24;  // a probability of one
constexpr size_t kLengths = kResidualClasses * 2 * 64, kSigns = kResidualClasses, kLower = 33 * 32;
constexpr int kFast = 7, kSlow = 9;

// Bits whose probability follows what was coded, at first fast.
template <class Coder>
class ResidualCoder {
   public:
    explicit ResidualCoder(Coder& coder) : coder_(coder), bits_(kLengths + kSigns + kLower) {}

    // A residual as two's complement; `before`: whether the one before, of the same channel, was not zero.
    uint32_t code(uint32_t value, uint32_t which, bool before) {
        const bool negative = value >> 31 != 0;
        uint32_t size = negative ? ~value + 1 : value, length = 0;
        while (length < 32 && size >> length != 0) ++length;
        uint32_t node = 1;
        for (int i = 5; i >= 0; --i)
            node = node << 1 | bit((length >> i & 1) != 0, (which * 2 + before) * 64 + node, kFast);
        length = node - 64;
        if (length == 0) return 0;
        if (length > 32) length = 32;  // damage alone says more
        const bool minus = bit(negative, kLengths + which, kSlow);
        uint32_t out = 1;
        for (uint32_t i = length - 1; i-- > 0;)
            out = out << 1 | bit((size >> i & 1) != 0, kLengths + kSigns + length * 32 + i, kSlow);
        return minus ? ~out + 1 : out;
    }

   private:
    struct Bit {
        uint32_t probability = kWhole / 2, count = 0;
    };

    bool bit(bool value, size_t place, uint32_t slowest) {
        Bit& b = bits_[place];
        const uint32_t p = b.probability >> 8;
        value = coder_.code(value, p < 32 ? 32 : p > 65504 ? 65504 : p);
        const uint32_t rate = 2 + b.count / 2 < slowest ? 2 + b.count / 2 : slowest;
        if (b.count < 2 * kSlow) ++b.count;
        if (value)
            b.probability += (kWhole - b.probability) >> rate;
        else
            b.probability -= b.probability >> rate;
        return value;
    }

    Coder& coder_;
    std::vector<Bit> bits_;
};

template <class Coder>
void code_residuals(Coder& coder, const int32_t* in, const uint8_t* classes, size_t count, size_t channels,
                    int32_t* out) {
    ResidualCoder<Coder> bits(coder);
    std::vector<uint8_t> before(channels);
    size_t channel = 0;
    for (size_t i = 0; i < count; ++i) {
        const uint32_t value = bits.code(in ? static_cast<uint32_t>(in[i]) : 0, classes[i], before[channel] != 0);
        if (out) out[i] = static_cast<int32_t>(value);
        before[channel] = value != 0;
        if (++channel == channels) channel = 0;
    }
}

}  // namespace

std::vector<uint8_t> encode_residuals(const int32_t* residuals, const uint8_t* classes, size_t count, size_t channels) {
    std::vector<uint8_t> out(5 * count + 64);
    RangeEncoder coder(out.data(), out.size());
    code_residuals(coder, residuals, classes, count, channels, nullptr);
    out.resize(coder.finish());
    return out;
}

void decode_residuals(const uint8_t* data, size_t size, const uint8_t* classes, size_t count, size_t channels,
                      int32_t* residuals) {
    RangeDecoder coder(data, size);
    code_residuals<RangeDecoder>(coder, nullptr, classes, count, channels, residuals);
}

}  // namespace synth
