// One 512-bit register a vector. See lanes.hpp.
#pragma once

constexpr int kBlock = 8;

struct D8 { __m512d v; };
inline D8 dload(const double* p) { return {_mm512_loadu_pd(p)}; }
// element by element: a load of the whole would wait until the last store has left for the cache
inline D8 dpack(const double* p) { return {_mm512_set_pd(p[7], p[6], p[5], p[4], p[3], p[2], p[1], p[0])}; }
inline void dstore(double* p, D8 a) { _mm512_storeu_pd(p, a.v); }
inline D8 dset(double x) { return {_mm512_set1_pd(x)}; }
inline D8 dadd(D8 a, D8 b) { return {_mm512_add_pd(a.v, b.v)}; }
inline D8 dsub(D8 a, D8 b) { return {_mm512_sub_pd(a.v, b.v)}; }
inline D8 dmul(D8 a, D8 b) { return {_mm512_mul_pd(a.v, b.v)}; }
inline D8 ddiv(D8 a, D8 b) { return {_mm512_div_pd(a.v, b.v)}; }
inline D8 dsqrt(D8 a) { return {_mm512_sqrt_pd(a.v)}; }
inline D8 dmin(D8 a, D8 b) { return {_mm512_min_pd(a.v, b.v)}; }
inline D8 dmax(D8 a, D8 b) { return {_mm512_max_pd(a.v, b.v)}; }
inline double dfold(D8 a) {
    const __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(a.v), _mm512_extractf64x4_pd(a.v, 1));
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}
inline double dfirst(D8 a) { return _mm512_cvtsd_f64(a.v); }
inline D8 dlane(D8 a, int i) { return {_mm512_permutexvar_pd(_mm512_set1_epi64(i), a.v)}; }
inline D8 dinverse(D8 a, int i, double least) { return ddiv(dset(1.0), dmax(dlane(a, i), dset(least))); }

struct F16 { __m512 v; };
inline F16 fload(const float* p) { return {_mm512_loadu_ps(p)}; }
inline void fstore(float* p, F16 a) { _mm512_storeu_ps(p, a.v); }
inline F16 fnext(F16 a, F16 b, const float*) {
    return {_mm512_castsi512_ps(_mm512_alignr_epi32(_mm512_castps_si512(b.v), _mm512_castps_si512(a.v), 1))};
}
inline F16 fset(float x) { return {_mm512_set1_ps(x)}; }
inline F16 fadd(F16 a, F16 b) { return {_mm512_add_ps(a.v, b.v)}; }
inline F16 fsub(F16 a, F16 b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline F16 fmul(F16 a, F16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline F16 fdiv(F16 a, F16 b) { return {_mm512_div_ps(a.v, b.v)}; }
inline F16 fmin(F16 a, F16 b) { return {_mm512_min_ps(a.v, b.v)}; }
inline F16 fmax(F16 a, F16 b) { return {_mm512_max_ps(a.v, b.v)}; }
inline float ffold(F16 a) {
    const __m256 high = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(a.v), 1));
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a.v), high);
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}
inline F16 fnarrow(D8 a, D8 b) {
    const __m256d low = _mm256_castps_pd(_mm512_cvtpd_ps(a.v)), high = _mm256_castps_pd(_mm512_cvtpd_ps(b.v));
    return {_mm512_castpd_ps(_mm512_insertf64x4(_mm512_castpd256_pd512(low), high, 1))};
}

struct I16 { __m512i v; };
inline I16 fbits(F16 a) { return {_mm512_castps_si512(a.v)}; }
inline F16 ffrom(I16 a) { return {_mm512_castsi512_ps(a.v)}; }
inline F16 fwhole(I16 a) { return {_mm512_cvtepi32_ps(a.v)}; }
inline I16 iset(int x) { return {_mm512_set1_epi32(x)}; }
inline I16 iadd(I16 a, I16 b) { return {_mm512_add_epi32(a.v, b.v)}; }
inline I16 isub(I16 a, I16 b) { return {_mm512_sub_epi32(a.v, b.v)}; }
template <int n> inline I16 isra(I16 a) { return {_mm512_srai_epi32(a.v, n)}; }
template <int n> inline I16 isll(I16 a) { return {_mm512_slli_epi32(a.v, n)}; }
