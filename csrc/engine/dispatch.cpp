// Which instruction sets were built, and which of them this processor has.
#include "engine/dispatch.hpp"

#include "built_sets.hpp"

#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace synth {

#define SYNTH_DECLARE(set) extern const Api api_##set;
SYNTH_BUILT_SETS(SYNTH_DECLARE)

namespace {

bool machine_has(const char* name) {
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_cpu_init();
    const std::string set = name;
    if (set == "ssse3") return __builtin_cpu_supports("ssse3");
    if (set == "avx2") return __builtin_cpu_supports("avx2");
    if (set == "avx512vnni")
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
    return set == "baseline";
#elif defined(__aarch64__) && defined(__linux__)
    return std::string(name) != "dotprod" || (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#else
    return name != nullptr;  // only sets that every such processor has are built
#endif
}

}  // namespace

std::vector<const Api*> instruction_sets() {
    std::vector<const Api*> sets;
#define SYNTH_LIST(set) \
    if (machine_has(api_##set.name)) sets.push_back(&api_##set);
    SYNTH_BUILT_SETS(SYNTH_LIST)
    return sets;
}

}  // namespace synth
