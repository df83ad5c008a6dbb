// Lists of the values that a channel has, when it has few: finding them, and coding them as gaps with adaptive bits.
#pragma once

constexpr int kMaxValues = 65536;

// Bits whose probability follows what was coded, in `Coder`'s 16 bits.
template <class Coder>
class AdaptiveBits {
   public:
    explicit AdaptiveBits(Coder& coder) : coder_(coder) {
        for (uint32_t& p : bit_) p = 32768;
    }

    // A number from 1 on: its length in unary, then its bits below the highest. `context` 0 to 31: the last length.
    uint32_t number(uint32_t value, uint32_t context, uint32_t& length) {
        length = 0;
        const auto longer = [&] { return value >> (length + 1) != 0; };
        while (length < 24 && code(longer(), context * 32 + length)) ++length;
        uint32_t out = 1;
        for (uint32_t i = length; i-- > 0;) {
            const uint32_t place = length - i <= 3 ? 1024 + length * 8 + out : 1024 + 32 * 8 + i;
            out = out << 1 | (code((value >> i & 1) != 0, place) ? 1 : 0);
        }
        return out;
    }

    bool code(bool bit, uint32_t place) {
        uint32_t& p = bit_[place];
        bit = coder_.code(bit, p);
        if (bit)
            p += (65536 - p) >> 4;
        else
            p -= p >> 4;
        p = p < 64 ? 64 : p > 65472 ? 65472 : p;
        return bit;
    }

   private:
    Coder& coder_;
    uint32_t bit_[1024 + 32 * 8 + 32];
};

// `values` rise, from `least` on and up to `most`. A decoder fills them; false where they run out of that range.
template <class Coder>
bool code_values(Coder& coder, std::vector<int32_t>& values, int64_t least, int64_t most) {
    AdaptiveBits<Coder> bits(coder);
    uint32_t length = 0, count = bits.number(static_cast<uint32_t>(values.size()), 31, length);
    if (count > kMaxValues || static_cast<int64_t>(count) > most - least + 1) return false;
    values.resize(count);
    int64_t last = least - 1;
    uint32_t context = 0;
    for (uint32_t i = 0; i < count; ++i) {
        const uint32_t gap = bits.number(static_cast<uint32_t>(values[i] - last), context, length);
        last += gap;
        if (last > most) return false;
        values[i] = static_cast<int32_t>(last);
        context = length;
    }
    return true;
}
