# The engine without Python: two object libraries of kernel.cpp for each instruction set, each with its own flags. Needs
# SYNTH_CSRC; gives SYNTH_COMMON (sources for all sets), SYNTH_OBJECTS, SYNTH_GENERATED (a folder of headers) and
# SYNTH_FLAGS.
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

set(SYNTH_OPTIMISE -O3 CACHE STRING "how GCC and Clang optimise; the golden test varies it")
if(MSVC)
  set(SYNTH_FLAGS /O2 /fp:precise)
else()
  set(SYNTH_FLAGS ${SYNTH_OPTIMISE} -ffp-contract=off -fno-fast-math -Wall -Wextra)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    list(APPEND SYNTH_FLAGS -Wno-maybe-uninitialized -Wno-uninitialized)
  endif()
endif()

set(SYNTH_SETS baseline)
if(NOT MSVC AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  list(APPEND SYNTH_SETS ssse3 avx2 avx512vnni)
  set(SYNTH_FLAGS_ssse3 -mssse3)
  set(SYNTH_FLAGS_avx2 -mavx2)
  set(SYNTH_FLAGS_avx512vnni -mavx512f -mavx512bw -mavx512vl -mavx512vnni -mprefer-vector-width=512)
elseif(NOT MSVC AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
  list(APPEND SYNTH_SETS neon dotprod)
  set(SYNTH_FLAGS_dotprod -march=armv8.2-a+dotprod)
  set(SYNTH_FLAGS_baseline -DSYNTH_PLAIN)
endif()

set(SYNTH_OBJECTS)
set(SYNTH_BUILT "")
foreach(SYNTH_SET IN LISTS SYNTH_SETS)
  add_library(synth_${SYNTH_SET} OBJECT "${SYNTH_CSRC}/engine/kernel.cpp" "${SYNTH_CSRC}/vocoder/voice.cpp"
              "${SYNTH_CSRC}/codec/codec.cpp")
  add_library(synth_tokens_${SYNTH_SET} OBJECT "${SYNTH_CSRC}/engine/kernel.cpp")
  target_compile_definitions(synth_tokens_${SYNTH_SET} PRIVATE SYNTH_TOKENS)
  foreach(SYNTH_LIBRARY synth_${SYNTH_SET} synth_tokens_${SYNTH_SET})
    target_compile_definitions(${SYNTH_LIBRARY} PRIVATE SYNTH_SET=${SYNTH_SET})
    target_include_directories(${SYNTH_LIBRARY} PRIVATE "${SYNTH_CSRC}")
    target_compile_options(${SYNTH_LIBRARY} PRIVATE ${SYNTH_FLAGS} ${SYNTH_FLAGS_${SYNTH_SET}})
    list(APPEND SYNTH_OBJECTS $<TARGET_OBJECTS:${SYNTH_LIBRARY}>)
  endforeach()
  string(APPEND SYNTH_BUILT " f(${SYNTH_SET})")
endforeach()

set(SYNTH_COMMON engine/dispatch.cpp engine/draw_top_p.cpp engine/mulaw.cpp engine/pack_weights.cpp engine/stream.cpp
                 vocoder/bed.cpp vocoder/conditioner.cpp vocoder/emphasis.cpp vocoder/note_bed.cpp vocoder/planned_latents.cpp
                 vocoder/postfilter.cpp vocoder/postfilter_passes.cpp vocoder/vocoder.cpp vocoder/voice_stream.cpp codec/residuals.cpp
                 codec/segment.cpp codec/tokens.cpp)
list(TRANSFORM SYNTH_COMMON PREPEND "${SYNTH_CSRC}/")
set(SYNTH_GENERATED "${CMAKE_CURRENT_BINARY_DIR}/generated")
file(WRITE "${SYNTH_GENERATED}/built_sets.hpp" "#define SYNTH_BUILT_SETS(f)${SYNTH_BUILT}\n")
