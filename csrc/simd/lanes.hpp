// Vectors of the codec: D8 is 8 doubles and F16 is 16 floats on every instruction set, so that sums run in one order
// everywhere. Only operations that IEEE 754 rounds correctly occur.
//   dload, dstore, dset, dadd, dsub, dmul, ddiv, dsqrt, dmin, dmax (a < b ? a : b), and the same with f for F16
//   dpack   like dload, of numbers that were stored one by one just now
//   fnext(a, b, p)  the F16 one float on from a, which is at p and b after it
//   dfold   ((v0+v4)+(v2+v6)) + ((v1+v5)+(v3+v7)); ffold goes on from 16 to 8 lanes in the same way
//   dfirst  the first lane; dlane(a, i)  lane i in all lanes; dinverse(a, i, least)  1 over it, or over `least` if more
//   fnarrow two D8 rounded to an F16;  fwhole  int32 lanes to floats
//   fbits(x), ffrom(i)  the bits of an F16 as I16 and back; iadd, isub, iand, isra<n>, isll<n>
//   kBlock  columns of a tile that stay in registers
#pragma once

#if defined(__AVX512F__)
#include "simd/lanes_avx512.hpp"
#elif (defined(__AVX2__) || defined(__SSE2__)) && !defined(SYNTH_PLAIN)
#include "simd/lanes_x86.hpp"
#elif defined(__aarch64__) && !defined(SYNTH_PLAIN)
#include "simd/lanes_neon.hpp"
#else
#include "simd/lanes_generic.hpp"
#endif
