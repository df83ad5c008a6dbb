#include "vocoder/postfilter_passes.hpp"

#include <algorithm>
#include <new>

namespace synth {

int64_t PostfilterPasses::needed(int64_t position) const {
    const FilterModel& f = postfilter_.model;
    for (size_t k = 0; k < passes.size(); ++k)
        position = ((position + f.fft / 2 + f.hop - 1) / f.hop - 1) * f.hop + f.window / 2;
    return position;
}

void PostfilterPasses::add_target(const int32_t* added, int64_t count, int64_t from) {
    const int64_t mels = postfilter_.model.mels, end = first + static_cast<int64_t>(levels.size()) / mels;
    const int64_t known = std::min(count, std::max<int64_t>(0, end - from));
    levels.resize(levels.size() + static_cast<size_t>(std::max<int64_t>(0, from - end) * mels), kNeutral);
    levels.insert(levels.end(), added + known * mels, added + count * mels);
}

int64_t PostfilterPasses::ready(const FilterPass& pass, size_t more) const {
    const FilterModel& f = postfilter_.model;
    const int64_t spare = static_cast<int64_t>(pass.samples.size() + more) - f.window;
    return spare < 0 ? 0 : spare / f.hop + 1;
}

std::vector<int16_t> PostfilterPasses::push_pass(FilterPass& pass, const std::vector<int16_t>& samples) {
    const FilterModel& f = postfilter_.model;
    pass.samples.insert(pass.samples.end(), samples.begin(), samples.end());
    const int64_t count = ready(pass, 0);
    std::vector<int16_t> filtered(static_cast<size_t>(count * f.hop));
    if (!count) return filtered;
    pass.total.resize(pass.total.size() + filtered.size());
    const int32_t* asked = levels.data() + (pass.frame - first) * f.mels;
    if (!postfilter_.api.filter(f, pass.samples.data(), asked, static_cast<size_t>(count), pass.total.data()))
        throw std::bad_alloc();
    const int64_t place = (pass.out % f.hop + f.hop) % f.hop;
    postfilter_.settle(pass.total.data(), filtered.size(), static_cast<size_t>(place), filtered.data());
    const auto length = static_cast<std::ptrdiff_t>(filtered.size());
    pass.total.erase(pass.total.begin(), pass.total.begin() + length);
    pass.samples.erase(pass.samples.begin(), pass.samples.begin() + length);
    pass.out += length, pass.first += length, pass.frame += count;
    return filtered;
}

std::vector<int16_t> PostfilterPasses::push(std::vector<int16_t> samples) {
    for (FilterPass& pass : passes) {
        add_target(nullptr, 0, pass.frame + ready(pass, samples.size()));
        const int64_t before = start - pass.out;  // of what comes out
        samples = push_pass(pass, samples);
        const int64_t drop = std::clamp<int64_t>(before, 0, static_cast<int64_t>(samples.size()));
        samples.erase(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(drop));
    }
    const int64_t done = passes.back().frame - first;
    levels.erase(levels.begin(), levels.begin() + static_cast<std::ptrdiff_t>(done * postfilter_.model.mels));
    first += done;
    return samples;
}

}  // namespace synth
