// Natural logarithm and exponential from + - * / and bits alone, in floats.
#pragma once

// log2 of a positive number, rounded down.
inline int exponent(double x) {
    int64_t bits;
    std::memcpy(&bits, &x, 8);
    return static_cast<int>(bits >> 52) - 1023;
}

inline int limited(int x, int most) { return x < 0 ? 0 : x > most ? most : x; }

// ln of positive normal numbers, to about 1e-6: exponent and mantissa apart, atanh series of the mantissa.
inline F16 log16(F16 x) {
    const I16 bits = fbits(x);
    const I16 whole = isra<23>(isub(bits, iset(0x3f3504f3)));
    const F16 m = ffrom(isub(bits, isll<23>(whole))), one = fset(1.0f);
    const F16 s = fdiv(fsub(m, one), fadd(m, one)), q = fmul(s, s);
    F16 p = fadd(fset(0.2f), fmul(q, fset(0.14285715f)));
    p = fadd(fset(0.33333334f), fmul(q, p));
    p = fmul(fadd(s, s), fadd(one, fmul(q, p)));
    return fadd(fmul(fwhole(whole), fset(0.6931472f)), p);
}

// exp of -11.5 to 11.5, to about 1e-6: adding 1.5 * 2^23 rounds to the nearest whole power of 2.
inline float exponential(float x) {
    const float scaled = x * 1.442695f, moved = scaled + 12582912.0f;
    const float f = (scaled - (moved - 12582912.0f)) * 0.6931472f;
    float p = 0.008333334f + f * 0.0013888889f;
    p = 0.041666668f + f * p;
    p = 0.16666667f + f * p;
    p = 0.5f + f * p;
    p = 1.0f + f * p;
    p = 1.0f + f * p;
    uint32_t bits;
    std::memcpy(&bits, &moved, 4);
    bits = (bits - (0x4b400000u - 127u)) << 23;
    float power;
    std::memcpy(&power, &bits, 4);
    return p * power;
}

// The same of 16 at once.
inline F16 exponential(F16 x) {
    const F16 magic = fset(12582912.0f), scaled = fmul(x, fset(1.442695f)), moved = fadd(scaled, magic);
    const F16 f = fmul(fsub(scaled, fsub(moved, magic)), fset(0.6931472f));
    F16 p = fadd(fset(0.008333334f), fmul(f, fset(0.0013888889f)));
    p = fadd(fset(0.041666668f), fmul(f, p));
    p = fadd(fset(0.16666667f), fmul(f, p));
    p = fadd(fset(0.5f), fmul(f, p));
    p = fadd(fset(1.0f), fmul(f, p));
    p = fadd(fset(1.0f), fmul(f, p));
    return fmul(p, ffrom(isll<23>(isub(fbits(moved), iset(0x4b400000 - 127)))));
}
