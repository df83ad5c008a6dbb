// The golden test: checkpoints in, for each of them, for each scenario and instruction set a hash of the samples and
// states out, of coded segments and of the parts of voices. scenario.py, coded.py and voiced.py are the same in Python;
// expected.txt has what must come out, on every machine.
#include <array>
#include <cstdio>
#include <functional>
#include <optional>
#include <utility>

#include "checkpoint.hpp"
#include "coded.hpp"
#include "engine/dispatch.hpp"
#include "engine/engine.hpp"
#include "sha256.hpp"
#include "streamed.hpp"

namespace {

using synth::DrawOptions;

constexpr uint64_t kAll = uint64_t{1} << 32;
constexpr DrawOptions kPlain{4096, 256, kAll}, kGreedy{0, 256, kAll};

// One stream of a network, and the hash of what it did.
class Session {
   public:
    explicit Session(const std::shared_ptr<const synth::PackedNetwork>& of) : network(of) {
        stream.emplace(network, 0xFFFFFFFEu, 3);
        labels(0);
    }

    // The values' bits as little-endian bytes, after the array's name.
    template <class T>
    void add(const std::string& name, const std::vector<T>& values) {
        for (const char letter : name) hash.add(static_cast<uint8_t>(letter));
        for (const T value : values) {
            uint64_t bits;
            if constexpr (sizeof(T) == 8)
                std::memcpy(&bits, &value, 8);
            else
                bits = static_cast<uint64_t>(value);
            for (size_t i = 0; i < sizeof(T); ++i) hash.add(static_cast<uint8_t>(bits >> 8 * i));
        }
    }
    void labels(int turn) {
        for (int key = 0; key < network->model.labels; ++key)
            stream->state.labels[key] = (turn + key) % (network->model.label_values[key] + 1);
        std::vector<int16_t> vector = stream->conditioning();
        for (int i = 0; i < static_cast<int>(vector.size()); ++i)
            vector[i] = static_cast<int16_t>(((turn * 7919 + i * 1543) % 65536 - 32768) >> i % 8);
        stream->set_conditioning(vector.data());
    }
    void keep() {
        synth::SavedState saved = stream->save();
        saved.each(network->model, [&](const char* name, const auto& values, int) { add(name, values); });
    }
    void generate(size_t count, const DrawOptions& draw) {
        std::vector<uint8_t> codes(count), others(count);
        uint8_t* const out[] = {codes.data(), others.data()};
        network->api.generate(network->model, side_by_side().data(), out, turn_, count, draw);
        add("generated", codes);
        keep();
    }
    void force(const std::vector<uint8_t>& codes) {
        std::vector<uint32_t> costs(codes.size()), others(codes.size());
        const uint8_t* const in[] = {codes.data(), codes.data()};
        uint32_t* const out[] = {costs.data(), others.data()};
        network->api.teacher_force(network->model, side_by_side().data(), in, out, turn_, codes.size());
        add("costs", costs);
        keep();
    }
    void look() {
        std::vector<uint32_t> leaves(256);
        synth::Stream peek(*stream);
        network->api.distribution(network->model, peek.state, leaves.data());
        add("distribution", leaves);
        keep();
    }
    void restore(uint64_t ahead = 0) {
        synth::SavedState saved = stream->save();
        saved.position[0] += ahead;
        stream.emplace(network, 0, 0);
        stream->restore(saved);
        keep();
    }

    std::shared_ptr<const synth::PackedNetwork> network;
    std::optional<synth::Stream> stream;
    Sha256 hash;

   private:
    // Every second time another stream comes along: the samples are the same.
    std::array<synth::State*, 2> side_by_side() {
        turn_ = 3 - turn_;
        if (!companion_) companion_.emplace(network, 7u, 1u);
        return {&stream->state, &companion_->state};
    }
    std::optional<synth::Stream> companion_;
    int turn_ = 2;
};

// Codes: 0 noise of all codes, 1 a square wave at full scale, 2 silence.
std::vector<uint8_t> signal(int kind, int count) {
    std::vector<uint8_t> codes(count, 128);
    uint32_t noise = 1;
    for (int i = 0; i < count; ++i) {
        noise = (noise * 1103515245u + 12345u) & 0x7FFFFFFFu;
        if (kind == 0)
            codes[i] = static_cast<uint8_t>(noise >> 16);
        else if (kind == 1)
            codes[i] = i / 9 % 2 != 0 ? 255 : 0;
    }
    return codes;
}

void drawn(Session& session) {
    for (const int count : {1, 15, 17, 60}) session.generate(count, kPlain);
}

void tempered(Session& session) {
    for (const int inverse : {5461, 1638, 1, 1 << 24}) session.generate(20, {inverse, 256, kAll});
}

void greedy(Session& session) {
    session.generate(7, kGreedy);
    session.generate(40, kGreedy);
}

void top(Session& session) {
    for (const DrawOptions& draw : {DrawOptions{4096, 20, uint64_t{3} << 30}, DrawOptions{5461, 256, uint64_t{1} << 31},
                                    DrawOptions{4096, 3, kAll}, DrawOptions{1638, 200, kAll - 1}})
        session.generate(15, draw);
}

void rested(Session& session) {
    for (const DrawOptions& draw :
         {DrawOptions{0, 256, kAll, true}, DrawOptions{16384, 256, kAll, true}, DrawOptions{0, 5, uint64_t{1} << 31, true},
          DrawOptions{4096, 1, kAll, true}, DrawOptions{5461, 3, uint64_t{1} << 30, true}}) {
        session.force(signal(2, 16));
        session.generate(20, draw);
    }
}

void labelled(Session& session) {
    for (int turn = 1; turn < 8; ++turn) {
        session.labels(turn);
        session.generate(7, kPlain);
    }
}

void forced(Session& session) {
    for (const auto& part : {std::pair<int, int>{0, 61}, {1, 50}, {2, 39}, {0, 20}})
        session.force(signal(part.first, part.second));
    session.generate(20, kPlain);
}

void looked(Session& session) {
    session.look();
    for (const int count : {3, 13, 1, 14}) {
        session.generate(count, kPlain);
        session.look();
    }
}

void restored(Session& session) {
    for (int turn = 0; turn < 18; ++turn) {
        session.labels(turn);
        session.restore();
        session.generate(1, kPlain);
    }
    session.restore();
    session.force(signal(0, 20));
    session.restore();
    session.generate(20, kPlain);
}

void far(Session& session) {
    session.generate(21, kPlain);
    session.restore(kAll - 32);
    session.generate(30, kPlain);
    session.restore(uint64_t{1} << 47);
    session.generate(20, kPlain);
}

// What predict_codes gives of samples, for codes that are tokens.
void token_inputs(int period, const std::vector<uint8_t>& codes, std::vector<uint8_t>& guesses,
                  std::vector<uint8_t>& residual) {
    for (int i = 0; i < static_cast<int>(codes.size()); ++i) {
        guesses[i] = i < period ? 128 : codes[i - period];
        residual[i] = static_cast<uint8_t>(i % period);
    }
}

void predicted(Session& session) {
    const synth::PackedNetwork& network = *session.network;
    if (network.model.stride && !network.model.period) return;  // what is predicted depends on the conditioning
    for (int kind = 0; kind < 3; ++kind) {
        const std::vector<uint8_t> codes = signal(kind, 200);
        std::vector<uint8_t> guesses(codes.size()), residual(codes.size());
        if (network.model.period)
            token_inputs(network.model.period, codes, guesses, residual);
        else
            network.api.predict_codes(network.model.predictor, codes.data(), guesses.data(), residual.data(),
                                      codes.size());
        session.add("predicted", guesses);
        session.add("predicted", residual);
    }
}

void heard(Session& session) {
    std::vector<int32_t> samples = samples_of(kCoded[0]);
    samples.resize(18);
    const std::shared_ptr<const synth::PackedNetwork>& network = session.network;
    for (const int level : {1, 2})
        session.add("heard", coded(coding_of(network->api), {1, 16, level, network}, samples));
}

void corrected(Session& session) {
    const std::shared_ptr<const synth::PackedNetwork>& network = session.network;
    for (const auto& [level, place] : {std::pair{1, 0}, {1, 2}, {2, 1}}) {
        const Coded& segment = kCoded[place];
        session.add("corrected", coded(coding_of(network->api), {segment.channels, segment.bits, level, network},
                                       samples_of(segment)));
    }
}

constexpr std::pair<const char*, void (*)(Session&)> kScenarios[] = {
    {"drawn", drawn},       {"tempered", tempered}, {"greedy", greedy}, {"top", top}, {"rested", rested},
    {"labelled", labelled},
    {"forced", forced},     {"looked", looked},     {"restored", restored}, {"far", far}, {"predicted", predicted},
    {"heard", heard},
};
constexpr std::pair<const char*, void (*)(Session&)> kOfCorrectors[] = {{"corrected", corrected}};

std::string stem(const std::string& path) {
    const size_t from = path.find_last_of("/\\") + 1;
    return path.substr(from, path.find_last_of('.') - from);
}

bool is_left_out(const std::string& kind, int level) {
    return kind == "long" || (level == 2 && kind != "mono" && kind != "three" && kind != "codes");
}

// Prints the hashes of segments that no network listens to; false if two instruction sets differ. `brief`: level max
// of three kinds alone, nothing of the longest; run.py names the same.
bool run_codec(bool brief) {
    bool same = true;
    for (const Coded& segment : kCoded) {
        const std::vector<int32_t> samples = samples_of(segment);
        for (int level = 0; level < 3; ++level) {
            if (brief && is_left_out(segment.kind, level)) continue;
            std::string first;
            for (const synth::Api* api : synth::instruction_sets()) {
                Sha256 hash;
                for (const uint8_t byte : coded(coding_of(*api), {segment.channels, segment.bits, level, nullptr}, samples))
                    hash.add(byte);
                const std::string text = hash.hex().substr(0, 32);
                std::printf("codec %s-%s %s %s\n", segment.kind, kLevelNames[level], api->name, text.c_str());
                same = same && (first.empty() || first == text);
                first = text;
            }
        }
    }
    for (const CodedResiduals& residuals : kCodedResiduals) {  // the same code for every set
        Sha256 hash;
        for (const uint8_t byte : coded(residuals)) hash.add(byte);
        const std::string text = hash.hex().substr(0, 32);
        for (const synth::Api* api : synth::instruction_sets())
            std::printf("codec %s %s %s\n", residuals.name, api->name, text.c_str());
    }
    return same;
}

// Prints the hashes of parts of voices; false if two instruction sets differ.
bool run_voices() {
    bool same = true;
    for (const char* what : kVoiced) {
        std::string first;
        for (const synth::Api* api : synth::instruction_sets()) {
            const std::string text = voiced(what, api->name);
            std::printf("voice %s %s %s\n", what, api->name, text.c_str());
            same = same && (first.empty() || first == text);
            first = text;
        }
    }
    return same;
}

// Prints the hashes of one checkpoint; false if two instruction sets differ.
bool run(const std::string& path) {
    Checkpoint checkpoint(path);
    std::vector<std::string> first;
    bool same = true;
    for (const synth::Api* api : synth::instruction_sets()) {
        const auto network = std::make_shared<const synth::PackedNetwork>(*api, checkpoint.sizes, checkpoint.tensors);
        size_t place = 0;
        const auto run_one = [&](const char* what, void (*scenario)(Session&)) {
            Session session(network);
            scenario(session);
            const std::string hash = session.hash.hex().substr(0, 32);
            std::printf("%s %s %s %s\n", stem(path).c_str(), what, api->name, hash.c_str());
            if (first.size() == place) first.push_back(hash);
            same = same && first[place++] == hash;
        };
        if (network->model.hints)
            for (const auto& [what, scenario] : kOfCorrectors) run_one(what, scenario);
        else
            for (const auto& [what, scenario] : kScenarios) run_one(what, scenario);
    }
    return same;
}

}  // namespace

int main(int count, char** arguments) try {
    const bool brief = count > 1 && std::string(arguments[1]) == "--brief";
    bool same = run_codec(brief);
    same = run_voices() && same;
    for (int i = brief ? 2 : 1; i < count; ++i) same = run(arguments[i]) && same;
    if (!same) std::fputs("instruction sets differ\n", stderr);
    return same ? 0 : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "golden: error: %s\n", error.what());
    return 2;
}
