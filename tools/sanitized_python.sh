#!/usr/bin/env bash
# Runs the tests of the async core in Python under a sanitizer: tools/sanitized_python.sh asan | tsan
# Needs what tools/setup.sh dev sets up. LibTorch is left out: it is not built for a sanitizer.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
python=$PWD/.venv/bin/python
# shellcheck source=tools/lib.sh
. tools/lib.sh

case ${1:-} in
asan) sanitize=address,undefined runtime=libasan.so wrapper=() ;;
tsan) sanitize=thread runtime=libtsan.so wrapper=(setarch "$(uname -m)" -R) ;;
*)
    echo "sanitized_python: '${1:-}' is no sanitizer: take asan or tsan" >&2
    exit 2
    ;;
esac

build=build/$1-python
site=$PWD/$build/site
tests=(adapter adapter_config bridge cancellation conformance docs examples fastapi http http_events http_faults http_matrix http_secrets
    http_servers http_soak http_streams loading orchestrator progress state_machine)
files=("${tests[@]/#/tests/python/test_}")
files=("${files[@]/%/.py}")

cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG="-O1 -g" -DKTRDR_PYTHON=ON \
    -DKTRDR_TORCH=OFF -DKTRDR_TESTS=OFF -DKTRDR_SANITIZE="$sanitize" -DPython_EXECUTABLE="$python" \
    -Dpybind11_DIR="$("$python" -m pybind11 --cmakedir)" >"$build.log" 2>&1 || { cat "$build.log"; exit 1; }
cmake --build "$build" -j "$(jobs)"
rm -rf "$site"
cmake --install "$build" --prefix "$site" >/dev/null
cp -r python/ktrdr_core/. "$site/ktrdr_core/"
# The editable install would be found first.
cat >"$site/sitecustomize.py" <<'PYTHON'
import sys

sys.meta_path[:] = [finder for finder in sys.meta_path if "ScikitBuild" not in type(finder).__name__]
PYTHON

export PYTHONPATH=$site PYTHONDONTWRITEBYTECODE=1
# The interpreter itself leaks at exit; what we leak is counted by the tests of descriptors and memory.
export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS="exitcode=66 suppressions=$PWD/tools/tsan.supp"
# libstdc++ too, for the sanitizer looks for __cxa_throw before Python has loaded it.
exec env LD_PRELOAD="$(g++ -print-file-name="$runtime") $(g++ -print-file-name=libstdc++.so)" "${wrapper[@]}" \
    "$python" -m pytest -q -p no:cacheprovider "${files[@]}" --deselect tests/python/test_conformance.py::TestTraining
