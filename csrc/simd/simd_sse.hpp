// 128-bit vectors of x86: SSE2 (baseline), or SSSE3 where the compiler may use it. See simd.hpp.
#pragma once

constexpr int kDoubles = 2;
struct Vd { __m128d v; };
inline Vd dload(const double* p) { return {_mm_loadu_pd(p)}; }
inline void dstore(double* p, Vd a) { _mm_storeu_pd(p, a.v); }
inline Vd dset(double x) { return {_mm_set1_pd(x)}; }
inline Vd dadd(Vd a, Vd b) { return {_mm_add_pd(a.v, b.v)}; }
inline Vd dsub(Vd a, Vd b) { return {_mm_sub_pd(a.v, b.v)}; }
inline Vd dmul(Vd a, Vd b) { return {_mm_mul_pd(a.v, b.v)}; }

constexpr int kLanes = 8;
struct V { __m128i v; };
inline V vload(const int16_t* p) { return {_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))}; }
inline void vstore(int16_t* p, V a) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), a.v); }
inline V vset(int x) { return {_mm_set1_epi16(static_cast<short>(x))}; }
inline V vadd(V a, V b) { return {_mm_add_epi16(a.v, b.v)}; }
inline V vsub(V a, V b) { return {_mm_sub_epi16(a.v, b.v)}; }
inline V vadds(V a, V b) { return {_mm_adds_epi16(a.v, b.v)}; }
inline V vmax(V a, V b) { return {_mm_max_epi16(a.v, b.v)}; }
inline V vmin(V a, V b) { return {_mm_min_epi16(a.v, b.v)}; }
inline V vand(V a, V b) { return {_mm_and_si128(a.v, b.v)}; }
template <int n> inline V vsra(V a) { return {_mm_srai_epi16(a.v, n)}; }
template <int n> inline V vsll(V a) { return {_mm_slli_epi16(a.v, n)}; }
inline V vmagnitude(V x, V most) {
    const V above = vmax(x, vset(-32767));
    return vmin(vmax(above, vsub(vset(0), above)), most);
}
inline V vflip(V x, V y, V base) {
    const __m128i mask = _mm_srai_epi16(x.v, 15);
    return {_mm_add_epi16(_mm_sub_epi16(_mm_xor_si128(y.v, mask), mask), _mm_and_si128(base.v, mask))};
}

#if defined(__SSSE3__)
inline V vmulhrs(V a, V b) { return {_mm_mulhrs_epi16(a.v, b.v)}; }
using Places = V;
inline Places vplaces(V s) {
    return {_mm_add_epi16(_mm_mullo_epi16(s.v, _mm_set1_epi16(0x0202)), _mm_set1_epi16(0x0100))};
}
inline V vpick(const int16_t* table, Places places) {
    return {_mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)), places.v)};
}
#else
inline V vmulhrs(V a, V b) {
    const __m128i low = _mm_srli_epi16(_mm_mullo_epi16(a.v, b.v), 14);
    const __m128i round = _mm_srli_epi16(_mm_add_epi16(low, _mm_set1_epi16(1)), 1);
    return {_mm_add_epi16(_mm_slli_epi16(_mm_mulhi_epi16(a.v, b.v), 1), round)};
}
struct Places { __m128i above[7]; };  // all ones where the place is above 0, 1, ... 6
inline Places vplaces(V s) {
    Places places;
    for (int i = 0; i < 7; ++i) places.above[i] = _mm_cmpgt_epi16(s.v, _mm_set1_epi16(static_cast<short>(i)));
    return places;
}
inline V vpick(const int16_t* table, const Places& places) {
    __m128i sum = _mm_set1_epi16(table[0]);
    for (int i = 0; i < 7; ++i) {
        const __m128i step = _mm_set1_epi16(static_cast<short>(table[i + 1] - table[i]));
        sum = _mm_add_epi16(sum, _mm_and_si128(places.above[i], step));
    }
    return {sum};
}
#endif

template <bool biased> inline void vbytes(uint8_t* p, V a) {
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(a.v, a.v));
}

constexpr int kGateTiles = 1, kGatePhases = 1, kHeadTiles = 2, kTogether = 1;
constexpr bool kBiased = false;
struct Sums { __m128i v[4]; };

inline void clear_sums(Sums* sums, const int32_t* start, int count) {
    for (int i = 0; i < count * 4; ++i)
        sums[i / 4].v[i % 4] = _mm_load_si128(reinterpret_cast<const __m128i*>(start) + i);
}

inline __m128i four_columns(const uint8_t* x) {
    int32_t four;
    __builtin_memcpy(&four, x, 4);
    return _mm_set1_epi32(four);
}

template <int T, int P, int S, class At>
inline void dot(const int8_t* weight, const At& at, int steps, Sums* sums) {
    static_assert(S == kTogether, "");
    const __m128i* w = reinterpret_cast<const __m128i*>(weight);
    Sums s[T];
    for (int i = 0; i < T; ++i) s[i] = sums[i];
    for (int step = 0; step < steps; ++step, w += T * 4) {
#if defined(__SSSE3__)
        const __m128i ones = _mm_set1_epi16(1);
#pragma GCC unroll 12
        for (int i = 0; i < T * 4; ++i) {
            const __m128i in = four_columns(at(0, step, i / 4)), size = _mm_abs_epi8(in);
            const __m128i pairs = _mm_maddubs_epi16(size, _mm_sign_epi8(_mm_load_si128(w + i), in));
            s[i / 4].v[i % 4] = _mm_add_epi32(s[i / 4].v[i % 4], _mm_madd_epi16(pairs, ones));
        }
#else
#pragma GCC unroll 12
        for (int i = 0; i < T * 4; ++i) {
            const __m128i in = four_columns(at(0, step, i / 4));
            const __m128i odd = _mm_srai_epi16(in, 8), even = _mm_srai_epi16(_mm_slli_epi16(in, 8), 8);
            const __m128i now = _mm_load_si128(w + i);
            const __m128i high = _mm_madd_epi16(_mm_srai_epi16(now, 8), odd);
            const __m128i low = _mm_madd_epi16(_mm_srai_epi16(_mm_slli_epi16(now, 8), 8), even);
            s[i / 4].v[i % 4] = _mm_add_epi32(s[i / 4].v[i % 4], _mm_add_epi32(high, low));
        }
#endif
    }
    for (int i = 0; i < T; ++i) sums[i] = s[i];
}

template <int T>  // 1
inline void finish(const Sums* sums, int shift, const int16_t* scale, int16_t* out) {
    const __m128i count = _mm_cvtsi32_si128(shift);
    for (int i = 0; i < 2; ++i) {
        const V rows = {_mm_packs_epi32(_mm_sra_epi32(sums->v[i * 2], count), _mm_sra_epi32(sums->v[i * 2 + 1], count))};
        vstore(out + i * 8, vmulhrs(rows, vload(scale + i * 8)));
    }
}

inline void finish_logits(const Sums& sums, int shift, const int16_t* scale, const int16_t* bias, int16_t* out,
                          int16_t* places) {
    finish<1>(&sums, shift, scale, out);
    for (int i = 0; i < 16; i += kLanes) {
        const V logits = vadds(vload(out + i), vload(bias + i));
        vstore(out + i, logits);
        vstore(places + i, vadd(vsra<3>(vmin(vmax(logits, vset(-8192)), vset(8191))), vset(1024)));
    }
}
