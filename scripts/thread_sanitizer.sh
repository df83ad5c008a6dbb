#!/usr/bin/env bash
# Builds the kernel under ThreadSanitizer and runs the tests that use threads with it: `scripts/thread_sanitizer.sh
# [TEST ...]`. Works in a copy, build/thread-sanitizer; ends with 1 where a test fails or a race is reported, which it prints.
# The interpreter is not instrumented, but its locks are seen, so that what its own lock guards is not reported.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$PWD/build/thread-sanitizer
if [ $# = 0 ]; then
    set -- tests/engine/test_threads.py tests/generation/test_stream_threads.py tests/common/test_threads.py \
        tests/common/test_turns.py tests/codec/test_segments.py
fi
mkdir -p "$work/tree"
tar -c --exclude='_kernel*.so' --exclude=__pycache__ CMakeLists.txt pyproject.toml README.md LICENSE csrc synth checkpoints tests |
    tar -x -C "$work/tree"
cmake -S "$work/tree" -B "$work/build" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSYNTH_OPTIMISE=-O1 \
    -DCMAKE_CXX_FLAGS="-fsanitize=thread -fno-omit-frame-pointer" >/dev/null
cmake --build "$work/build" --target inplace -j "$(nproc)"
rm -f "$work"/report.*
status=0
LD_PRELOAD=$("${CXX:-g++}" -print-file-name=libtsan.so) PYTHONPATH=$work/tree \
    TSAN_OPTIONS="history_size=7 log_path=$work/report report_signal_unsafe=0" \
    python -m pytest -q -p no:cacheprovider -p no:faulthandler --timeout 900 --rootdir "$work/tree" \
    "${@/#/$work/tree/}" || status=1
for report in "$work"/report.*; do
    [ -e "$report" ] && cat "$report" && status=1
done
exit $status
