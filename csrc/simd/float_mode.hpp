// Rounding to nearest with denormal numbers while it lives; the caller's mode is put back.
#pragma once

class FloatMode {
   public:
#if defined(__x86_64__) || defined(_M_X64)
    FloatMode() : before_(_mm_getcsr()) { _mm_setcsr(0x1f80); }
    ~FloatMode() { _mm_setcsr((before_ & ~0x3fu) | (_mm_getcsr() & 0x3fu)); }

   private:
    unsigned before_;
#elif defined(__aarch64__)
    FloatMode() {
        uint64_t before;
        __asm__ volatile("mrs %0, fpcr" : "=r"(before) : : "memory");
        before_ = before;
        __asm__ volatile("msr fpcr, %0" : : "r"(uint64_t{0}) : "memory");
    }
    ~FloatMode() { __asm__ volatile("msr fpcr, %0" : : "r"(before_) : "memory"); }

   private:
    uint64_t before_;
#else
    FloatMode() {}  // processors whose mode we don't know how to set keep the default of IEEE 754
#endif
    FloatMode(const FloatMode&) = delete;
    FloatMode& operator=(const FloatMode&) = delete;
};
