// Decodes damaged segments, or `residuals` of samples of 32 bits, under AddressSanitizer and UBSan: `segments COUNT SEED
// CHECKPOINT...`, `segments COUNT SEED residuals`. What must hold: no report, samples of the segment's bits or a refusal, no decoding longer than kSeconds, no more memory than kMostMemory.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "codec/residuals.hpp"
#include "codec/segment.hpp"
#include "checkpoint.hpp"
#include "codings.hpp"
#include "signals.hpp"

extern "C" {  // of the sanitizers' runtime, whose headers not every compiler brings
int __sanitizer_install_malloc_and_free_hooks(void (*taken)(const volatile void*, size_t),
                                              void (*freed)(const volatile void*));
size_t __sanitizer_get_allocated_size(const volatile void* place);
void __sanitizer_set_death_callback(void (*callback)());
}

namespace {

using Bytes = std::vector<uint8_t>;
using Networks = std::vector<std::shared_ptr<const synth::PackedNetwork>>;

constexpr unsigned kSeconds = 20;
constexpr size_t kMostMemory = size_t{64} << 20;  // at a time, for at most 256 samples of 8 channels at any level
constexpr size_t kMutants = 128;                  // of a segment

unsigned long long g_seed, g_round;
size_t g_memory, g_peak;

void count_taken(const volatile void*, size_t size) { g_peak = std::max(g_peak, g_memory += size); }
void count_freed(const volatile void* place) {
    if (place) g_memory -= __sanitizer_get_allocated_size(place);
}
void tell() { std::fprintf(stderr, "segments: seed %llu, round %llu\n", g_seed, g_round); }

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "segments: %s\n", what);
    tell();
    std::_Exit(1);
}

struct Case {
    Signal signal;
    synth::SegmentFormat format;
    Bytes data;
};

struct Tally {
    unsigned long long mutants = 0, refused = 0, decoded = 0, right = 0;
};

Case any_case(Random& random, const synth::CodingApi& coding, const Networks& networks) {
    Case made;
    made.signal = any_signal(random);
    const bool listening = made.signal.level > 0 && !networks.empty() && random.one_in(3);
    made.format = {made.signal.channels, made.signal.bits, made.signal.level,
                   listening ? networks[random.below(networks.size())] : nullptr};
    made.data = synth::encode_segment(coding, made.format, made.signal.samples.data(), made.signal.frames);
    return made;
}

void mutate(Random& random, Bytes& data, const Bytes& other) {
    static constexpr uint8_t kBytes[] = {0, 1, 2, 3, 4, 5, 6, 7, 9, 32, 60, 63, 64, 127, 128, 129, 130, 254, 255};
    const auto place = [&](size_t end) { return data.empty() ? 0 : random.below(std::min(end, data.size())); };
    const size_t kind = random.below(10), at = place(random.one_in(2) ? 8 : data.size());
    if (kind == 7)
        data.resize(at);
    else if (kind == 8)
        for (size_t i = 1 + random.below(40); i > 0; --i) data.push_back(static_cast<uint8_t>(random.next()));
    else if (kind == 9)
        data.insert(data.begin() + static_cast<std::ptrdiff_t>(at), kBytes[random.below(sizeof kBytes)]);
    else if (data.empty())
        return;
    else if (kind < 2)
        data[at] ^= static_cast<uint8_t>(1u << random.below(8));
    else if (kind == 2)
        data[at] = static_cast<uint8_t>(random.next());
    else if (kind < 5)
        data[at] = kBytes[random.below(sizeof kBytes)];
    else if (kind == 5)
        data.erase(data.begin() + static_cast<std::ptrdiff_t>(at));
    else if (!other.empty())  // splice: the start of one and the end of the other
        data.resize(at), data.insert(data.end(), other.begin() + random.below(other.size()), other.end());
}

// The segment as it should be, now and then as one of another shape; of the slow levels mostly the first frames alone.
synth::SegmentFormat any_format(Random& random, const Case& from, const Case& other, size_t& frames) {
    synth::SegmentFormat format = from.format;
    frames = from.signal.frames;
    if (format.effort > 0 && !random.one_in(8)) frames = std::min<size_t>(frames, 4);
    if (!random.one_in(6)) return format;
    const size_t kind = random.below(4);
    if (kind == 0) frames = random.below(257) / static_cast<size_t>(format.channels);
    if (kind == 1) format.bits = other.format.bits;
    if (kind == 2) format.channels = other.format.channels, frames = 256u / static_cast<unsigned>(format.channels);
    if (kind == 3) format.effort = other.format.effort, format.network = other.format.network;
    return format;
}

bool decode(const synth::CodingApi& coding, const synth::SegmentFormat& format, const Bytes& data, size_t frames,
            std::vector<int32_t>& samples) {
    const Bytes exact(data);  // its size is its capacity, so that reading past the end is seen
    samples.assign(frames * static_cast<size_t>(format.channels), INT32_MIN);
    alarm(kSeconds);
    g_peak = g_memory;
    const size_t before = g_memory;
    const bool good = synth::decode_segment(coding, format, exact.data(), exact.size(), samples.data(), frames);
    alarm(0);
    if (g_peak - before > kMostMemory) fail("too much memory");
    if (g_memory != before) fail("memory is lost");
    const int32_t bound = static_cast<int32_t>(int64_t{1} << (format.bits - 1));
    for (const int32_t sample : samples)
        if (good && (sample < -bound || sample >= bound)) fail("a sample that its bits can't hold");
    return good;
}

size_t run_round(Random& random, const Networks& networks, Tally& tally) {
    const auto& sets = synth::instruction_sets();
    const synth::CodingApi& coding = coding_of(*sets[random.one_in(8) ? random.below(sets.size()) : sets.size() - 1]);
    const Case made = any_case(random, coding, networks), other = any_case(random, coding, networks);
    std::vector<int32_t> samples;
    if (!decode(coding, made.format, made.data, made.signal.frames, samples) || samples != made.signal.samples)
        fail("a segment does not come back");
    size_t most = 0;
    for (size_t i = 0; i < kMutants; ++i) {
        Bytes data = made.data;
        for (size_t k = random.below(4); k + 1 > 0; --k) mutate(random, data, other.data);
        size_t frames;
        const synth::SegmentFormat format = any_format(random, made, other, frames);
        const size_t before = g_memory;
        const bool good = decode(coding, format, data, frames, samples);
        most = std::max(most, g_peak - before);
        ++tally.mutants, ++(good ? tally.decoded : tally.refused);
        tally.right += good && samples == made.signal.samples;
    }
    return most;
}

// Residuals of all sizes and their classes, some wrong.
void any_residuals(Random& random, std::vector<int32_t>& values, Bytes& classes) {
    const size_t count = 1 + random.below(random.one_in(8) ? 400 : 80), sizes = 1 + random.below(33);
    for (size_t i = 0; i < count; ++i) {
        const size_t size = random.one_in(3) ? 0 : random.below(sizes + 1);
        const auto value = static_cast<uint32_t>(size ? random.next() >> (64 - size) : 0);
        values.push_back(static_cast<int32_t>(random.one_in(2) ? 0u - value : value));
        classes.push_back(static_cast<uint8_t>(random.one_in(8) ? random.below(33) : size));
    }
}

// Damaged residuals give others, of whatever classes and number.
size_t run_residuals(Random& random, Tally& tally) {
    std::vector<int32_t> values, back, others;
    Bytes classes, other_classes;
    any_residuals(random, values, classes);
    any_residuals(random, others, other_classes);
    const size_t channels = 1 + random.below(8);
    const Bytes whole = synth::encode_residuals(values.data(), classes.data(), values.size(), channels);
    const Bytes other = synth::encode_residuals(others.data(), other_classes.data(), others.size(), channels);
    if (whole.size() > 5 * values.size() + 65) fail("residuals take too many bytes");
    size_t most = 0;
    for (size_t i = 0; i <= kMutants; ++i) {
        Bytes data = whole;
        for (size_t k = i > 0 ? 1 + random.below(4) : 0; k > 0; --k) mutate(random, data, other);
        const Bytes exact(data);
        const bool strange = i > 0 && random.one_in(6);
        const Bytes& read_classes = strange ? other_classes : classes;
        const size_t read_channels = strange ? 1 + random.below(8) : channels;
        back.assign(read_classes.size(), 0);
        const size_t before = g_memory;
        g_peak = g_memory;
        alarm(kSeconds);
        synth::decode_residuals(exact.data(), exact.size(), read_classes.data(), back.size(), read_channels, back.data());
        alarm(0);
        if (g_peak - before > kMostMemory) fail("too much memory");
        if (g_memory != before) fail("memory is lost");
        most = std::max(most, g_peak - before);
        if (i == 0 && whole.size() <= 5 * values.size() + 64 && back != values) fail("residuals do not come back");
        if (i > 0) ++tally.mutants, ++tally.decoded, tally.right += back == values;
    }
    return most;
}

}  // namespace

int main(int count, char** arguments) try {
    if (count < 3) return std::fputs("segments COUNT SEED CHECKPOINT... | residuals\n", stderr), 2;
    const unsigned long long wanted = std::strtoull(arguments[1], nullptr, 10);
    g_seed = std::strtoull(arguments[2], nullptr, 10);
    const bool residuals = count > 3 && std::string(arguments[3]) == "residuals";
    Networks networks;
    for (int i = 3; i < count && !residuals; ++i) {
        const Checkpoint checkpoint(arguments[i]);
        networks.push_back(std::make_shared<const synth::PackedNetwork>(*synth::instruction_sets().back(), checkpoint.sizes,
                                                                  checkpoint.tensors));
    }
    __sanitizer_set_death_callback(tell);
    __sanitizer_install_malloc_and_free_hooks(count_taken, count_freed);
    Tally tally;
    size_t most = 0;
    for (; tally.mutants < wanted; ++g_round) {
        Random random(g_seed << 32 ^ g_round);
        most = std::max(most, residuals ? run_residuals(random, tally) : run_round(random, networks, tally));
    }
    std::printf("%llu mutants: %llu refused, %llu decoded, %llu of them right; at most %zu kB\n", tally.mutants,
                tally.refused, tally.decoded, tally.right, most >> 10);
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "segments: error: %s\n", error.what());
    tell();
    return 2;
}
