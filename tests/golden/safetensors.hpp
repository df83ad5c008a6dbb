// A reader of .safetensors files, enough for checkpoints: a header in JSON, then little-endian values on any machine.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

// The JSON that the header is made of. Escapes are skipped over: no name here has any.
class Json {
   public:
    Json(const char* at, const char* end) : at_(at), end_(end) {}

    bool take(char wanted) {
        while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
        if (at_ == end_ || *at_ != wanted) return false;
        ++at_;
        return true;
    }
    void need(char wanted) {
        if (!take(wanted)) throw std::runtime_error(std::string("header: no ") + wanted);
    }
    std::string text() {
        need('"');
        std::string found;
        for (; at_ < end_ && *at_ != '"'; ++at_) {
            if (*at_ == '\\' && ++at_ == end_) break;
            found += *at_;
        }
        need('"');
        return found;
    }
    std::vector<uint64_t> numbers() {
        std::vector<uint64_t> found;
        need('[');
        while (!take(']')) {
            found.push_back(0);
            take(' ');
            for (; at_ < end_ && *at_ >= '0' && *at_ <= '9'; ++at_) found.back() = found.back() * 10 + (*at_ - '0');
            if (!take(',') && (at_ == end_ || *at_ != ']')) throw std::runtime_error("header: not a number");
        }
        return found;
    }
    // Calls visit(name) for each member; it reads the value.
    template <class Visit>
    void object(Visit visit) {
        need('{');
        while (!take('}')) {
            const std::string name = text();
            need(':');
            visit(name);
            take(',');
        }
    }

   private:
    const char *at_, *end_;
};

inline const char* type_name(int8_t) { return "I8"; }
inline const char* type_name(int16_t) { return "I16"; }
inline const char* type_name(int32_t) { return "I32"; }
inline const char* type_name(uint32_t) { return "U32"; }
inline const char* type_name(double) { return "F64"; }

class Safetensors {
   public:
    explicit Safetensors(const std::string& path) {
        std::ifstream file(path, std::ios::binary);
        bytes_.assign(std::istreambuf_iterator<char>(file), {});
        const uint64_t length = bytes_.size() < 8 ? 0 : little(bytes_.data(), 8);
        if (length == 0 || length > bytes_.size() - 8) throw std::runtime_error(path + ": not a .safetensors file");
        start_ = 8 + length;
        Json json(bytes_.data() + 8, bytes_.data() + start_);
        json.object([&](const std::string& name) {
            Entry entry;
            json.object([&](const std::string& key) {
                if (key == "shape")
                    entry.shape = json.numbers();
                else if (key == "data_offsets")
                    entry.offsets = json.numbers();
                else
                    entry.type = json.text();
                if (name == "__metadata__" && key == "config") config_ = entry.type;
            });
            if (name != "__metadata__") entries_[name] = entry;
        });
    }

    // A number of the network's config; 0 where it is left out.
    int option(const std::string& name) const {
        const size_t at = config_.find("\"" + name + "\": ");
        return at == std::string::npos ? 0 : std::atoi(config_.c_str() + at + name.size() + 4);
    }

    bool has(const std::string& name) const { return entries_.count(name) != 0; }

    // Length of an axis of a tensor.
    int axis(const std::string& name, size_t which) const {
        const std::vector<uint64_t>& shape = entry(name).shape;
        if (which >= shape.size() || shape[which] > 1 << 20) throw std::runtime_error(name + ": wrong shape");
        return static_cast<int>(shape[which]);
    }

    // A tensor's `count` values, in this machine's byte order; they live as long as the reader.
    template <class T>
    const T* values(const std::string& name, size_t count) {
        const Entry& from = entry(name);
        const bool good = from.type == type_name(T{}) && from.offsets.size() == 2 &&
                          from.offsets[1] <= bytes_.size() - start_ && from.offsets[0] <= from.offsets[1] &&
                          from.offsets[1] - from.offsets[0] == count * sizeof(T);
        if (!good) throw std::runtime_error(name + ": wrong type or size");
        auto owned = std::make_shared<std::vector<T>>(count);
        for (size_t i = 0; i < count; ++i) {
            const uint64_t bits = little(bytes_.data() + start_ + from.offsets[0] + i * sizeof(T), sizeof(T));
            (*owned)[i] = from_bits<T>(bits);
        }
        owned_.push_back(owned);
        return owned->data();
    }

   private:
    struct Entry {
        std::string type;
        std::vector<uint64_t> shape, offsets;
    };

    static uint64_t little(const char* from, size_t count) {
        uint64_t value = 0;
        for (size_t i = count; i-- > 0;) value = value << 8 | static_cast<unsigned char>(from[i]);
        return value;
    }
    template <class T>
    static T from_bits(uint64_t bits) {
        if constexpr (sizeof(T) == 8) {
            T value;
            std::memcpy(&value, &bits, 8);
            return value;
        } else {
            return static_cast<T>(bits);
        }
    }
    const Entry& entry(const std::string& name) const {
        if (!has(name)) throw std::runtime_error(name + ": missing");
        return entries_.at(name);
    }

    std::vector<char> bytes_;
    std::string config_;
    uint64_t start_ = 0;
    std::map<std::string, Entry> entries_;
    std::vector<std::shared_ptr<void>> owned_;
};
