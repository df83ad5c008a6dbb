// 512-bit vectors of x86 (AVX-512 F, BW, VL and VNNI). See simd.hpp.
#pragma once

constexpr int kDoubles = 8;
struct Vd { __m512d v; };
inline Vd dload(const double* p) { return {_mm512_loadu_pd(p)}; }
inline void dstore(double* p, Vd a) { _mm512_storeu_pd(p, a.v); }
inline Vd dset(double x) { return {_mm512_set1_pd(x)}; }
inline Vd dadd(Vd a, Vd b) { return {_mm512_add_pd(a.v, b.v)}; }
inline Vd dsub(Vd a, Vd b) { return {_mm512_sub_pd(a.v, b.v)}; }
inline Vd dmul(Vd a, Vd b) { return {_mm512_mul_pd(a.v, b.v)}; }

constexpr int kLanes = 32;
struct V { __m512i v; };
inline V vload(const int16_t* p) { return {_mm512_loadu_si512(p)}; }
inline void vstore(int16_t* p, V a) { _mm512_storeu_si512(p, a.v); }
inline V vset(int x) { return {_mm512_set1_epi16(static_cast<short>(x))}; }
inline V vadd(V a, V b) { return {_mm512_add_epi16(a.v, b.v)}; }
inline V vsub(V a, V b) { return {_mm512_sub_epi16(a.v, b.v)}; }
inline V vadds(V a, V b) { return {_mm512_adds_epi16(a.v, b.v)}; }
inline V vmulhrs(V a, V b) { return {_mm512_mulhrs_epi16(a.v, b.v)}; }
inline V vmax(V a, V b) { return {_mm512_max_epi16(a.v, b.v)}; }
inline V vmin(V a, V b) { return {_mm512_min_epi16(a.v, b.v)}; }
inline V vand(V a, V b) { return {_mm512_and_si512(a.v, b.v)}; }
template <int n> inline V vsra(V a) { return {_mm512_srai_epi16(a.v, n)}; }
template <int n> inline V vsll(V a) { return {_mm512_slli_epi16(a.v, n)}; }
inline V vmagnitude(V x, V most) { return {_mm512_min_epu16(_mm512_abs_epi16(x.v), most.v)}; }
inline V vflip(V x, V y, V base) { return {_mm512_mask_sub_epi16(y.v, _mm512_movepi16_mask(x.v), base.v, y.v)}; }

using Places = V;
inline Places vplaces(V s) { return s; }
inline V vpick(const int16_t* table, Places places) {
    const __m128i row = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
    return {_mm512_permutexvar_epi16(places.v, _mm512_broadcast_i32x4(row))};
}

template <bool biased> inline void vbytes(uint8_t* p, V a) {
    const __m256i bytes = _mm512_cvtepi16_epi8(a.v);
    const __m256i out = biased ? _mm256_xor_si256(bytes, _mm256_set1_epi8(-128)) : bytes;
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), out);
}

constexpr int kGateTiles = 2, kGatePhases = 2, kHeadTiles = 4, kTogether = 2;
constexpr bool kBiased = true;
struct Sums { __m512i v; };

inline void clear_sums(Sums* sums, const int32_t* start, int count) {
    for (int i = 0; i < count; ++i) sums[i].v = _mm512_load_si512(start + i * 16);
}

template <int T, int P, int S, class At>
inline void dot(const int8_t* weight, const At& at, int steps, Sums* sums) {
    __m512i s[P][S][T];
    for (int i = 0; i < S * T; ++i) {
        s[0][i / T][i % T] = sums[i].v;
        for (int p = 1; p < P; ++p) s[p][i / T][i % T] = _mm512_setzero_si512();
    }
    for (int step = 0; step < steps; step += P, weight += P * T * 64) {
#pragma GCC unroll 4
        for (int p = 0; p < P; ++p) {
#pragma GCC unroll 8
            for (int i = 0; i < T; ++i) {
                const __m512i w = _mm512_load_si512(weight + (p * T + i) * 64);
#pragma GCC unroll 4
                for (int k = 0; k < S; ++k) {
                    int32_t four;
                    __builtin_memcpy(&four, at(k, step + p, i), 4);
                    s[p][k][i] = _mm512_dpbusd_epi32(s[p][k][i], _mm512_set1_epi32(four), w);
                }
            }
        }
    }
    for (int i = 0; i < S * T; ++i) {
        for (int p = 1; p < P; ++p) s[0][i / T][i % T] = _mm512_add_epi32(s[0][i / T][i % T], s[p][i / T][i % T]);
        sums[i].v = s[0][i / T][i % T];
    }
}

inline __m256i finish_one(const Sums& sums, int shift, const int16_t* scale) {
    const __m256i rows = _mm512_cvtsepi32_epi16(_mm512_sra_epi32(sums.v, _mm_cvtsi32_si128(shift)));
    return _mm256_mulhrs_epi16(rows, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(scale)));
}

template <int T>
inline void finish(const Sums* sums, int shift, const int16_t* scale, int16_t* out) {
    const __m128i count = _mm_cvtsi32_si128(shift);
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    for (int i = 0; i + 1 < T; i += 2) {
        const __m512i low = _mm512_sra_epi32(sums[i].v, count), high = _mm512_sra_epi32(sums[i + 1].v, count);
        const V rows = {_mm512_permutexvar_epi64(order, _mm512_packs_epi32(low, high))};
        vstore(out + i * 16, vmulhrs(rows, vload(scale + i * 16)));
    }
    if (T == 1) _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), finish_one(*sums, shift, scale));
}

inline void finish_logits(const Sums& sums, int shift, const int16_t* scale, const int16_t* bias, int16_t* out,
                          int16_t* places) {
    const __m256i add = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bias));
    const __m256i logits = _mm256_adds_epi16(finish_one(sums, shift, scale), add);
    const __m256i low = _mm256_max_epi16(logits, _mm256_set1_epi16(-8192));
    const __m256i clamped = _mm256_min_epi16(low, _mm256_set1_epi16(8191));
    const __m256i found = _mm256_add_epi16(_mm256_srai_epi16(clamped, 3), _mm256_set1_epi16(1024));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), logits);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(places), found);
}
