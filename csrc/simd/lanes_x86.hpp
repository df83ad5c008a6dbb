// 256-bit registers with AVX2, else the 128-bit ones of every x86-64. See lanes.hpp.
#pragma once

#if defined(__AVX2__)
constexpr int kBlock = 4, kParts = 2;
using Doubles = __m256d;
using Floats = __m256;
using Ints = __m256i;
#define SYNTH_MM(name) _mm256_##name
inline Ints as_ints(Floats a) { return _mm256_castps_si256(a); }
inline Floats as_floats(Ints a) { return _mm256_castsi256_ps(a); }
#else
constexpr int kBlock = 2, kParts = 4;
using Doubles = __m128d;
using Floats = __m128;
using Ints = __m128i;
#define SYNTH_MM(name) _mm_##name
inline Ints as_ints(Floats a) { return _mm_castps_si128(a); }
inline Floats as_floats(Ints a) { return _mm_castsi128_ps(a); }
#endif
constexpr int kHalf = 8 / kParts, kQuarter = 16 / kParts;

struct D8 { Doubles v[kParts]; };
struct F16 { Floats v[kParts]; };
struct I16 { Ints v[kParts]; };

#define SYNTH_PARTS _Pragma("GCC unroll 4") for (int i = 0; i < kParts; ++i)
#define SYNTH_TWO(T, name, operation) \
    inline T name(T a, T b) { \
        T out; \
        SYNTH_PARTS out.v[i] = SYNTH_MM(operation)(a.v[i], b.v[i]); \
        return out; \
    }
SYNTH_TWO(D8, dadd, add_pd)
SYNTH_TWO(D8, dsub, sub_pd)
SYNTH_TWO(D8, dmul, mul_pd)
SYNTH_TWO(D8, ddiv, div_pd)
SYNTH_TWO(D8, dmin, min_pd)
SYNTH_TWO(D8, dmax, max_pd)
SYNTH_TWO(F16, fadd, add_ps)
SYNTH_TWO(F16, fsub, sub_ps)
SYNTH_TWO(F16, fmul, mul_ps)
SYNTH_TWO(F16, fdiv, div_ps)
SYNTH_TWO(F16, fmin, min_ps)
SYNTH_TWO(F16, fmax, max_ps)
SYNTH_TWO(I16, iadd, add_epi32)
SYNTH_TWO(I16, isub, sub_epi32)

#define SYNTH_ONE(T, name, A, value) \
    inline T name(A a) { \
        T out; \
        SYNTH_PARTS out.v[i] = value; \
        return out; \
    }
SYNTH_ONE(D8, dload, const double*, SYNTH_MM(loadu_pd)(a + i * kHalf))
SYNTH_ONE(D8, dset, double, SYNTH_MM(set1_pd)(a))
SYNTH_ONE(D8, dsqrt, D8, SYNTH_MM(sqrt_pd)(a.v[i]))
SYNTH_ONE(F16, fload, const float*, SYNTH_MM(loadu_ps)(a + i * kQuarter))
SYNTH_ONE(F16, fset, float, SYNTH_MM(set1_ps)(a))
SYNTH_ONE(F16, fwhole, I16, SYNTH_MM(cvtepi32_ps)(a.v[i]))
SYNTH_ONE(F16, ffrom, I16, as_floats(a.v[i]))
SYNTH_ONE(I16, fbits, F16, as_ints(a.v[i]))
SYNTH_ONE(I16, iset, int, SYNTH_MM(set1_epi32)(a))
template <int n> SYNTH_ONE(I16, isra, I16, SYNTH_MM(srai_epi32)(a.v[i], n))
template <int n> SYNTH_ONE(I16, isll, I16, SYNTH_MM(slli_epi32)(a.v[i], n))
#if defined(__AVX2__)
inline D8 dpack(const double* p) {
    return {{_mm256_set_pd(p[3], p[2], p[1], p[0]), _mm256_set_pd(p[7], p[6], p[5], p[4])}};
}
#else
SYNTH_ONE(D8, dpack, const double*, _mm_set_pd(a[2 * i + 1], a[2 * i]))
#endif
inline F16 fnext(F16, F16, const float* p) { return fload(p + 1); }
inline void dstore(double* p, D8 a) { SYNTH_PARTS SYNTH_MM(storeu_pd)(p + i * kHalf, a.v[i]); }
inline void fstore(float* p, F16 a) { SYNTH_PARTS SYNTH_MM(storeu_ps)(p + i * kQuarter, a.v[i]); }

inline double dfold(D8 a) {
#if defined(__AVX2__)
    const Doubles four = _mm256_add_pd(a.v[0], a.v[1]);
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
#else
    const __m128d two = _mm_add_pd(_mm_add_pd(a.v[0], a.v[2]), _mm_add_pd(a.v[1], a.v[3]));
#endif
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}
inline double dfirst(D8 a) { return a.v[0][0]; }
inline D8 dlane(D8 a, int i) { return dset(a.v[i / kHalf][i % kHalf]); }
inline D8 dinverse(D8 a, int i, double least) {
    const double x = a.v[i / kHalf][i % kHalf];
    return dset(1.0 / (x > least ? x : least));
}
inline float ffold(F16 a) {
#if defined(__AVX2__)
    const Floats eight = _mm256_add_ps(a.v[0], a.v[1]);
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
#else
    const __m128 four = _mm_add_ps(_mm_add_ps(a.v[0], a.v[2]), _mm_add_ps(a.v[1], a.v[3]));
#endif
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}
inline F16 fnarrow(D8 a, D8 b) {
    F16 out;
#if defined(__AVX2__)
    out.v[0] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm256_cvtpd_ps(a.v[0])), _mm256_cvtpd_ps(a.v[1]), 1);
    out.v[1] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm256_cvtpd_ps(b.v[0])), _mm256_cvtpd_ps(b.v[1]), 1);
#else
    for (int i = 0; i < 2; ++i) {
        out.v[i] = _mm_movelh_ps(_mm_cvtpd_ps(a.v[2 * i]), _mm_cvtpd_ps(a.v[2 * i + 1]));
        out.v[i + 2] = _mm_movelh_ps(_mm_cvtpd_ps(b.v[2 * i]), _mm_cvtpd_ps(b.v[2 * i + 1]));
    }
#endif
    return out;
}
#undef SYNTH_ONE
#undef SYNTH_TWO
