// Plain C++: any processor, any byte order. See lanes.hpp.
#pragma once

constexpr int kBlock = 2;

struct D8 { double v[8]; };
struct F16 { float v[16]; };
struct I16 { int32_t v[16]; };

#define SYNTH_ONE(T, n, name, A, value) \
    inline T name(A a) { \
        T out; \
        for (int i = 0; i < n; ++i) out.v[i] = value; \
        return out; \
    }
#define SYNTH_TWO(T, n, name, value) \
    inline T name(const T& a, const T& b) { \
        T out; \
        for (int i = 0; i < n; ++i) out.v[i] = value; \
        return out; \
    }
inline int32_t float_bits(float x) {
    int32_t bits;
    __builtin_memcpy(&bits, &x, 4);
    return bits;
}
inline float bits_float(int32_t bits) {
    float x;
    __builtin_memcpy(&x, &bits, 4);
    return x;
}
SYNTH_TWO(D8, 8, dadd, a.v[i] + b.v[i])
SYNTH_TWO(D8, 8, dsub, a.v[i] - b.v[i])
SYNTH_TWO(D8, 8, dmul, a.v[i] * b.v[i])
SYNTH_TWO(D8, 8, ddiv, a.v[i] / b.v[i])
SYNTH_TWO(D8, 8, dmin, a.v[i] < b.v[i] ? a.v[i] : b.v[i])
SYNTH_TWO(D8, 8, dmax, a.v[i] > b.v[i] ? a.v[i] : b.v[i])
SYNTH_TWO(F16, 16, fadd, a.v[i] + b.v[i])
SYNTH_TWO(F16, 16, fsub, a.v[i] - b.v[i])
SYNTH_TWO(F16, 16, fmul, a.v[i] * b.v[i])
SYNTH_TWO(F16, 16, fdiv, a.v[i] / b.v[i])
SYNTH_TWO(F16, 16, fmin, a.v[i] < b.v[i] ? a.v[i] : b.v[i])
SYNTH_TWO(F16, 16, fmax, a.v[i] > b.v[i] ? a.v[i] : b.v[i])
SYNTH_TWO(I16, 16, iadd, static_cast<int32_t>(static_cast<uint32_t>(a.v[i]) + static_cast<uint32_t>(b.v[i])))
SYNTH_TWO(I16, 16, isub, static_cast<int32_t>(static_cast<uint32_t>(a.v[i]) - static_cast<uint32_t>(b.v[i])))
SYNTH_ONE(D8, 8, dload, const double*, a[i])
SYNTH_ONE(D8, 8, dset, double, a)
SYNTH_ONE(D8, 8, dsqrt, const D8&, std::sqrt(a.v[i]))
SYNTH_ONE(F16, 16, fload, const float*, a[i])
SYNTH_ONE(F16, 16, fset, float, a)
SYNTH_ONE(F16, 16, fwhole, const I16&, static_cast<float>(a.v[i]))
SYNTH_ONE(F16, 16, ffrom, const I16&, bits_float(a.v[i]))
SYNTH_ONE(I16, 16, fbits, const F16&, float_bits(a.v[i]))
SYNTH_ONE(I16, 16, iset, int, a)
template <int n> SYNTH_ONE(I16, 16, isra, const I16&, a.v[i] >> n)
template <int n> SYNTH_ONE(I16, 16, isll, const I16&, static_cast<int32_t>(static_cast<uint32_t>(a.v[i]) << n))
#undef SYNTH_ONE
#undef SYNTH_TWO
inline D8 dpack(const double* p) { return dload(p); }
inline F16 fnext(const F16&, const F16&, const float* p) { return fload(p + 1); }
inline void dstore(double* p, const D8& a) {
    for (int i = 0; i < 8; ++i) p[i] = a.v[i];
}
inline void fstore(float* p, const F16& a) {
    for (int i = 0; i < 16; ++i) p[i] = a.v[i];
}
inline double dfold(const D8& a) {
    double v[4];
    for (int i = 0; i < 4; ++i) v[i] = a.v[i] + a.v[i + 4];
    return (v[0] + v[2]) + (v[1] + v[3]);
}
inline double dfirst(const D8& a) { return a.v[0]; }
inline D8 dlane(const D8& a, int i) { return dset(a.v[i]); }
inline D8 dinverse(const D8& a, int i, double least) { return dset(1.0 / (a.v[i] > least ? a.v[i] : least)); }
inline float ffold(const F16& a) {
    float v[8];
    for (int i = 0; i < 8; ++i) v[i] = a.v[i] + a.v[i + 8];
    for (int i = 0; i < 4; ++i) v[i] = v[i] + v[i + 4];
    return (v[0] + v[2]) + (v[1] + v[3]);
}
inline F16 fnarrow(const D8& a, const D8& b) {
    F16 out;
    for (int i = 0; i < 8; ++i) {
        out.v[i] = static_cast<float>(a.v[i]);
        out.v[i + 8] = static_cast<float>(b.v[i]);
    }
    return out;
}
