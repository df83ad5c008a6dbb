// Vectors of one lane in plain C++: any processor, any byte order. See simd.hpp for what each function means.
#pragma once

constexpr int kDoubles = 1;
struct Vd { double v; };
inline Vd dload(const double* p) { return {*p}; }
inline void dstore(double* p, Vd a) { *p = a.v; }
inline Vd dset(double x) { return {x}; }
inline Vd dadd(Vd a, Vd b) { return {a.v + b.v}; }
inline Vd dsub(Vd a, Vd b) { return {a.v - b.v}; }
inline Vd dmul(Vd a, Vd b) { return {a.v * b.v}; }

constexpr int kLanes = 1;
struct V { int16_t v; };
inline int16_t wrap(int x) { return static_cast<int16_t>(static_cast<uint16_t>(x)); }
inline int16_t clamp16(int x) { return static_cast<int16_t>(x < -32768 ? -32768 : x > 32767 ? 32767 : x); }
inline int16_t mulhrs(int a, int b) { return wrap((a * b + 16384) >> 15); }
inline V vload(const int16_t* p) { return {*p}; }
inline void vstore(int16_t* p, V a) { *p = a.v; }
inline V vset(int x) { return {wrap(x)}; }
inline V vadd(V a, V b) { return {wrap(a.v + b.v)}; }
inline V vsub(V a, V b) { return {wrap(a.v - b.v)}; }
inline V vadds(V a, V b) { return {clamp16(a.v + b.v)}; }
inline V vmulhrs(V a, V b) { return {mulhrs(a.v, b.v)}; }
inline V vmax(V a, V b) { return a.v > b.v ? a : b; }
inline V vmin(V a, V b) { return a.v < b.v ? a : b; }
inline V vand(V a, V b) { return {wrap(a.v & b.v)}; }
template <int n> inline V vsra(V a) { return {wrap(a.v >> n)}; }
template <int n> inline V vsll(V a) { return {wrap(static_cast<int>(static_cast<unsigned>(a.v) << n))}; }
inline V vmagnitude(V x, V most) {
    const int size = x.v < 0 ? -static_cast<int>(x.v) : x.v;
    return {clamp16(size < most.v ? size : most.v)};
}
inline V vflip(V x, V y, V base) { return x.v >= 0 ? y : vsub(base, y); }

struct Places { int v; };
inline Places vplaces(V s) { return {s.v}; }
inline V vpick(const int16_t* table, Places places) { return {table[places.v]}; }

template <bool biased> inline void vbytes(uint8_t* p, V a) { *p = static_cast<uint8_t>(a.v); }

constexpr int kGateTiles = 1, kGatePhases = 1, kHeadTiles = 1, kTogether = 1;
constexpr bool kBiased = false;
struct Sums { int32_t v[16]; };

inline void clear_sums(Sums* sums, const int32_t* start, int count) {
    for (int i = 0; i < count * 16; ++i) sums[i / 16].v[i % 16] = start[i];
}

template <int T, int P, int S, class At>
inline void dot(const int8_t* weight, const At& at, int steps, Sums* sums) {
    static_assert(S == kTogether, "");
    for (int step = 0; step < steps; ++step)
        for (int tile = 0; tile < T; ++tile, weight += 64)
            for (int row = 0; row < 16; ++row)
                for (int c = 0; c < 4; ++c)
                    sums[tile].v[row] += weight[row * 4 + c] * static_cast<int8_t>(at(0, step, tile)[c]);
}

template <int T>  // 1
inline void finish(const Sums* sums, int shift, const int16_t* scale, int16_t* out) {
    for (int row = 0; row < 16; ++row) out[row] = mulhrs(clamp16(sums->v[row] >> shift), scale[row]);
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
