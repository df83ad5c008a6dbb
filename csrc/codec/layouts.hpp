// What a segment's channels are made of, found by an encoder and written before the range coder's stream, and what the
// kernels need to know of it. For segment.cpp alone, within its namespace.
#pragma once

enum Kind { kPlain, kList, kCopy, kInverse };

// What is written of a channel. `shift`: low bits that no sample uses; `like`: the channel of which this is a copy;
// `codes`: the list is that of the mu-law codes' values, and is not written.
struct ChannelLayout {
    Kind kind = kPlain;
    int shift = 0, like = 0;
    bool codes = false;
    std::vector<int32_t> values;
    std::vector<double> positions, bounds;
};

constexpr uint8_t kStored = 255, kAllPlain = 128;
constexpr size_t kFewCodes = 64;  // fewer values than these are listed, mu-law codes or not

inline void set_starts(Grid& grid) {
    grid.starts[0] = -1e9;
    for (int sample = -32768, code = 0; sample < 32768; ++sample)
        while (kMulaw.encode[sample + 32768] > code) grid.starts[++code] = sample;
}

// log2, to a few bits: of the encoder's choice alone, but that shall be the same everywhere too.
inline double about_log2(double x) {
    int whole = 0;
    for (; x >= 2.0; x = x * 0.5) ++whole;
    return whole + (x - 1.0) * (1.0 + 0.34 * (2.0 - x));
}

// How many ways of coding a segment an effort has.
inline int variants(int effort) { return kPresets[effort][1] == kPresets[effort][0] ? 1 : kVariants; }

inline int64_t least_of(int bits) { return -(int64_t{1} << (bits - 1)); }
inline int64_t most_of(int bits) { return (int64_t{1} << (bits - 1)) - 1; }

// The layouts of all channels of a segment, and the variant of the effort that codes it.
class SegmentLayout {
   public:
    SegmentLayout(const SegmentFormat& format, size_t frames) : format_(format), frames_(frames) {
        unit_ = 1.0;
        for (int i = format.bits; i < 16; ++i) unit_ = unit_ * 2.0;
        for (int i = 16; i < format.bits; ++i) unit_ = unit_ * 0.5;
    }

    // Finds the layout of every channel.
    void analyse(const int32_t* samples) {
        for (int c = 0; c < format_.channels; ++c) {
            ChannelLayout& layout = layout_[c];
            if (find_copy(samples, c)) continue;
            uint32_t all = 0;
            for (size_t t = 0; t < frames_; ++t) all |= static_cast<uint32_t>(samples[t * format_.channels + c]);
            while (layout.shift < format_.bits - 1 && !(all >> layout.shift & 1)) ++layout.shift;
            find_values(samples, c);
            if (are_codes(samples, c) && (layout.kind != kList || layout.values.size() >= kFewCodes)) {
                layout.kind = kList, layout.codes = true, layout.shift = 0;
                layout.values.assign(kMulaw.decode, kMulaw.decode + 256);
            }
        }
    }

    // The layouts as bytes.
    void write(std::vector<uint8_t>& out) const {
        bool plain = true;
        for (int c = 0; c < format_.channels; ++c)
            plain = plain && layout_[c].kind == kPlain && layout_[c].shift == 0;
        out.push_back(static_cast<uint8_t>(variant_ | (plain ? kAllPlain : 0)));
        if (plain) return;
        for (int c = 0; c < format_.channels; ++c) {
            const ChannelLayout& layout = layout_[c];
            const int detail = layout.kind == kPlain ? layout.shift : layout.kind == kList ? layout.codes : layout.like;
            out.push_back(static_cast<uint8_t>(layout.kind | detail << 2));
            if (layout.kind != kList || layout.codes) continue;
            const std::vector<uint8_t> list = list_bytes(layout.values);
            for (size_t size = list.size();; size >>= 7) {
                out.push_back(static_cast<uint8_t>((size & 127) | (size > 127 ? 128 : 0)));
                if (size <= 127) break;
            }
            out.insert(out.end(), list.begin(), list.end());
        }
    }

    // Reads them; moves `data` past them. False for what `write` never writes.
    bool read(const uint8_t*& data, const uint8_t* end) {
        if (data == end) return false;
        const uint8_t first = *data++;
        variant_ = first & 127;
        if (variant_ >= variants(format_.effort)) return false;
        if (first & kAllPlain) return true;
        for (int c = 0; c < format_.channels; ++c) {
            if (data == end) return false;
            ChannelLayout& layout = layout_[c];
            layout.kind = static_cast<Kind>(*data & 3);
            const int detail = *data++ >> 2;
            if (layout.kind == kPlain) {
                layout.shift = detail;
                if (detail >= format_.bits) return false;
            } else if (layout.kind == kList) {
                layout.codes = detail == 1;
                if (detail > 1 || (layout.codes && format_.bits != 16)) return false;
                if (layout.codes)
                    layout.values.assign(kMulaw.decode, kMulaw.decode + 256);
                else if (!read_list(data, end, layout.values))
                    return false;
            } else {
                layout.like = detail;
                if (detail >= c || is_copy(detail)) return false;
            }
        }
        return true;
    }

    Plan plan() {
        Plan plan{};
        plan.preset = kPresets[format_.effort][variant_];
        for (int c = 0; c < format_.channels; ++c) {
            if (!is_coded(c)) continue;
            ChannelLayout& layout = layout_[c];
            Grid& grid = plan.grid[plan.channels];
            place_[c] = plan.channels++;
            set_starts(grid);
            grid.unit = unit_ * static_cast<double>(int64_t{1} << layout.shift);
            grid.count = static_cast<int>(int64_t{1} << (format_.bits - layout.shift));
            grid.first = static_cast<double>(least_of(format_.bits)) * unit_;
            if (layout.kind == kList) fill_list(layout, grid);
            place_codes(grid);
        }
        if (format_.network) add_network(plan);
        return plan;
    }

    std::vector<int32_t> ranks(const Plan& plan, const int32_t* samples) const {
        std::vector<int32_t> out(frames_ * plan.channels);
        for (int c = 0; c < format_.channels; ++c) {
            if (!is_coded(c)) continue;
            const ChannelLayout& layout = layout_[c];
            const int32_t least = static_cast<int32_t>(least_of(format_.bits));
            for (size_t t = 0; t < frames_; ++t) {
                const int32_t sample = samples[t * format_.channels + c];
                const auto& v = layout.values;
                out[t * plan.channels + place_[c]] =
                    layout.kind == kList
                        ? static_cast<int32_t>(std::lower_bound(v.begin(), v.end(), sample) - v.begin())
                        : (sample - least) >> layout.shift;
            }
        }
        return out;
    }

    void samples(const Plan& plan, const std::vector<int32_t>& ranks, int32_t* out) const {
        const int32_t least = static_cast<int32_t>(least_of(format_.bits));
        for (size_t t = 0; t < frames_; ++t, out += format_.channels) {
            for (int c = 0; c < format_.channels; ++c) {
                const ChannelLayout& layout = layout_[c];
                if (is_copy(c)) {
                    const int32_t other = out[layout.like];
                    out[c] = layout.kind == kCopy || other == least ? other : -other;
                    continue;
                }
                const int32_t rank = is_coded(c) ? ranks[t * plan.channels + place_[c]] : 0;
                out[c] = layout.kind == kList ? layout.values[rank] : rank * (1 << layout.shift) + least;
            }
        }
    }

    void set_variant(int variant) { variant_ = variant; }

   private:
    void add_network(Plan& plan) {
        plan.network = {&format_.network->api, &format_.network->model, {}};
        streams_.clear();
        for (int c = 0; c < plan.channels; ++c) {
            streams_.push_back(std::make_unique<Stream>(format_.network, 0, 0));
            plan.network.states[c] = &streams_[c]->state;
        }
    }

    bool is_copy(int c) const { return layout_[c].kind == kCopy || layout_[c].kind == kInverse; }

    bool is_coded(int c) const { return !is_copy(c) && (layout_[c].kind != kList || layout_[c].values.size() > 1); }

    bool find_copy(const int32_t* samples, int c) {
        for (int other = 0; other < c; ++other) {
            if (is_copy(other)) continue;
            bool same = true, inverse = true;
            for (size_t t = 0; t < frames_ && (same || inverse); ++t) {
                const int32_t a = samples[t * format_.channels + other], b = samples[t * format_.channels + c];
                same = same && a == b;
                inverse = inverse && a == -b && a != least_of(format_.bits);
            }
            if (!same && !inverse) continue;
            layout_[c].kind = same ? kCopy : kInverse;
            layout_[c].like = other;
            return true;
        }
        return false;
    }

    // Whether the samples are what mu-law codes decode to.
    bool are_codes(const int32_t* samples, int c) const {
        if (format_.bits != 16) return false;
        for (size_t t = 0; t < frames_; ++t) {
            const int32_t sample = samples[t * format_.channels + c];
            if (kMulaw.decode[kMulaw.encode[sample + 32768]] != sample) return false;
        }
        return true;
    }

    std::vector<uint8_t> list_bytes(const std::vector<int32_t>& values) const {
        std::vector<uint8_t> out(values.size() * 8 + 64);
        std::vector<int32_t> copy = values;
        RangeEncoder coder(out.data(), out.size());
        code_values(coder, copy, least_of(format_.bits), most_of(format_.bits));
        out.resize(coder.finish());
        return out;
    }

    bool read_list(const uint8_t*& data, const uint8_t* end, std::vector<int32_t>& values) const {
        size_t size = 0;
        for (int shift = 0;; shift += 7) {
            if (data == end || shift > 21) return false;
            size |= static_cast<size_t>(*data & 127) << shift;
            if (!(*data++ & 128)) break;
        }
        if (size > static_cast<size_t>(end - data)) return false;
        RangeDecoder coder(data, size);
        data += size;
        return code_values(coder, values, least_of(format_.bits), most_of(format_.bits));
    }

    // Whether to list the values: where the gaps between them save clearly more than the list costs.
    void find_values(const int32_t* samples, int c) {
        const int64_t least = least_of(format_.bits), step = int64_t{1} << layout_[c].shift;
        std::vector<bool> used(static_cast<size_t>(most_of(format_.bits) - least + 1));
        std::vector<int32_t> values;
        for (size_t t = 0; t < frames_; ++t) {
            const int32_t sample = samples[t * format_.channels + c];
            if (used[sample - least]) continue;
            used[sample - least] = true;
            if (values.size() == kMaxValues || values.size() * 8 > frames_ + 64) return;
            values.push_back(sample);
        }
        if (values.empty()) return;
        std::sort(values.begin(), values.end());
        std::vector<double> saved(values.size(), 8.0);
        for (size_t i = 1; i + 1 < values.size(); ++i)
            saved[i] = about_log2(static_cast<double>(values[i + 1] - values[i - 1]) / static_cast<double>(2 * step));
        if (values.size() > 2) saved.front() = saved.back() = 0.0;
        double sum = 0.0;
        for (size_t t = 0; t < frames_; ++t) {
            const auto at = std::lower_bound(values.begin(), values.end(), samples[t * format_.channels + c]);
            sum += saved[at - values.begin()];
        }
        if (sum * 0.5 <= static_cast<double>(list_bytes(values).size() * 8 + 24)) return;
        layout_[c].kind = kList;
        layout_[c].values = std::move(values);
        layout_[c].shift = 0;
    }

    void fill_list(ChannelLayout& layout, Grid& grid) const {
        layout.positions.clear(), layout.bounds.clear();
        for (const int32_t value : layout.values) layout.positions.push_back(static_cast<double>(value) * unit_);
        const std::vector<double>& at = layout.positions;
        layout.bounds.push_back(at[0]);
        for (size_t i = 1; i < at.size(); ++i) layout.bounds.push_back((at[i - 1] + at[i]) * 0.5);
        layout.bounds.push_back(at.back());
        grid.values = at.data(), grid.bounds = layout.bounds.data(), grid.count = static_cast<int>(at.size());
    }

    SegmentFormat format_;
    size_t frames_;
    double unit_;
    int variant_ = 0;
    std::vector<std::unique_ptr<Stream>> streams_;
    ChannelLayout layout_[kMaxChannels];
    int place_[kMaxChannels] = {};
};
