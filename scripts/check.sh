#!/usr/bin/env bash
# What has to pass before a change lands, the cheapest first: linters, types and import contracts, the README's two
# commands in a new virtual environment and a clean copy of the checkout, an install without a compiler, all tests, the
# golden test on other machines, the long tests. Only what is committed is checked.
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset PYTHONPATH SYNTH_ISA
cores=$(nproc) && cores=$((cores < 4 ? cores : 4))  # a worker of the tests takes up to 1 GB
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_QUIET=1

step() { printf '\n== %s (%ss)\n' "$1" "$SECONDS"; }
copy() { mkdir "$work/$1" && git -C "$here" archive HEAD | tar -x -C "$work/$1"; }
venv() { python3 -m venv "$work/$1" && . "$work/$1/bin/activate"; }

step 'pip install -e ".[dev]"'
copy dev && venv dev-venv && cd "$work/dev"
pip install -e ".[dev]"

step "linters, types, import contracts, sizes"
ruff check .
ruff format --check .
mypy
lint-imports
python scripts/sizes.py synth
python scripts/sizes.py benchmarks recipes scripts
deactivate

step "pip install . && generate-audio hello.wav"
copy user && venv user-venv && cd "$work/user"
pip install . && generate-audio hello.wav
cd "$work"  # the installed package, not the source tree
test "$(wc -c <user/hello.wav)" = 32044
python -c 'import importlib.util as u; assert u.find_spec("torch") is None, "the plain install brought torch"'
synth info
generate-audio piano.wav -c piano -d 1 -s 1
deactivate

step "without a compiler: the reference engine, one line of warning"
copy bare && venv bare-venv && cd "$work/bare"
CC=/nonexistent/cc CXX=/nonexistent/c++ pip install .
cd "$work"
generate-audio slow.wav -d 0.1 -s 5 2>bare.log
cat bare.log
test "$(grep -c 'reference engine' bare.log)" = 1
synth compress slow.wav --level fast -q 2>/dev/null
deactivate
. "$work/user-venv/bin/activate"
generate-audio fast.wav -d 0.1 -s 5 -q
cmp slow.wav fast.wav
synth compress fast.wav --level fast -q
cmp slow.syn fast.syn
deactivate

step "pytest"
. "$work/dev-venv/bin/activate"
cd "$work/dev"
OMP_NUM_THREADS=1 pytest -n "$cores" --dist loadscope  # by modules, whose fixtures train

step "golden test: other compilers, sanitizers, aarch64 and s390x in an emulator"
wanting=
for tool in clang++ aarch64-linux-gnu-g++ s390x-linux-gnu-g++ qemu-s390x-static; do
  command -v "$tool" >/dev/null || wanting=$tool
done
if [ "$wanting" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then  # what stays missing is skipped below
  timeout 60 apt-get update -qq || true
  for package in clang libclang-rt-dev g++-aarch64-linux-gnu g++-s390x-linux-gnu qemu-user-static; do
    DEBIAN_FRONTEND=noninteractive timeout 120 apt-get install -y -qq "$package" >"$work/apt.log" 2>&1 ||
      echo "not installed: $package: $(tail -n 1 "$work/apt.log")"
  done
fi
command -v cmake >/dev/null || pip install cmake ninja
python tests/golden/run.py --jobs "$cores"

step "long tests"
OMP_NUM_THREADS=1 pytest -n "$cores" --dist loadscope -m slow --timeout 3600 -o faulthandler_timeout=3600 \
  --ignore tests/engine/test_golden_machines.py  # its slow ones were the step before

step "done: all of it passed"
