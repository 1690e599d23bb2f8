#!/usr/bin/env bash
# Sets up everything `make demo` or `make test` needs, and does nothing where nothing changed.
#
#   tools/setup.sh [demo|dev]
#
# 1. System packages: by apt (as root or with sudo) where something is missing; elsewhere they are only named.
# 2. .venv with the build requirements, torch and the extra of that name.
# 3. The package itself, installed editable from build/<cache tag>: what changed is compiled and installed.
#
# It says first what there is to do and what that takes, and shows how far it is. Ctrl-C ends it with status 130; the next run
# goes on from there.
#
# tools/constraints.txt says which versions of Python packages. PYTHON chooses the interpreter; pip's own settings (PIP_INDEX_URL, PIP_FIND_LINKS, ...) are honoured.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

level=${1:-demo}
case $level in
demo | dev) ;;
*)
    echo "setup: '$level' is not a level: take demo or dev" >&2
    exit 2
    ;;
esac
stamps=.venv/.ktrdr
# shellcheck source=tools/lib.sh
. tools/lib.sh

say() { printf 'setup: %s\n' "$*"; }
stop() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}
interrupted() {
    printf 'setup: interrupted; the next run goes on from here\n' >&2
    trap - INT
    kill -INT $$
}
trap interrupted INT
# Servers lie in /usr/sbin, which a user's PATH need not have.
has() { PATH="$PATH:/usr/sbin" command -v "$1" >/dev/null 2>&1; }

# --- System packages ----------------------------------------------------------

boost_package() {
    # Debian 12's libboost-dev is 1.74; 1.81 is a package of its own.
    if grep -qs bookworm /etc/os-release; then echo libboost1.81-dev; else echo libboost-dev; fi
}

# Debian's alone: Ubuntu's package fetches a snap.
has_chromium() { ! grep -qs '^ID=debian' /etc/os-release || has chromium; }

missing_headers() {
    local dev=0
    [ "$level" = demo ] || dev=1
    g++ -std=c++20 -E -P -DDEV=$dev -x c++ - 2>/dev/null <<'CPP' | grep -oE '^(lib|zlib)[a-z0-9-]*' || true
#if __has_include(<boost/version.hpp>)
#include <boost/version.hpp>
#endif
#if !defined(BOOST_VERSION) || BOOST_VERSION < 108100
libboost-dev
#endif
#if !__has_include(<fmt/core.h>)
libfmt-dev
#endif
#if !__has_include(<SQLiteCpp/SQLiteCpp.h>)
libsqlitecpp-dev
#endif
#if !__has_include(<sqlite3.h>)
libsqlite3-dev
#endif
#if !__has_include(<openssl/ssl.h>)
libssl-dev
#endif
#if !__has_include(<zlib.h>)
zlib1g-dev
#endif
#if DEV && !__has_include(<gtest/gtest.h>)
libgtest-dev
#endif
#if DEV && !__has_include(<gmock/gmock.h>)
libgmock-dev
#endif
CPP
}

missing_packages() {
    local pair tools=(g++:g++ cmake:cmake ninja:ninja-build ccache:ccache)
    # Fuzzers are Clang's; the HTTP client is tried against real servers.
    [ "$level" = demo ] || tools+=(clang++-16:clang-16 clang++-16:libclang-rt-16-dev nginx:nginx-light haproxy:haproxy)
    for pair in "${tools[@]}"; do
        has "${pair%%:*}" || echo "${pair#*:}"
    done
    # The notebooks are tried in a browser.
    [ "$level" = demo ] || has_chromium || echo chromium
    # Without a compiler nothing can be asked; apt skips what is there.
    if has g++; then
        missing_headers
    else
        printf '%s\n' libboost-dev libfmt-dev libsqlitecpp-dev libsqlite3-dev libssl-dev zlib1g-dev
        [ "$level" = demo ] || printf '%s\n' libgtest-dev libgmock-dev
    fi | sed "s/^libboost-dev$/$(boost_package)/"
    missing_python
}

# The first Python >= 3.11, by name; PYTHON comes first and alone.
find_python() {
    local name
    for name in ${PYTHON:+"$PYTHON"} $([ -n "${PYTHON:-}" ] || echo python3 python3.14 python3.13 python3.12 python3.11); do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    return 1
}

# What the chosen Python lacks: its headers, or what makes a virtual environment. Only the system's own comes from apt.
missing_python() {
    local python
    if ! python=$(find_python); then
        printf '%s\n' python3 python3-venv python3-dev
        return
    fi
    "$python" - <<'PY'
import importlib.util
import pathlib
import sys
import sysconfig

name = "python{}.{}".format(*sys.version_info)
if not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists():
    print(name + "-dev")
if importlib.util.find_spec("ensurepip") is None:
    print(name + "-venv")
PY
}

# apt <package>...: status lines among its output say how far it is.
apt() {
    "${sudo[@]}" apt-get update &&
        "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y --no-install-recommends -o APT::Status-Fd=1 "$@"
}

system_packages() {
    local missing
    mapfile -t missing < <(missing_packages | sort -u)
    [ ${#missing[@]} -gt 0 ] || return 0
    if ! has apt-get; then
        stop "these are missing and only Debian and Ubuntu are set up by this script; install what your system calls them: ${missing[*]}"
    fi
    local sudo=()
    if [ "$(id -u)" != 0 ]; then
        has sudo || stop "these packages are missing and there is no sudo; as root run: apt-get install ${missing[*]}"
        sudo=(sudo)
    fi
    say "installing ${missing[*]}"
    mkdir -p build
    logged build/packages.log apt "${missing[@]}" ||
        stop "apt-get could not install them; the whole log is build/packages.log"
    mapfile -t missing < <(missing_packages | sort -u)
    [ ${#missing[@]} -eq 0 ] || stop "still missing after apt-get install: ${missing[*]}; Debian 12 and Ubuntu 24.04 have them"
}

# --- The virtual environment --------------------------------------------------

has_environment() {
    .venv/bin/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null &&
        [ "$(cat "$stamps/place" 2>/dev/null || pwd)" = "$(pwd)" ]
}

virtual_environment() {
    local python
    python=$(find_python) || stop "no Python >= 3.11 found; install one, or name it: PYTHON=/path/to/python3.12 make setup"
    if ! has_environment; then
        say "making .venv with $python"
        "$python" -m venv --clear .venv
    fi
    mkdir -p "$stamps"
    pwd >"$stamps/place"
}

# Names what an installation depends on; a stamp that holds it says the installation is current.
key() { { cat pyproject.toml tools/setup.sh tools/constraints.txt && echo "${KTRDR_WITH_TORCH:-}"; } | sha256sum; }

has_requirements() {
    local have
    for have in dev "$level"; do
        [ "$(cat "$stamps/requirements-$have" 2>/dev/null)" != "$(key)" ] || return 0
    done
    return 1
}

requirements() {
    has_requirements && return
    say "installing the Python packages of [$level]"
    .venv/bin/python tools/requirements.py "$level" >"$stamps/requirements.txt"
    # pip loads into a folder of its own there; what has arrived is told by its size.
    local watched=$PWD/$stamps/loading
    rm -rf "$watched"
    mkdir -p "$watched"
    TMPDIR=$watched logged "$stamps/packages.log" .venv/bin/python -m pip install --progress-bar off \
        --disable-pip-version-check -r "$stamps/requirements.txt" -c tools/constraints.txt
    rm -rf "$watched"
    key >"$stamps/requirements-$level"
}

# --- The package --------------------------------------------------------------

# What the installed package depends on besides: its finder knows every module by its file's name.
package_key() { { key && find python -name '*.py' | LC_ALL=C sort; } | sha256sum; }

build_folder() { .venv/bin/python -c 'import sys; print("build/" + sys.implementation.cache_tag)'; }

has_package() { [ "$(cat "$stamps/package" 2>/dev/null)" = "$(package_key)" ] && [ -f "$(build_folder)/build.ninja" ]; }

package() {
    local build
    build=$(build_folder)
    CMAKE_BUILD_PARALLEL_LEVEL=$(jobs)
    export CMAKE_BUILD_PARALLEL_LEVEL
    if ! has_package; then
        say "building and installing ktrdr-core"
        logged "$stamps/build.log" .venv/bin/python -m pip install -v --disable-pip-version-check --no-deps --no-build-isolation -e .
        touch "$stamps/libraries"
        package_key >"$stamps/package"
        return
    fi
    logged "$stamps/build.log" cmake --build "$build"
    # A library that a running process has mapped is left alone unless it changed.
    if [ -n "$(find "$build" -name '*.so' -newer "$stamps/libraries" -print -quit)" ]; then
        touch "$stamps/libraries.new"
        cmake --install "$build" --strip \
            --prefix "$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("platlib"))')" >/dev/null
        mv "$stamps/libraries.new" "$stamps/libraries"
    fi
}

# --- A client of others ---------------------------------------------------------

# Of the gateway's protocol, for one test; where npm or its registry is not there, that test is skipped and says so.
gateway_client() {
    [ "$level" = dev ] && has node && has npm || return 0
    [ -f build/stoqey/node_modules/@stoqey/ib/package.json ] && return
    mkdir -p build/stoqey
    # Nothing of a package runs while it is installed.
    npm install --ignore-scripts --no-audit --no-fund --no-save --prefix build/stoqey @stoqey/ib@1.6.10 \
        >build/stoqey.log 2>&1 || say "npm could not install @stoqey/ib (build/stoqey.log): its test will be skipped"
}

# --- What it takes --------------------------------------------------------------

# The figures are those of Debian 12 with two compilers at once; a part that is there already is not named.
announce() {
    local missing parts=() apt='100 MB to download, 700 MB of disk' pip='270 MB to download, 1.3 GB of disk' files minutes
    [ "$level" = demo ] || apt='270 MB to download, 1.7 GB of disk' pip='400 MB to download, 2 GB of disk'
    mapfile -t missing < <(missing_packages | sort -u)
    [ ${#missing[@]} -eq 0 ] || parts+=("system packages (at most $apt, 2 minutes): ${missing[*]}")
    if ! has_environment || ! has_requirements; then
        parts+=("Python packages in .venv: at most $pip, 3 minutes, with the CPU build of torch"
            "    (the ordinary wheel of torch is for CUDA, several GB of both; README.md says how to take the other)")
    fi
    if ! has_environment || ! has_package; then
        files=$(find cpp -name '*.cpp' | wc -l)
        minutes=$(((files * 3 / $(jobs) + 59) / 60))
        parts+=("compiling $files files, $(jobs) at once: $minutes minutes, less where ccache knows them; 50 MB of disk")
    fi
    [ ${#parts[@]} -gt 0 ] || return 0
    say "there is to do, once:"
    printf 'setup:   %s\n' "${parts[@]}"
    say "Ctrl-C stops it at any moment; the next run goes on from there"
}

# part <function>: run it, and say how long it took where it did something.
part() {
    local began=$SECONDS
    "$1"
    [ $((SECONDS - began)) -lt 5 ] || say "${1//_/ }: $((SECONDS - began)) s"
}

# Sourced, it does nothing but tell its functions.
[ "${BASH_SOURCE[0]}" = "$0" ] || return 0
# Two at once in one folder would undo each other's work. The lock is this process's: it goes with it, however that ends.
exec {folder}<.
flock -n "$folder" || {
    say "another setup works in this folder, and is waited for"
    flock "$folder"
}
announce
part system_packages
part virtual_environment
part requirements
part package
part gateway_client
