// The Python face of the codec's core: checks types and ranges, gives up the interpreter's lock.
#include "python/bind_codec.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "engine/dispatch.hpp"
#include "built_sets.hpp"
#include "codec/residuals.hpp"
#include "codec/segment.hpp"
#include "codec/tokens.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace synth {

#define SYNTH_DECLARE_CODING(set) extern const CodingApi coding_##set;
SYNTH_BUILT_SETS(SYNTH_DECLARE_CODING)

namespace {

using Samples = nb::ndarray<const int32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Tokens = nb::ndarray<const uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using TokensOut = nb::ndarray<uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// The codec of an instruction set that this machine has.
const CodingApi& find_coding(const std::string& name) {
    static const CodingApi* const built[] = {
#define SYNTH_LIST_CODING(set) &coding_##set,
        SYNTH_BUILT_SETS(SYNTH_LIST_CODING)};
    for (const Api* set : instruction_sets())
        for (const CodingApi* coding : built)
            if (name == set->name && name == coding->name) return *coding;
    throw std::invalid_argument("instruction set " + name + ": this machine or build lacks it");
}

void check(const SegmentFormat& format) {
    if (format.channels < 1 || format.channels > kMaxChannels || format.bits < 4 || format.bits > 24 ||
        format.effort < 0 || format.effort >= kEfforts)
        throw std::invalid_argument("segment: channels, bits or level out of range");
}

nb::bytes encode(const std::string& set, const Samples& samples, int bits, int effort,
                 std::shared_ptr<const PackedNetwork> network) {
    const CodingApi& api = find_coding(set);
    const SegmentFormat format{static_cast<int>(samples.shape(1)), bits, effort, std::move(network)};
    check(format);
    const size_t frames = samples.shape(0), count = frames * samples.shape(1);
    const int32_t* data = samples.data();
    const int32_t bound = static_cast<int32_t>(int64_t{1} << (bits - 1));
    std::vector<uint8_t> out;
    bool fits = true;
    {
        const nb::gil_scoped_release release;
        for (size_t i = 0; i < count; ++i) fits = fits && data[i] >= -bound && data[i] < bound;
        if (fits) out = encode_segment(api, format, data, frames);
    }
    if (!fits) throw std::invalid_argument("segment: a sample does not fit its bits");
    return nb::bytes(out.data(), out.size());
}

nb::object decode(const std::string& set, const nb::bytes& data, size_t frames, int channels, int bits, int effort,
                  std::shared_ptr<const PackedNetwork> network) {
    const CodingApi& api = find_coding(set);
    const SegmentFormat format{channels, bits, effort, std::move(network)};
    check(format);
    if (frames > (size_t{1} << 40)) throw std::invalid_argument("segment: too long");
    const size_t count = frames * static_cast<size_t>(channels), size = data.size();
    const uint8_t* bytes = reinterpret_cast<const uint8_t*>(data.c_str());
    std::unique_ptr<int32_t[]> out(new int32_t[count + 1]);
    bool good;
    {
        const nb::gil_scoped_release release;
        good = decode_segment(api, format, bytes, size, out.get(), frames);
    }
    if (!good) throw std::invalid_argument("segment: damaged");
    const nb::capsule owner(out.get(), [](void* p) noexcept { delete[] static_cast<int32_t*>(p); });
    const size_t shape[2] = {frames, static_cast<size_t>(channels)};
    return nb::cast(nb::ndarray<nb::numpy, int32_t>(out.release(), 2, shape, owner));
}

using Sound = nb::ndarray<const int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using BytesOut = nb::ndarray<uint8_t, nb::c_contig, nb::device::cpu>;
using BoundsOut = nb::ndarray<uint16_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

bool trace(const std::string& set, const Sound& samples, int bits, int effort, const BytesOut& hints,
           const BytesOut& bins, const BoundsOut& bounds) {
    const CodingApi& api = find_coding(set);
    const SegmentFormat format{1, bits, effort, nullptr};
    check(format);
    const size_t frames = samples.shape(0);
    if (hints.size() != frames * kHints || bins.size() != frames || bounds.size() != frames * 2)
        throw std::invalid_argument("trace: arrays of the wrong size");
    const int32_t bound = static_cast<int32_t>(int64_t{1} << (bits - 1));
    for (size_t i = 0; i < frames; ++i)
        if (samples.data()[i] < -bound || samples.data()[i] >= bound)
            throw std::invalid_argument("trace: a sample does not fit its bits");
    const Trace out{hints.data(), bins.data(), bounds.data()};
    const nb::gil_scoped_release release;
    return frames > 0 && trace_segment(api, format, samples.data(), frames, out);
}

void check_tokens(const PackedNetwork& network, size_t count) {
    if (count > static_cast<size_t>(network.model.period))
        throw std::invalid_argument("tokens: more in a frame than the network's period");
}

nb::bytes encode_frames(const std::shared_ptr<const PackedNetwork>& network, const Tokens& tokens) {
    check_tokens(*network, tokens.shape(1));
    std::vector<uint8_t> out;
    {
        const nb::gil_scoped_release release;
        out = encode_tokens(network, tokens.data(), tokens.shape(0), tokens.shape(1));
    }
    return nb::bytes(out.data(), out.size());
}

void decode_frames(const std::shared_ptr<const PackedNetwork>& network, const nb::bytes& data,
                   const TokensOut& tokens) {
    check_tokens(*network, tokens.shape(1));
    const uint8_t* bytes = reinterpret_cast<const uint8_t*>(data.c_str());
    const size_t size = data.size();
    const nb::gil_scoped_release release;
    decode_tokens(network, bytes, size, tokens.data(), tokens.shape(0), tokens.shape(1));
}

using Own = nb::ndarray<const int32_t, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

uint64_t choose_frames(const std::shared_ptr<const PackedNetwork>& network, const Own& own, const Own& pairs,
                       int64_t weight, const TokensOut& tokens) {
    const size_t frames = tokens.shape(0), count = tokens.shape(1);
    check_tokens(*network, count);
    if (count < 1 || count > 16 || own.shape(0) != frames || own.shape(1) != count || own.shape(2) != 256 ||
        pairs.shape(0) < count * (count - 1) / 2 || pairs.shape(1) != 256 || pairs.shape(2) != 256 || weight < 0 ||
        weight >= int64_t{1} << 30)
        throw std::invalid_argument("choose_tokens: arrays of the wrong size, or the weight is out of range");
    const TokenDistances distances{own.data(), pairs.data(), count};
    const nb::gil_scoped_release release;
    return choose_tokens(network, distances, frames, weight, tokens.data());
}

using Classes = nb::ndarray<const uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using ResidualsOut = nb::ndarray<int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

void check_classes(const Classes& classes, size_t count, size_t channels) {
    if (classes.shape(0) != count || channels < 1 || channels > kMaxChannels)
        throw std::invalid_argument("residuals: arrays of the wrong size");
    for (size_t i = 0; i < count; ++i)
        if (classes.data()[i] >= kResidualClasses) throw std::invalid_argument("residuals: a class out of range");
}

nb::bytes encode_left(const Sound& residuals, const Classes& classes, size_t channels) {
    check_classes(classes, residuals.shape(0), channels);
    std::vector<uint8_t> out;
    {
        const nb::gil_scoped_release release;
        out = encode_residuals(residuals.data(), classes.data(), residuals.shape(0), channels);
    }
    return nb::bytes(out.data(), out.size());
}

void decode_left(const nb::bytes& data, const Classes& classes, size_t channels, const ResidualsOut& residuals) {
    check_classes(classes, residuals.shape(0), channels);
    const uint8_t* bytes = reinterpret_cast<const uint8_t*>(data.c_str());
    const size_t size = data.size();
    const nb::gil_scoped_release release;
    decode_residuals(bytes, size, classes.data(), residuals.shape(0), channels, residuals.data());
}

}  // namespace

void bind_coding(nb::module_& m) {
    // noconvert: what is written into a converted copy would be lost
    m.def("encode_segment", &encode, "set"_a, "samples"_a.noconvert(), "bits"_a, "effort"_a, "network"_a.none());
    m.def("decode_segment", &decode, "set"_a, "data"_a, "frames"_a, "channels"_a, "bits"_a, "effort"_a,
          "network"_a.none());
    m.def("trace", &trace, "set"_a, "samples"_a.noconvert(), "bits"_a, "effort"_a, "hints"_a.noconvert(),
          "bins"_a.noconvert(), "bounds"_a.noconvert());
    m.def("encode_residuals", &encode_left, "residuals"_a.noconvert(), "classes"_a.noconvert(), "channels"_a);
    m.def("decode_residuals", &decode_left, "data"_a, "classes"_a.noconvert(), "channels"_a, "residuals"_a.noconvert());
    m.def("encode_tokens", &encode_frames, "network"_a, "tokens"_a.noconvert());
    m.def("decode_tokens", &decode_frames, "network"_a, "data"_a, "tokens"_a.noconvert());
    m.def("choose_tokens", &choose_frames, "network"_a, "own"_a.noconvert(), "pairs"_a.noconvert(), "weight"_a,
          "tokens"_a.noconvert());
}

}  // namespace synth
