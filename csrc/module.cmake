# The module synth.engine._kernel.
set(SYNTH_CSRC "${CMAKE_CURRENT_SOURCE_DIR}/csrc")
set(SYNTH_FOLDER "${CMAKE_CURRENT_SOURCE_DIR}/synth/engine")
include("${SYNTH_CSRC}/sets.cmake")
nanobind_add_module(_kernel NB_STATIC NOMINSIZE "${SYNTH_CSRC}/python/bind.cpp" "${SYNTH_CSRC}/python/bind_voice.cpp"
                    "${SYNTH_CSRC}/python/bind_voice_stream.cpp" "${SYNTH_CSRC}/python/bind_codec.cpp" ${SYNTH_COMMON} ${SYNTH_OBJECTS})
target_include_directories(_kernel PRIVATE ${SYNTH_CSRC} ${SYNTH_GENERATED})
target_compile_options(_kernel PRIVATE $<$<NOT:$<CXX_COMPILER_ID:MSVC>>:-ffp-contract=off>)
install(TARGETS _kernel LIBRARY DESTINATION synth/engine)

# `cmake --build BUILD --target inplace` puts the module into synth/engine, for work on a source tree (renamed into
# place, so that processes that use the old one are not disturbed)
add_custom_target(inplace DEPENDS _kernel
                  COMMAND ${CMAKE_COMMAND} -E copy $<TARGET_FILE:_kernel> "${SYNTH_FOLDER}/_kernel.new.so"
                  COMMAND ${CMAKE_COMMAND} -E rename "${SYNTH_FOLDER}/_kernel.new.so"
                          "${SYNTH_FOLDER}/$<TARGET_FILE_NAME:_kernel>")
