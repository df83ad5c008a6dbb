# The module synth.engine._kernel: kernel.cpp and the codec's codec.cpp for each instruction set, each with its own flags.
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(SYNTH_FOLDER "${CMAKE_CURRENT_SOURCE_DIR}/synth/engine")
set(SYNTH_CODING_FOLDER "${CMAKE_CURRENT_SOURCE_DIR}/synth/coding")

if(MSVC)
  set(SYNTH_FLAGS /O2 /fp:precise)
else()
  set(SYNTH_FLAGS -O3 -ffp-contract=off -fno-fast-math -Wall -Wextra -Wno-maybe-uninitialized)
endif()

set(SYNTH_SETS baseline)
if(NOT MSVC AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  list(APPEND SYNTH_SETS ssse3 avx2 avx512vnni)
  set(SYNTH_FLAGS_ssse3 -mssse3)
  set(SYNTH_FLAGS_avx2 -mavx2)
  set(SYNTH_FLAGS_avx512vnni -mavx512f -mavx512bw -mavx512vl -mavx512vnni -mprefer-vector-width=512)
elseif(NOT MSVC AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
  list(APPEND SYNTH_SETS neon)
  set(SYNTH_FLAGS_baseline -DSYNTH_PLAIN)
endif()

set(SYNTH_OBJECTS)
set(SYNTH_BUILT "")
foreach(SYNTH_SET IN LISTS SYNTH_SETS)
  add_library(synth_${SYNTH_SET} OBJECT "${SYNTH_FOLDER}/kernel.cpp" "${SYNTH_CODING_FOLDER}/codec.cpp")
  target_compile_definitions(synth_${SYNTH_SET} PRIVATE SYNTH_SET=${SYNTH_SET})
  target_compile_options(synth_${SYNTH_SET} PRIVATE ${SYNTH_FLAGS} ${SYNTH_FLAGS_${SYNTH_SET}})
  list(APPEND SYNTH_OBJECTS $<TARGET_OBJECTS:synth_${SYNTH_SET}>)
  string(APPEND SYNTH_BUILT " f(${SYNTH_SET})")
endforeach()

set(SYNTH_COMMON dispatch.cpp engine.cpp leaves.cpp mulaw.cpp)
list(TRANSFORM SYNTH_COMMON PREPEND "${SYNTH_FOLDER}/")
list(APPEND SYNTH_COMMON "${SYNTH_CODING_FOLDER}/bind.cpp" "${SYNTH_CODING_FOLDER}/segment.cpp")
nanobind_add_module(_kernel NB_STATIC NOMINSIZE "${SYNTH_FOLDER}/bind.cpp" ${SYNTH_COMMON} ${SYNTH_OBJECTS})
file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/generated/built_sets.hpp" "#define SYNTH_BUILT_SETS(f)${SYNTH_BUILT}\n")
target_include_directories(_kernel PRIVATE "${CMAKE_CURRENT_BINARY_DIR}/generated")
target_compile_options(_kernel PRIVATE $<$<NOT:$<CXX_COMPILER_ID:MSVC>>:-ffp-contract=off>)
install(TARGETS _kernel LIBRARY DESTINATION synth/engine)

# `cmake --build BUILD --target inplace` puts the module beside its source, for work on a source tree (renamed into
# place, so that processes that use the old one are not disturbed)
add_custom_target(inplace DEPENDS _kernel
                  COMMAND ${CMAKE_COMMAND} -E copy $<TARGET_FILE:_kernel> "${SYNTH_FOLDER}/_kernel.new.so"
                  COMMAND ${CMAKE_COMMAND} -E rename "${SYNTH_FOLDER}/_kernel.new.so"
                          "${SYNTH_FOLDER}/$<TARGET_FILE_NAME:_kernel>")
