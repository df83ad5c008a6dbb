// Top-k and top-p: the draw from the weights of all 256 codes.
#include <algorithm>

#include "engine/kernel.hpp"

namespace synth {
namespace {

// Whether cumulative * 2^32 >= top_p * total; all fit 64 bits but the products.
bool enough(uint64_t cumulative, uint64_t top_p, uint64_t total) {
    // top_p <= 2^32 and total < 2^41: (total * top_p) / 2^32 by halves
    const uint64_t high = total >> 32, low = total & 0xFFFFFFFFu;
    const uint64_t low_product = low * top_p;  // <= (2^32 - 1) * 2^32
    const uint64_t whole = high * top_p + (low_product >> 32);
    return cumulative > whole || (cumulative == whole && (low_product & 0xFFFFFFFFu) == 0);
}

}  // namespace

int draw_leaf(const uint32_t* leaves, const DrawOptions& draw, uint32_t random) {
    uint64_t keys[256];  // weight, then 255 - code: descending order is likeliest first, of equal ones the lower code
    for (int code = 0; code < 256; ++code)
        keys[code] = static_cast<uint64_t>(leaves[code]) << 8 | static_cast<uint64_t>(255 - code);
    std::sort(keys, keys + 256, [](uint64_t a, uint64_t b) { return a > b; });
    uint64_t total = 0, kept = 0;
    for (int i = 0; i < draw.top_k; ++i) total += keys[i] >> 8;
    int count = 0;
    while (count < draw.top_k) {
        kept += keys[count++] >> 8;
        if (enough(kept, draw.top_p, total)) break;
    }
    // (random * kept) >> 32 without a wider product: kept < 2^41
    const uint64_t target = random * (kept >> 32) + ((random * (kept & 0xFFFFFFFFu)) >> 32);
    uint64_t running = 0;
    for (int i = 0; i < count; ++i) {
        running += keys[i] >> 8;
        if (running > target) return 255 - static_cast<int>(keys[i] & 255);
    }
    return 255 - static_cast<int>(keys[count - 1] & 255);
}

}  // namespace synth
