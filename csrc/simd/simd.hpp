// Chooses the vectors of the set that this file is compiled for. Each gives:
//   Vd, kDoubles       doubles: dload, dstore, dset, dadd, dsub, dmul
//   V, kLanes          int16: vload, vstore, vset; vadd, vsub (wrapping), vadds (saturating), vmulhrs = (a*b+16384)>>15,
//                      vmax, vmin, vand, vsra<n>, vsll<n>
//   vmagnitude(x, m)   min(|x|, m), where |-32768| counts as 32767 (m <= 32767)
//   vflip(x, y, base)  y where x >= 0, elsewhere base - y
//   Places, vplaces(s) the place in a table of 8 for each lane (0 to 7); vpick(table, places) looks it up
//   vbytes<biased>     stores the lanes, which fit 8 bits, as bytes (+ 128 where biased)
//   Sums               16 int32 sums, one a row of a tile: clear_sums; dot<T, P, S> adds to sums [S][T] the products of T
//                      interleaved tiles with S streams' inputs, at(stream, step, tile) being where a block's four
//                      columns are (P steps in flight, and steps is a multiple of P); finish<T>: T tiles (1 or
//                      kGateTiles), shifted, saturated, scaled; finish_logits: one tile and a bias, and the places of
//                      these logits (9 fractional bits) in the table of probabilities: steps of 1/64, -16 to 16
//   kGateTiles, kGatePhases, kHeadTiles   tiles of a block in a group of the gates' matrices, P for them; most tiles in a
//                      group of the head's hidden layer
//   kTogether          streams for which a load of weights can serve (S is 1 or this)
//   kBiased            whether products read the input + 128
#pragma once

#if defined(__AVX512VNNI__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include "simd/simd_avx512.hpp"
#elif defined(__AVX2__)
#include "simd/simd_avx2.hpp"
#elif defined(__SSE2__) && !defined(SYNTH_PLAIN)
#include "simd/simd_sse.hpp"
#elif defined(__aarch64__) && !defined(SYNTH_PLAIN)
#include "simd/simd_neon.hpp"
#else
#include "simd/simd_generic.hpp"
#endif
