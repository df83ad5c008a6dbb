// 128-bit vectors of aarch64: NEON, with the dot product of ARMv8.2 where the compiler may use it. See simd.hpp.
#pragma once

constexpr int kDoubles = 2;
struct Vd { float64x2_t v; };
inline Vd dload(const double* p) { return {vld1q_f64(p)}; }
inline void dstore(double* p, Vd a) { vst1q_f64(p, a.v); }
inline Vd dset(double x) { return {vdupq_n_f64(x)}; }
inline Vd dadd(Vd a, Vd b) { return {vaddq_f64(a.v, b.v)}; }
inline Vd dsub(Vd a, Vd b) { return {vsubq_f64(a.v, b.v)}; }
inline Vd dmul(Vd a, Vd b) { return {vmulq_f64(a.v, b.v)}; }

constexpr int kLanes = 8;
struct V { int16x8_t v; };
inline V vload(const int16_t* p) { return {vld1q_s16(p)}; }
inline void vstore(int16_t* p, V a) { vst1q_s16(p, a.v); }
inline V vset(int x) { return {vdupq_n_s16(static_cast<int16_t>(x))}; }
// by unsigned numbers: GCC's vaddq_s16 and vsubq_s16 are + and - of signed ones, whose overflow is undefined
inline V vadd(V a, V b) {
    return {vreinterpretq_s16_u16(vaddq_u16(vreinterpretq_u16_s16(a.v), vreinterpretq_u16_s16(b.v)))};
}
inline V vsub(V a, V b) {
    return {vreinterpretq_s16_u16(vsubq_u16(vreinterpretq_u16_s16(a.v), vreinterpretq_u16_s16(b.v)))};
}
inline V vadds(V a, V b) { return {vqaddq_s16(a.v, b.v)}; }
inline V vmulhrs(V a, V b) { return {vqrdmulhq_s16(a.v, b.v)}; }  // never with -32768 twice: one factor is >= 0
inline V vmax(V a, V b) { return {vmaxq_s16(a.v, b.v)}; }
inline V vmin(V a, V b) { return {vminq_s16(a.v, b.v)}; }
inline V vand(V a, V b) { return {vandq_s16(a.v, b.v)}; }
template <int n> inline V vsra(V a) { return {vshrq_n_s16(a.v, n)}; }
template <int n> inline V vsll(V a) { return {vshlq_n_s16(a.v, n)}; }
inline V vmagnitude(V x, V most) { return {vminq_s16(vqabsq_s16(x.v), most.v)}; }
inline V vflip(V x, V y, V base) { return {vbslq_s16(vcltzq_s16(x.v), vsub(base, y).v, y.v)}; }

struct Places { uint8x16_t v; };
inline Places vplaces(V s) {
    return {vreinterpretq_u8_s16(vaddq_s16(vmulq_n_s16(s.v, 0x0202), vdupq_n_s16(0x0100)))};
}
inline V vpick(const int16_t* table, Places places) {
    return {vreinterpretq_s16_u8(vqtbl1q_u8(vreinterpretq_u8_s16(vld1q_s16(table)), places.v))};
}

template <bool biased> inline void vbytes(uint8_t* p, V a) { vst1_u8(p, vreinterpret_u8_s8(vmovn_s16(a.v))); }

constexpr int kGateTiles = 1, kGatePhases = 1, kHeadTiles = 4, kTogether = 1;
constexpr bool kBiased = false;
struct Sums { int32x4_t v[4]; };

inline void clear_sums(Sums* sums, const int32_t* start, int count) {
    for (int i = 0; i < count * 4; ++i) sums[i / 4].v[i % 4] = vld1q_s32(start + i * 4);
}

template <int T, int P, int S, class At>
inline void dot(const int8_t* weight, const At& at, int steps, Sums* sums) {
    static_assert(S == kTogether, "");
    Sums s[T];
    for (int i = 0; i < T; ++i) s[i] = sums[i];
    for (int step = 0; step < steps; ++step, weight += T * 64) {
#pragma GCC unroll 12
        for (int i = 0; i < T * 4; ++i) {
            int32_t four;
            __builtin_memcpy(&four, at(0, step, i / 4), 4);
            const int8x16_t in = vreinterpretq_s8_s32(vdupq_n_s32(four));
            const int8x16_t w = vld1q_s8(weight + i * 16);
#if defined(__ARM_FEATURE_DOTPROD)
            s[i / 4].v[i % 4] = vdotq_s32(s[i / 4].v[i % 4], w, in);
#else
            const int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(in)), high = vmull_high_s8(w, in);
            s[i / 4].v[i % 4] = vpadalq_s16(s[i / 4].v[i % 4], vpaddq_s16(low, high));  // |sum of two| <= 32512
#endif
        }
    }
    for (int i = 0; i < T; ++i) sums[i] = s[i];
}

template <int T>  // 1
inline void finish(const Sums* sums, int shift, const int16_t* scale, int16_t* out) {
    const int32x4_t count = vdupq_n_s32(-shift);
    for (int i = 0; i < 2; ++i) {
        const int16x4_t low = vqmovn_s32(vshlq_s32(sums->v[i * 2], count));
        const int16x4_t high = vqmovn_s32(vshlq_s32(sums->v[i * 2 + 1], count));
        vstore(out + i * 8, vmulhrs({vcombine_s16(low, high)}, vload(scale + i * 8)));
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
