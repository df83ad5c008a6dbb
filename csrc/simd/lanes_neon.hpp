// Four 128-bit registers a vector on aarch64. See lanes.hpp.
#pragma once

constexpr int kBlock = 4;

struct D8 { float64x2_t v[4]; };
struct F16 { float32x4_t v[4]; };
struct I16 { int32x4_t v[4]; };

#define SYNTH_ONE(T, name, A, value) \
    inline T name(A a) { \
        T out; \
        _Pragma("GCC unroll 4") for (int i = 0; i < 4; ++i) out.v[i] = value; \
        return out; \
    }
#define SYNTH_TWO(T, name, value) \
    inline T name(T a, T b) { \
        T out; \
        _Pragma("GCC unroll 4") for (int i = 0; i < 4; ++i) out.v[i] = value; \
        return out; \
    }
SYNTH_TWO(D8, dadd, vaddq_f64(a.v[i], b.v[i]))
SYNTH_TWO(D8, dsub, vsubq_f64(a.v[i], b.v[i]))
SYNTH_TWO(D8, dmul, vmulq_f64(a.v[i], b.v[i]))
SYNTH_TWO(D8, ddiv, vdivq_f64(a.v[i], b.v[i]))
SYNTH_TWO(D8, dmin, vbslq_f64(vcltq_f64(a.v[i], b.v[i]), a.v[i], b.v[i]))
SYNTH_TWO(D8, dmax, vbslq_f64(vcgtq_f64(a.v[i], b.v[i]), a.v[i], b.v[i]))
SYNTH_TWO(F16, fadd, vaddq_f32(a.v[i], b.v[i]))
SYNTH_TWO(F16, fsub, vsubq_f32(a.v[i], b.v[i]))
SYNTH_TWO(F16, fmul, vmulq_f32(a.v[i], b.v[i]))
SYNTH_TWO(F16, fdiv, vdivq_f32(a.v[i], b.v[i]))
SYNTH_TWO(F16, fmin, vbslq_f32(vcltq_f32(a.v[i], b.v[i]), a.v[i], b.v[i]))
SYNTH_TWO(F16, fmax, vbslq_f32(vcgtq_f32(a.v[i], b.v[i]), a.v[i], b.v[i]))
SYNTH_TWO(I16, iadd, vaddq_s32(a.v[i], b.v[i]))
SYNTH_TWO(I16, isub, vsubq_s32(a.v[i], b.v[i]))
SYNTH_ONE(D8, dload, const double*, vld1q_f64(a + i * 2))
SYNTH_ONE(D8, dset, double, vdupq_n_f64(a))
SYNTH_ONE(D8, dsqrt, D8, vsqrtq_f64(a.v[i]))
SYNTH_ONE(F16, fload, const float*, vld1q_f32(a + i * 4))
SYNTH_ONE(F16, fset, float, vdupq_n_f32(a))
SYNTH_ONE(F16, fwhole, I16, vcvtq_f32_s32(a.v[i]))
SYNTH_ONE(F16, ffrom, I16, vreinterpretq_f32_s32(a.v[i]))
SYNTH_ONE(I16, fbits, F16, vreinterpretq_s32_f32(a.v[i]))
SYNTH_ONE(I16, iset, int, vdupq_n_s32(a))
template <int n> SYNTH_ONE(I16, isra, I16, vshrq_n_s32(a.v[i], n))
template <int n> SYNTH_ONE(I16, isll, I16, vshlq_n_s32(a.v[i], n))
#undef SYNTH_ONE
#undef SYNTH_TWO
inline D8 dpack(const double* p) { return dload(p); }
inline F16 fnext(F16, F16, const float* p) { return fload(p + 1); }
inline void dstore(double* p, D8 a) {
    for (int i = 0; i < 4; ++i) vst1q_f64(p + i * 2, a.v[i]);
}
inline void fstore(float* p, F16 a) {
    for (int i = 0; i < 4; ++i) vst1q_f32(p + i * 4, a.v[i]);
}

inline double dfold(D8 a) {
    const float64x2_t two = vaddq_f64(vaddq_f64(a.v[0], a.v[2]), vaddq_f64(a.v[1], a.v[3]));
    return vgetq_lane_f64(two, 0) + vgetq_lane_f64(two, 1);
}
inline double dfirst(D8 a) { return a.v[0][0]; }
inline D8 dlane(D8 a, int i) { return dset(a.v[i / 2][i % 2]); }
inline D8 dinverse(D8 a, int i, double least) {
    const double x = a.v[i / 2][i % 2];
    return dset(1.0 / (x > least ? x : least));
}
inline float ffold(F16 a) {
    const float32x4_t four = vaddq_f32(vaddq_f32(a.v[0], a.v[2]), vaddq_f32(a.v[1], a.v[3]));
    const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}
inline F16 fnarrow(D8 a, D8 b) {
    F16 out;
    for (int i = 0; i < 2; ++i) {
        out.v[i] = vcombine_f32(vcvt_f32_f64(a.v[2 * i]), vcvt_f32_f64(a.v[2 * i + 1]));
        out.v[i + 2] = vcombine_f32(vcvt_f32_f64(b.v[2 * i]), vcvt_f32_f64(b.v[2 * i + 1]));
    }
    return out;
}
