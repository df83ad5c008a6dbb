// What integer parts leave of samples of 32 bits: whole numbers, coded with adaptive bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace synth {

constexpr int kResidualClasses = 33;

// residuals: [count] samples, frame by frame; classes: of each, 0 to 32, how many bits are expected. Where the bytes
// would be more than 5 a sample, and 64, there is one zero byte more than that: they are of no use.
std::vector<uint8_t> encode_residuals(const int32_t* residuals, const uint8_t* classes, size_t count, size_t channels);

// Fills residuals [count]; damaged bytes give other residuals.
void decode_residuals(const uint8_t* data, size_t size, const uint8_t* classes, size_t count, size_t channels,
                      int32_t* residuals);

}  // namespace synth
