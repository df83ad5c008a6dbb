#include "vocoder/conditioner.hpp"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

namespace synth {
namespace {

constexpr int kTaps = 3;        // token frames that a hidden layer sees
constexpr int kTogether = 16;  // most planned token frames that are conditioned together
constexpr int32_t kSilent = -64 * 1024;
// Normalised natural logarithms to binary ones (synth/vocoder/envelope.py): of mel bands and of tones.
constexpr int64_t kMelSlope = 23637, kMelOffset = 8864, kToneSlope = 29546, kToneOffset = 20682;

int32_t binary(int64_t natural, int64_t slope, int64_t offset) {
    return static_cast<int32_t>(((natural * slope + (1 << 11)) >> 12) - offset);
}

// The rows of frames [from, to), each with its neighbours in the order of time; zeros outside of [0, limit).
std::vector<int8_t> unfolded(FrameRows<int8_t>& rows, int64_t from, int64_t to, int64_t limit) {
    const size_t width = rows.width;
    std::vector<int8_t> wide(static_cast<size_t>(to - from) * kTaps * width);
    int8_t* out = wide.data();
    for (int64_t frame = from; frame < to; ++frame)
        for (int64_t near = frame - 1; near <= frame + 1; ++near, out += width)
            if (near >= rows.first && near < std::min(limit, rows.end())) std::copy_n(rows.row(near), width, out);
    return wide;
}

// The hyperbolic tangent of a number of unit 1024, of unit 32768.
int16_t curve(const LayerModel& layer, int x) {
    const int size = std::min(std::abs(std::max(x, -32767)), 4095), place = size >> 9, within = (size & 511) << 6;
    const auto scaled = [](int a, int b) { return (a * b + 16384) >> 15; };
    const int y = layer.tanh[0][place] + scaled(within, layer.tanh[1][place] + scaled(within, layer.tanh[2][place]));
    return static_cast<int16_t>(x < 0 ? -y : y);
}

void values(const Layer& layer, const int8_t* in, int64_t frames, int16_t* out) {
    layer.api.values(layer.model, in, static_cast<size_t>(frames), out);
}

}  // namespace

Conditioner::Conditioner(const VoiceModel& model, PlannedLatents* source, int ahead)
    : held(static_cast<size_t>(model.latent)), phases(model.bed ? static_cast<size_t>(model.bed->phases()) : 1),
      model_(model), source_(source), ahead_(ahead),
      lower_(static_cast<size_t>(model.hidden[0]->model.rows)), upper_(static_cast<size_t>(model.hidden[1]->model.rows)),
      envelope_lower_(model.postfilter ? static_cast<size_t>(model.envelope[0]->model.rows) : 1),
      envelope_upper_(model.postfilter ? static_cast<size_t>(model.envelope[1]->model.rows) : 1),
      natural_(static_cast<size_t>(2 * model.targets())) {}

bool Conditioner::next(int8_t* latents) {
    if (source_) {
        source_->next(held.end(), latents);
        return true;
    }
    if (taken_ == incoming_.size()) {
        if (!closed) throw std::logic_error("a voice's stream lacks latents");
        return false;
    }
    std::copy_n(incoming_.begin() + static_cast<std::ptrdiff_t>(taken_), held.width, latents);
    taken_ += held.width;
    return true;
}

void Conditioner::push(const int8_t* latents, size_t frames, bool last) {
    incoming_.erase(incoming_.begin(), incoming_.begin() + static_cast<std::ptrdiff_t>(taken_));
    incoming_.insert(incoming_.end(), latents, latents + frames * held.width);
    taken_ = 0, closed = closed || last;
}

std::vector<int8_t> Conditioner::known_latents() const {
    std::vector<int8_t> latents = held.values;
    latents.insert(latents.end(), incoming_.begin() + static_cast<std::ptrdiff_t>(taken_), incoming_.end());
    return latents;
}

// How many frames are conditioned together from this one on.
int Conditioner::together(int64_t frame) const {
    return source_ ? static_cast<int>(std::clamp<int64_t>(horizon_ - frame, ahead_, kTogether)) : ahead_;
}

void Conditioner::settle() {
    if (!source_ || ready_ <= 1) return;
    const int64_t last = frame_ + ready_ - 1;
    held.drop(std::min(held.end(), std::max(held.first, last - model_.lookahead)));
    vectors_.erase(vectors_.begin(), vectors_.end() - model_.parts * model_.units());
    frame_ = last, ready_ = 1;
    if (!model_.bed) return;
    phases.erase(phases.begin(), phases.end() - 2 * model_.bed->phases());
    phase_frame = last;
}

// Holds what there is from `lookahead` frames before a frame to as many after the `ahead` from it on.
void Conditioner::fill(int64_t frame, int ahead) {
    const Stopwatch watch(seconds.planner);
    const auto drop = [&] { held.drop(std::min(held.end(), std::max(held.first, frame - model_.lookahead))); };
    std::vector<int8_t> row(held.width);
    drop();
    while (!ended && held.end() < frame + ahead + model_.lookahead) {
        ended = !next(row.data());
        if (ended) break;
        std::copy(row.begin(), row.end(), held.extend(held.end() + 1));
        drop();
    }
}

const int16_t* Conditioner::vector_at(int64_t position, PostfilterPasses* postfilter) {
    const int64_t frame = position / model_.hop;
    if (frame < frame_ || frame >= frame_ + ready_) condition(frame, postfilter);
    const int64_t row = (frame - frame_) * model_.parts + position % model_.hop / model_.part();
    return vectors_.data() + row * model_.units();
}

void Conditioner::prepare(int64_t position, PostfilterPasses* postfilter) {
    const int64_t end = bed_start_ + static_cast<int64_t>(bed_.size());
    if (position < bed_start_ || position >= end) condition(position / model_.hop, postfilter);
}

void Conditioner::add_bed(int64_t position, int32_t* samples, size_t count) {
    const auto from = bed_.begin() + static_cast<std::ptrdiff_t>(position - bed_start_);
    const auto to = from + static_cast<std::ptrdiff_t>(count);
    std::transform(from, to, samples, samples, [](int32_t bed, int32_t sample) { return bed + sample; });
    bed_.erase(bed_.begin(), to);
    bed_start_ = position + static_cast<int64_t>(count);
}

int64_t Conditioner::wanted(int64_t from, int64_t to) const {
    if (ended || closed) return 0;
    const int64_t part = model_.part(), bed_end = bed_start_ + static_cast<int64_t>(bed_.size());
    const bool bare = model_.bed && from % part && (from < bed_start_ || from >= bed_end);
    const int64_t begin = bare ? from : (from + part - 1) / part * part;
    if (begin >= to) return 0;
    const int64_t now = begin / model_.hop, last = (to - 1) / model_.hop;
    const int64_t next = !bare && now >= frame_ && now < frame_ + ready_ ? frame_ + ready_ : now;
    if (last < next) return 0;
    return next + (last - next) / ahead_ * ahead_ + ahead_ + model_.lookahead;
}

void Conditioner::condition(int64_t frame, PostfilterPasses* postfilter) {
    const int ahead = together(frame);
    fill(frame, ahead);
    const int64_t known_end = ended ? held.end() : held.end() - model_.lookahead;
    const int count = frame >= held.end() ? 0 : static_cast<int>(std::min<int64_t>(known_end - frame, ahead));
    frame_ = frame, ready_ = std::max(count, 1);
    vectors_.assign(static_cast<size_t>(ready_ * model_.parts * model_.units()), 0);  // past the end: nothing is known
    if (count) known(frame, count, postfilter);
    if (model_.bed) render(frame, static_cast<int>(ready_));
}

// The rows of two hidden layers up to those of frames [from, to) of the upper one.
void Conditioner::hidden(FrameRows<int8_t>& lower, FrameRows<int8_t>& upper,
                         const std::shared_ptr<const Layer>* layers, int64_t from, int64_t to) {
    const auto extend = [&](const Layer& layer, FrameRows<int8_t>& below, FrameRows<int8_t>& rows, int64_t begin,
                            int64_t end) {
        rows.drop(begin);
        const int64_t done = rows.end();
        if (done >= end) return;
        const std::vector<int8_t> in = unfolded(below, done, end, limit());
        std::vector<int16_t> between(static_cast<size_t>(end - done) * rows.width);
        values(layer, in.data(), end - done, between.data());
        layer.api.hidden(layer.model, between.data(), between.size(), rows.extend(end));
    };
    extend(*layers[0], held, lower, std::max<int64_t>(0, from - 1), std::min(limit(), to + 1));
    extend(*layers[1], lower, upper, from, to);
}

// The vectors of frames that are held, and what the postfilter is to hold the sound to.
void Conditioner::known(int64_t frame, int count, PostfilterPasses* postfilter) {
    const Stopwatch watch(seconds.conditioner);
    const int gates = 3 * model_.network->model.frame_units, order = model_.network->model.predictor.order;
    hidden(lower_, upper_, model_.hidden, frame, frame + count);
    std::vector<int16_t> gate(static_cast<size_t>(count * model_.parts * gates));
    std::vector<int16_t> reflection(static_cast<size_t>(count * model_.parts * order));
    values(*model_.gates, upper_.row(frame), count, gate.data());
    values(*model_.reflections, upper_.row(frame), count, reflection.data());
    for (int row = 0; row < count * model_.parts; ++row) {
        int16_t* vector = vectors_.data() + static_cast<size_t>(row) * model_.units();
        std::copy_n(gate.data() + row * gates, gates, vector);
        for (int i = 0; i < order; ++i) vector[gates + i] = curve(model_.reflections->model, reflection[row * order + i]);
    }
    if (!postfilter) return;
    const int32_t* from = natural(frame, frame + count);
    const int mels = model_.mels, targets = model_.targets();
    std::vector<int32_t> levels(static_cast<size_t>(2 * count * mels), kNeutral);
    for (int row = 0; row < 2 * count; ++row)
        for (int m = change.resolving; m < mels; ++m)
            levels[row * mels + m] = binary(from[row * targets + m], kMelSlope, kMelOffset);
    postfilter->add_target(levels.data(), 2 * count, 2 * frame);
}

// What the envelope says of frames [from, to), before it is brought to binary logarithms: [2 frames][targets].
const int32_t* Conditioner::natural(int64_t from, int64_t to) {
    natural_.drop(from);
    const int64_t done = natural_.end();
    if (done >= to) return natural_.row(from);
    hidden(envelope_lower_, envelope_upper_, model_.envelope, done, to);
    std::vector<int16_t> parts(static_cast<size_t>(to - done) * natural_.width), more(parts.size());
    values(*model_.envelope[2], envelope_upper_.row(done), to - done, parts.data());
    if (model_.linear) values(*model_.linear, unfolded(held, done, to, limit()).data(), to - done, more.data());
    int32_t* sum = natural_.extend(to);
    for (size_t i = 0; i < parts.size(); ++i) sum[i] = parts[i] + more[i];
    return natural_.row(from);
}

// Renders the bed of `count` token frames, and ends their vectors with what the network is told of it.
void Conditioner::render(int64_t frame, int count) {
    const Stopwatch watch(seconds.bed);
    BedFrames steered{count, {}, {}, {}};
    if (model_.bed->pitched()) steer_pitches(frame, count, steered);
    steer(frame, count, steered);
    const int64_t width = model_.bed->phases(), rows = static_cast<int64_t>(phases.size()) / width;
    const auto from = phases.begin() + std::min(std::max<int64_t>(0, frame - phase_frame), rows - 1) * width;
    const std::vector<uint32_t> start(from, from + width);
    const int units = model_.bed->units(), all = model_.units();
    std::vector<int16_t> hints(static_cast<size_t>(2 * count * units));
    const int64_t begin = frame * model_.hop, end = bed_start_ + static_cast<int64_t>(bed_.size());
    if (begin < bed_start_ || begin > end) bed_.clear(), bed_start_ = begin;
    bed_.resize(static_cast<size_t>(begin - bed_start_ + count * model_.hop));
    phases.resize(static_cast<size_t>((count + 1) * width)), phase_frame = frame;
    model_.bed->render(steered, start.data(), bed_.data() + (begin - bed_start_), hints.data(), phases.data());
    for (int row = 0; row < 2 * count; ++row)
        std::copy_n(hints.data() + row * units, units, vectors_.data() + static_cast<size_t>(row + 1) * all - units);
}

// Levels and voicing at the starts of segments and after the last one.
void Conditioner::steer(int64_t frame, int count, BedFrames& steered) {
    const int rows = 2 * count + 1, levels = model_.levels, targets = model_.targets();
    const bool pitched = model_.bed->pitched();
    steered.moved = change.moved;
    steered.levels.assign(static_cast<size_t>(rows) * levels, kSilent);
    steered.voicing.assign(static_cast<size_t>(rows), 0);
    if (frame >= held.end()) return;
    const int64_t last = std::min(frame + count + 1, held.end());
    const int32_t* from = natural(frame, last);
    const int there = std::min(rows, static_cast<int>(2 * (last - frame)));
    for (int row = 0; row < (pitched ? rows : there); ++row) {  // behind the sound's end harmonics fade, notes are silent
        const int32_t* numbers = from + static_cast<size_t>(std::min(row, there - 1)) * targets + model_.mels;
        for (int level = 0; level < levels; ++level)
            steered.levels[row * levels + level] = binary(numbers[level], kToneSlope, kToneOffset);
        if (pitched && row < there) steered.voicing[row] = numbers[levels];
    }
}

// The first latent is the mean pitch of a frame's halves, between which lines are drawn; the second how far they lie from
// these.
void Conditioner::steer_pitches(int64_t frame, int count, BedFrames& steered) {
    const bool past = frame >= held.end();
    const int64_t least = past ? frame - 1 : std::max(held.first, frame - 1);
    const int64_t most = past ? frame + count + 1 : held.end() - 1;
    const auto latents = [&](int64_t at, int which) -> int {
        at = std::clamp(at, least, most);
        const int64_t course = static_cast<int64_t>(change.course.size()) / 2;
        if (course) return change.course[static_cast<size_t>(2 * std::clamp<int64_t>(at, 0, course - 1) + which)];
        if (!past) return held.row(at)[which];
        return which == 0 && held.end() > held.first ? held.row(held.end() - 1)[0] : 0;
    };
    const auto within = [](int pitch) { return std::clamp(pitch, 0, 2 * kQuarters); };
    for (int row = 0; row <= 2 * count; ++row) {
        const int64_t at = frame + row / 2;
        const int bend = latents(at, 1), beside = row % 2 ? latents(at + 1, 0) + bend : latents(at - 1, 0) - bend;
        const int pitch = within(3 * latents(at, 0) + beside + kQuarters);
        steered.pitches.push_back(within(pitch + change.moved));
    }
}

}  // namespace synth
