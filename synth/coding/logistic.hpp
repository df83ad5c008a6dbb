// Natural logarithm and exponential from + - * / and bits alone, in floats.
#pragma once

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

// exp of -11.5 to 11.5, to about 1e-6.
inline float exponential(float x) {
    const float scaled = x * 1.442695f;
    const int whole = static_cast<int>(scaled + (scaled < 0.0f ? -0.5f : 0.5f));
    const float f = (scaled - static_cast<float>(whole)) * 0.6931472f;
    float p = 0.008333334f + f * 0.0013888889f;
    p = 0.041666668f + f * p;
    p = 0.16666667f + f * p;
    p = 0.5f + f * p;
    p = 1.0f + f * p;
    p = 1.0f + f * p;
    const int32_t bits = (whole + 127) << 23;
    float power;
    std::memcpy(&power, &bits, 4);
    return p * power;
}
