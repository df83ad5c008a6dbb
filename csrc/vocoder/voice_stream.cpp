#include "vocoder/voice_stream.hpp"

#include <algorithm>
#include <stdexcept>

#include "vocoder/emphasis.hpp"

namespace synth {
namespace {

constexpr uint64_t kOpeningTopP = 3865470566;  // 0.9 of 2^32: of the first 10 ms
constexpr int64_t kMost = 1 << 16;             // samples without a look at what is due

// Draws codes of streams that stand at the same sample.
void draw_some(const std::vector<VoiceStream*>& streams, size_t count, uint8_t* const* out) {
    VoiceStream& lead = *streams[0];
    const Model& network = lead.model->network->model;
    std::vector<State*> states;
    std::vector<uint8_t*> codes(out, out + streams.size());
    for (VoiceStream* stream : streams) {
        states.push_back(&stream->network->state);
        const int64_t end = static_cast<int64_t>(states.back()->position + count), hop = stream->model->hop;
        stream->conditioner.expect((end + hop - 1) / hop);
    }
    while (count) {
        size_t part = count;
        for (VoiceStream* stream : streams) {
            stream->apply_due();
            part = std::min(part, stream->until_change());
        }
        DrawOptions draw = lead.draw;
        if (static_cast<int64_t>(states[0]->position) < lead.place.opening) draw.top_p = std::min(draw.top_p, kOpeningTopP);
        const Stopwatch watch(lead.conditioner.seconds.network);
        lead.model->network->api.generate(network, states.data(), codes.data(), static_cast<int>(streams.size()), part,
                                          draw);
        count -= part;
        for (uint8_t*& to : codes) to += part;
    }
    for (VoiceStream* stream : streams) stream->conditioner.settle();
}

}  // namespace

VoiceStream::VoiceStream(std::shared_ptr<const VoiceModel> of, std::shared_ptr<Stream> state,
                         std::unique_ptr<PlannedLatents> plan, int ahead, std::unique_ptr<PostfilterPasses> filter,
                         const DrawOptions& options, VoicePlace at)
    : model(std::move(of)), network(std::move(state)), source(std::move(plan)), postfilter(std::move(filter)),
      draw(options), conditioner(*model, source.get(), ahead), place(std::move(at)) {}

int64_t VoiceStream::wanted(size_t count) const {
    const int64_t position = network_position();
    return conditioner.wanted(position, position + static_cast<int64_t>(missing(count)));
}

void VoiceStream::relabel(const std::array<int, kLabels>& labels) {
    schedule.clear();
    std::copy(labels.begin(), labels.end(), network->state.labels);
}

const int* VoiceStream::labels() {
    apply_labels(schedule, network_position(), network->state);
    return network->state.labels;
}

bool VoiceStream::stands_with(const VoiceStream& other) const {
    return model == other.model && network_position() == other.network_position() &&
           place.opening == other.place.opening && draw.inverse_temperature == other.draw.inverse_temperature &&
           draw.top_k == other.draw.top_k && draw.top_p == other.draw.top_p;
}

size_t VoiceStream::missing(size_t count) const {
    if (!postfilter) return count;
    const int64_t needed = postfilter->needed(place.origin + place.read + static_cast<int64_t>(count));
    return static_cast<size_t>(std::max<int64_t>(0, needed - network_position()));
}

void VoiceStream::apply_due() {
    labels();
    const int64_t position = network_position();
    if (position % model->part() == 0)
        network->take_conditioning(conditioner.vector_at(position, postfilter.get()));
    else if (model->bed)
        conditioner.prepare(position, postfilter.get());
}

size_t VoiceStream::until_change() const {
    const int64_t position = network_position();
    int64_t until = std::min<int64_t>(kMost, model->part() - position % model->part());
    if (!schedule.empty()) until = std::min(until, schedule.front().at - position);
    if (position < place.opening) until = std::min(until, place.opening - position);
    return static_cast<size_t>(until);
}

void VoiceStream::finish(const std::vector<uint8_t>& codes, size_t count, int16_t* out) {
    std::vector<int16_t> sound(codes.size());
    std::transform(codes.begin(), codes.end(), sound.begin(), [](uint8_t code) { return kMulaw.decode[code]; });
    if (model->bed && !sound.empty()) {
        std::vector<int32_t> sum(sound.size());
        place.emphasis = de_emphasise(sound.data(), sound.size(), place.emphasis, sum.data());
        conditioner.add_bed(network_position() - static_cast<int64_t>(sound.size()), sum.data(), sum.size());
        std::transform(sum.begin(), sum.end(), sound.begin(),
                       [](int32_t sample) { return static_cast<int16_t>(std::clamp(sample, -32768, 32767)); });
    }
    if (!postfilter) {
        std::copy(sound.begin(), sound.end(), out);
        return;
    }
    const Stopwatch watch(conditioner.seconds.postfilter);
    const std::vector<int16_t> filtered = postfilter->push(std::move(sound));
    place.ready.insert(place.ready.end(), filtered.begin(), filtered.end());
    const int64_t skip = std::min(place.skipped, static_cast<int64_t>(place.ready.size()));
    if (place.ready.size() < static_cast<size_t>(skip) + count) throw std::logic_error("a voice's stream lacks samples");
    place.skipped -= skip;
    const auto from = place.ready.begin() + static_cast<std::ptrdiff_t>(skip);
    const auto to = from + static_cast<std::ptrdiff_t>(count);
    std::copy(from, to, out);
    place.ready.erase(place.ready.begin(), to);
    place.read += static_cast<int64_t>(count);
}

void draw_together(const std::vector<VoiceStream*>& streams, size_t count, std::vector<std::vector<uint8_t>>& codes) {
    std::vector<uint8_t*> rows;
    codes.assign(streams.size(), std::vector<uint8_t>(count));
    for (std::vector<uint8_t>& row : codes) rows.push_back(row.data());
    const bool together = std::all_of(streams.begin(), streams.end(),
                                      [&](const VoiceStream* each) { return each->stands_with(*streams[0]); });
    if (together) return draw_some(streams, count, rows.data());
    for (size_t k = 0; k < streams.size(); ++k) draw_some({streams[k]}, count, &rows[k]);
}

void read_together(const std::vector<VoiceStream*>& streams, size_t count, int16_t* const* out) {
    const size_t missing = streams[0]->missing(count);
    std::vector<std::vector<uint8_t>> codes;
    const bool alike = std::all_of(streams.begin(), streams.end(),
                                   [&](const VoiceStream* each) { return each->missing(count) == missing; });
    if (alike) {
        draw_together(streams, missing, codes);
    } else {
        for (VoiceStream* stream : streams) {
            std::vector<std::vector<uint8_t>> own;
            draw_together({stream}, stream->missing(count), own);
            codes.push_back(std::move(own[0]));
        }
    }
    for (size_t k = 0; k < streams.size(); ++k) streams[k]->finish(codes[k], count, out[k]);
}

}  // namespace synth
