#!/usr/bin/env bash
# The checks behind `make test`, each by its name: tools/test.sh all | lint | docs | cpp | python | lowest | asan | tsan | fuzz | soak | coverage | format
# Needs what tools/setup.sh dev sets up.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

python=.venv/bin/python
# shellcheck source=tools/lib.sh
. tools/lib.sh
failed=()
took=()

# told_of <name> <passed or FAILED> <seconds>: say how a check ended.
told_of() {
    took+=("$(printf '%6d s  %s: %s' "$3" "$1" "$2")")
    printf -- '-- %s: %s, %d s\n' "$1" "$2" "$3"
    [ "$2" = passed ] || failed+=("$1")
}

# check <name> <command>...: run it, say how it ended, go on with the next.
check() {
    local name=$1 began=$SECONDS
    shift
    printf '\n== %s\n' "$name"
    local ended=passed
    "$@" || ended=FAILED
    told_of "$name" "$ended" $((SECONDS - began))
}

cpp_sources() { git ls-files -z --cached --others --exclude-standard -- '*.cpp' '*.hpp'; }

# googletest <preset> [wrapper]...: configure, build and run the test programs of a preset.
googletest() {
    local preset=$1
    shift
    # By the name that a Python build calls it: ccache tells c++ from g++, and what both compile is compiled once.
    CXX=${CXX:-g++} cmake --preset "$preset" -DPython_EXECUTABLE="$PWD/$python" >"build/$preset.log" 2>&1 || {
        cat "build/$preset.log"
        return 1
    }
    # A program that does not compile hides none of the others: ctest names it.
    local built=0
    logged "build/$preset.log" cmake --build "build/$preset" -j "$(jobs)" -- -k 0 || built=1
    "$@" ctest --preset "$preset" -j "$(jobs)" && return "$built"
}

# A kernel that randomises more of the address space than ThreadSanitizer expects would stop it at start.
tsan() {
    local steady=(setarch "$(uname -m)" -R)
    "${steady[@]}" true 2>/dev/null || steady=()
    googletest tsan "${steady[@]}"
}

# fuzz_one <program>: what it finds is kept in build/fuzz and shown.
fuzz_one() {
    local name=${1##*fuzz_}
    mkdir -p "build/fuzz/corpus/$name"
    "$1" -max_total_time="${KTRDR_FUZZ_SECONDS:-15}" -max_len=4096 -artifact_prefix="build/fuzz/$name-" \
        "build/fuzz/corpus/$name" "tests/fuzz/seeds/$name" >"build/fuzz/$name.log" 2>&1 || {
        grep -avE '^#[0-9]+' "build/fuzz/$name.log" | tail -n 40
        return 1
    }
    tail -n 1 "build/fuzz/$name.log" | sed "s/^/$name: /"
}
export -f fuzz_one

# Each of the fuzzers for KTRDR_FUZZ_SECONDS, one per core at a time.
fuzz() {
    cmake --preset fuzz -DPython_EXECUTABLE="$PWD/$python" >build/fuzz.log 2>&1 &&
        cmake --build --preset fuzz -j "$(jobs)" >>build/fuzz.log 2>&1 || {
        tail -n 40 build/fuzz.log
        return 1
    }
    printf '%s\0' build/fuzz/tests/fuzz/fuzz_* | xargs -0 -n 1 -P "$(jobs)" bash -c 'fuzz_one "$0"'
}

# What is compiled in batches hides a missing include and a shadowed name.
alone() {
    CXX=${CXX:-g++} cmake --preset dev -B build/alone -DKTRDR_BATCH=1 -DPython_EXECUTABLE="$PWD/$python" >build/alone.log 2>&1 &&
        logged build/alone.log cmake --build build/alone -j "$(jobs)"
}

clang_format() { cpp_sources | xargs -0 .venv/bin/clang-format "$@"; }

soak_python() { grep -lE '^(import soak|from soak import)' tests/python/*.py | xargs "$python" -m pytest --durations=15; }

# What GoogleTest runs of the rooms and pytest of the packages, as a table in build/coverage.md. Tests that build
# something, or that watch a child in another build, would say nothing more.
coverage() {
    local passed=0 files=build/coverage-python
    find build/coverage -name '*.gcda' -delete 2>/dev/null || true
    googletest coverage || passed=1
    "$python" -m gcovr --root . --filter 'cpp/' --exclude-throw-branches --exclude-unreachable-branches \
        --json-summary build/coverage-cpp.json build/coverage/cpp >build/gcovr.log 2>&1 || {
        tail -n 40 build/gcovr.log
        return 1
    }
    "$python" -m coverage erase
    "$python" -m coverage run -m pytest -q --ignore=tests/python/test_gil_guard.py \
        --ignore=tests/python/test_packaging.py --ignore=tests/python/test_benchmarks.py || passed=1
    "$python" -m coverage combine -q && "$python" -m coverage json -q -o "$files.json" &&
        "$python" tools/coverage_table.py build/coverage-cpp.json "$files.json" | tee build/coverage.md &&
        return "$passed"
}

# pytest_part <part> <parts>: every so many-th file of tests, the longest before all others.
pytest_part() {
    local file=0 one files=()
    for one in tests/python/test_played.py $(ls tests/python/test_*.py | grep -v test_played); do
        ((file++ % $2 != $1)) || files+=("$one")
    done
    .venv/bin/python -m pytest -q --durations=10 "${files[@]}" >"build/pytest-$1.log" 2>&1
}
export -f pytest_part

# One part a core and one more at once, for most of their time they wait; and many more parts in all, so that who has done a
# short one takes another.
pytest_parts() {
    local workers=$(($(jobs) + 1)) part passed=0
    local parts=$((3 * workers))
    seq 0 $((parts - 1)) | xargs -P "$workers" -I {} bash -c 'pytest_part {} "$0"' "$parts" || passed=1
    for ((part = 0; part < parts; part++)); do
        cat "build/pytest-$part.log"
    done
    return $passed
}

types() { "$python" -m mypy; }

stubs() {
    local modules=(ktrdr_core._core)
    if "$python" -c 'import importlib.util as u, sys; sys.exit(u.find_spec("ktrdr_core._torch") is None)'; then
        modules+=(ktrdr_core._torch)
    fi
    MYPYPATH=python "$python" -m mypy.stubtest --allowlist tools/stubtest_allowlist.txt --ignore-unused-allowlist "${modules[@]}"
}

# Strict: a broken link, a missing anchor, a parameter that a docstring names and the signature lacks.
site() { NO_MKDOCS_2_WARNING=1 "$python" -m mkdocs build -f tools/mkdocs.yml; }

lint_one() {
    local began=$SECONDS status=0
    case $1 in
    "mypy --strict") types ;;
    stubtest) stubs ;;
    docs) site ;;
    black) .venv/bin/black --check -q . ;;
    bandit) .venv/bin/bandit -q -c pyproject.toml -r python tools benchmarks ;;
    clang-format) clang_format --dry-run -Werror ;;
    "floor plan") "$python" tools/floor_plan.py ;;
    dependencies) "$python" tools/dependencies.py check ;;
    ruff) .venv/bin/ruff check ;;
    esac >"build/lint-$1.log" 2>&1 || status=$?
    echo "$status $((SECONDS - began))" >"build/lint-$1.ended"
}

# As many at once as there are cores, the longest first.
lint() {
    local one status seconds ended
    local names=("mypy --strict" stubtest docs black bandit clang-format "floor plan" dependencies ruff)
    export python
    export -f lint_one types stubs site clang_format cpp_sources
    rm -f build/lint-*.ended
    printf '%s\0' "${names[@]}" | xargs -0 -P "$(jobs)" -I {} bash -c 'set -o pipefail; lint_one "$1"' - {}
    for one in "${names[@]}"; do
        read -r status seconds <"build/lint-$one.ended"
        ended=passed
        [ "$status" = 0 ] || ended=FAILED
        printf '\n== %s\n' "$one"
        cat "build/lint-$one.log"
        told_of "$one" "$ended" "$seconds"
    done
}

report() {
    printf '\n'
    printf '%s\n' "${took[@]}"
    if [ ${#failed[@]} -gt 0 ]; then
        printf '\nfailed: %s\n' "$(printf '%s, ' "${failed[@]}" | sed 's/, $//')"
        exit 1
    fi
    printf '\nall checks passed in %d s\n' "$SECONDS"
}

mkdir -p build
case ${1:-all} in
all)
    lint
    check "GoogleTest" googletest dev
    check "pytest" pytest_parts
    check "lowest versions" tools/lowest.sh
    check "GoogleTest under AddressSanitizer and UndefinedBehaviorSanitizer" googletest asan
    check "GoogleTest under ThreadSanitizer" tsan
    check "fuzzers" fuzz
    ;;
fuzz) check "fuzzers" fuzz ;;
lint) lint ;;
docs) check "docs" site ;;
cpp) check "GoogleTest" googletest dev ;;
python) check "pytest" pytest_parts ;;
lowest) check "lowest versions" tools/lowest.sh ;;
asan) check "GoogleTest under AddressSanitizer and UndefinedBehaviorSanitizer" googletest asan ;;
tsan) check "GoogleTest under ThreadSanitizer" tsan ;;
soak)
    check "each source compiled by itself" alone
    export KTRDR_SOAK=1
    export KTRDR_FUZZ_SECONDS=600
    check "GoogleTest at full counts" googletest dev
    check "pytest at full counts" soak_python
    unset KTRDR_SOAK
    check "pytest under AddressSanitizer and UndefinedBehaviorSanitizer" tools/sanitized_python.sh asan
    check "pytest under ThreadSanitizer" tools/sanitized_python.sh tsan
    check "fuzzers, ten minutes each" fuzz
    ;;
coverage) check "coverage" coverage ;;
format)
    .venv/bin/ruff check -q --fix --exit-zero
    .venv/bin/black -q .
    clang_format -i
    exit
    ;;
*)
    echo "test: '$1' is no check: take all, lint, docs, cpp, python, lowest, asan, tsan, fuzz, soak, coverage or format" >&2
    exit 2
    ;;
esac
report
