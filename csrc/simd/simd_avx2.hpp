// 256-bit vectors of x86 (AVX2). See simd.hpp.
#pragma once

constexpr int kDoubles = 4;
struct Vd { __m256d v; };
inline Vd dload(const double* p) { return {_mm256_loadu_pd(p)}; }
inline void dstore(double* p, Vd a) { _mm256_storeu_pd(p, a.v); }
inline Vd dset(double x) { return {_mm256_set1_pd(x)}; }
inline Vd dadd(Vd a, Vd b) { return {_mm256_add_pd(a.v, b.v)}; }
inline Vd dsub(Vd a, Vd b) { return {_mm256_sub_pd(a.v, b.v)}; }
inline Vd dmul(Vd a, Vd b) { return {_mm256_mul_pd(a.v, b.v)}; }

constexpr int kLanes = 16;
struct V { __m256i v; };
inline V vload(const int16_t* p) { return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))}; }
inline void vstore(int16_t* p, V a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a.v); }
inline V vset(int x) { return {_mm256_set1_epi16(static_cast<short>(x))}; }
inline V vadd(V a, V b) { return {_mm256_add_epi16(a.v, b.v)}; }
inline V vsub(V a, V b) { return {_mm256_sub_epi16(a.v, b.v)}; }
inline V vadds(V a, V b) { return {_mm256_adds_epi16(a.v, b.v)}; }
inline V vmulhrs(V a, V b) { return {_mm256_mulhrs_epi16(a.v, b.v)}; }
inline V vmax(V a, V b) { return {_mm256_max_epi16(a.v, b.v)}; }
inline V vmin(V a, V b) { return {_mm256_min_epi16(a.v, b.v)}; }
inline V vand(V a, V b) { return {_mm256_and_si256(a.v, b.v)}; }
template <int n> inline V vsra(V a) { return {_mm256_srai_epi16(a.v, n)}; }
template <int n> inline V vsll(V a) { return {_mm256_slli_epi16(a.v, n)}; }
inline V vmagnitude(V x, V most) { return {_mm256_min_epu16(_mm256_abs_epi16(x.v), most.v)}; }
inline V vflip(V x, V y, V base) {
    return {_mm256_blendv_epi8(y.v, _mm256_sub_epi16(base.v, y.v), _mm256_srai_epi16(x.v, 15))};
}

using Places = V;
inline Places vplaces(V s) {
    return {_mm256_add_epi16(_mm256_mullo_epi16(s.v, _mm256_set1_epi16(0x0202)), _mm256_set1_epi16(0x0100))};
}
inline V vpick(const int16_t* table, Places places) {
    const __m128i row = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
    return {_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(row), places.v)};
}

template <bool biased> inline void vbytes(uint8_t* p, V a) {
    const __m256i lanes = _mm256_permute4x64_epi64(_mm256_packs_epi16(a.v, a.v), 0x08);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(lanes));
}

constexpr int kGateTiles = 1, kGatePhases = 1, kHeadTiles = 4, kTogether = 1;
constexpr bool kBiased = false;
struct Sums { __m256i v[2]; };

inline void clear_sums(Sums* sums, const int32_t* start, int count) {
    for (int i = 0; i < count * 2; ++i)
        sums[i / 2].v[i % 2] = _mm256_load_si256(reinterpret_cast<const __m256i*>(start) + i);
}

template <int T, int P, int S, class At>
inline void dot(const int8_t* weight, const At& at, int steps, Sums* sums) {
    static_assert(S == kTogether, "");
    const __m256i* w = reinterpret_cast<const __m256i*>(weight);
    const __m256i ones = _mm256_set1_epi16(1);
    Sums s[T];
    for (int i = 0; i < T; ++i) s[i] = sums[i];
    for (int step = 0; step < steps; ++step, w += T * 2) {
#pragma GCC unroll 12
        for (int i = 0; i < T * 2; ++i) {
            int32_t four;
            __builtin_memcpy(&four, at(0, step, i / 2), 4);
            const __m256i in = _mm256_set1_epi32(four), size = _mm256_abs_epi8(in);
            const __m256i pairs = _mm256_maddubs_epi16(size, _mm256_sign_epi8(_mm256_load_si256(w + i), in));
            s[i / 2].v[i % 2] = _mm256_add_epi32(s[i / 2].v[i % 2], _mm256_madd_epi16(pairs, ones));
        }
    }
    for (int i = 0; i < T; ++i) sums[i] = s[i];
}

template <int T>  // 1
inline void finish(const Sums* sums, int shift, const int16_t* scale, int16_t* out) {
    const __m128i count = _mm_cvtsi32_si128(shift);
    const __m256i rows = _mm256_packs_epi32(_mm256_sra_epi32(sums->v[0], count), _mm256_sra_epi32(sums->v[1], count));
    vstore(out, vmulhrs({_mm256_permute4x64_epi64(rows, 0xd8)}, vload(scale)));
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
