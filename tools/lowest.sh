#!/usr/bin/env bash
# Runs the part of the suite that is about imports and HTTP with the lowest versions that pyproject.toml promises.
#
# Makes build/lowest, a virtual environment with those versions and with the package as .venv has it built: nothing is
# compiled. What the chosen versions need themselves is as new as they take. Torch is not among them.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

# What of the suite: importing, every extra but torch's, the command line's words, strategies, the client, routes and hosts.
tests=(import errors strategies guard patience fastapi fastapi_schema over_http_page http progress terminal)
extras=(fastapi notebook)
# What the tests themselves use, in the versions of .venv.
tools=(pytest httpx hypothesis jsonschema)

main=.venv/bin/python
lowest=build/lowest
if "$main" -c 'import sys; sys.exit(sys.version_info < (3, 13))'; then
    echo "lowest: the lowest versions have no wheels for this Python; give 3.11 or 3.12: PYTHON=python3.12 make setup" >&2
    exit 1
fi
{
    "$main" tools/lowest.py "${extras[@]}"
    for tool in "${tools[@]}"; do grep "^$tool==" tools/constraints.txt; done
} >build/lowest.txt
key=$(cat build/lowest.txt tools/lowest.sh | sha256sum)
if [ "$(cat "$lowest/.key" 2>/dev/null)" != "$key" ]; then
    "$main" -m venv --clear "$lowest"
    "$lowest/bin/python" -m pip install -q --disable-pip-version-check -r build/lowest.txt
    echo "$key" >"$lowest/.key"
fi
# As a wheel would lay it out: sources, and beside them what was built; its metadata, which says the version.
site=$("$lowest/bin/python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
built=$("$main" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
rm -rf "$site"/ktrdr_core "$site"/ktrdr_core-*.dist-info
cp -r python/ktrdr_core "$site/ktrdr_core"
cp "$built"/ktrdr_core/*.so "$site/ktrdr_core/"
cp -r "$built"/ktrdr_core-*.dist-info "$site/"
files=()
for name in "${tests[@]}"; do files+=("tests/python/test_$name.py"); done
# Left out is what needs torch or the replay service's bars. Old versions warn of what newer ones have mended: that is theirs.
exec "$lowest/bin/python" -m pytest -q -p no:cacheprovider -o filterwarnings=default "${files[@]}" \
    -k "not trainings and not replay_service and not without_a_host"
