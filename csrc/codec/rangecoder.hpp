// A binary arithmetic coder: 32-bit range, 16-bit probabilities, carries resolved on output (as in LZMA's range coder,
// with the product in 64 bits so that nothing of the range is lost). The probability is that of a one, 1 to 65535.
#pragma once

constexpr uint32_t kMinRange = uint32_t{1} << 24;

class RangeEncoder {
   public:
    RangeEncoder(uint8_t* out, size_t capacity) : out_(out), capacity_(capacity) {}

    bool code(bool bit, uint32_t probability) {
        const uint32_t bound = static_cast<uint32_t>(static_cast<uint64_t>(range_) * probability >> 16);
        if (bit) {
            range_ = bound;
        } else {
            low_ += bound;
            range_ -= bound;
        }
        while (range_ < kMinRange) {
            shift();
            range_ <<= 8;
        }
        return bit;
    }

    // Writes as few bytes as tell the last interval; the decoder reads zeros past the end. Returns the size, or
    // capacity + 1 where the output did not fit.
    size_t finish() {
        uint64_t keep = 0xffffffff;
        while (((low_ + keep) & ~keep) > low_ + range_ - 1) keep >>= 1;
        low_ = (low_ + keep) & ~keep;
        for (int i = 0; i < 5; ++i) shift();
        if (size_ > capacity_) return capacity_ + 1;
        while (size_ > 0 && out_[size_ - 1] == 0) --size_;
        return size_;
    }

   private:
    void put(uint8_t byte) {
        if (size_ < capacity_) out_[size_] = byte;
        if (size_ <= capacity_) ++size_;
    }
    void shift() {
        if (low_ < 0xff000000u || low_ > 0xffffffffu) {
            const uint8_t carry = static_cast<uint8_t>(low_ >> 32);
            if (begun_) put(static_cast<uint8_t>(held_ + carry));
            for (; waiting_ > 0; --waiting_) put(static_cast<uint8_t>(0xff + carry));
            held_ = static_cast<uint8_t>(low_ >> 24);
            begun_ = true;
        } else {
            ++waiting_;
        }
        low_ = (low_ & 0x00ffffff) << 8;
    }

    uint8_t* out_;
    size_t capacity_, size_ = 0, waiting_ = 0;
    uint64_t low_ = 0;
    uint32_t range_ = 0xffffffff;
    uint8_t held_ = 0;
    bool begun_ = false;
};

class RangeDecoder {
   public:
    RangeDecoder(const uint8_t* in, size_t size) : in_(in), size_(size) {
        for (int i = 0; i < 4; ++i) code_ = code_ << 8 | next();
    }

    bool code(bool, uint32_t probability) {
        const uint32_t bound = static_cast<uint32_t>(static_cast<uint64_t>(range_) * probability >> 16);
        const bool bit = code_ < bound;
        if (bit) {
            range_ = bound;
        } else {
            code_ -= bound;
            range_ -= bound;
        }
        while (range_ < kMinRange) {
            code_ = code_ << 8 | next();
            range_ <<= 8;
        }
        return bit;
    }

   private:
    uint8_t next() { return place_ < size_ ? in_[place_++] : 0; }

    const uint8_t* in_;
    size_t size_, place_ = 0;
    uint32_t code_ = 0, range_ = 0xffffffff;
};
