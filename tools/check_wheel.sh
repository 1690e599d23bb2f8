#!/usr/bin/env bash
# Tries a wheel where nothing of this machine's development packages is in reach:
#
#   tools/check_wheel.sh dist/ktrdr_core-….whl
#
# Makes a bare root with the Python of .venv, the C and C++ runtimes and the wheel's Python dependencies (no torch), and
# there imports the package, loads bars from a small host and shows them. Needs root, for chroot.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

wheel=${1:?usage: tools/check_wheel.sh <wheel>}
[ "$(id -u)" = 0 ] || { echo "check_wheel: chroot needs root" >&2; exit 1; }
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

.venv/bin/python -m venv "$root/venv"
"$root/venv/bin/python" -m pip install -q --disable-pip-version-check "$wheel"
base=$(.venv/bin/python -c 'import sys; print(sys.base_prefix)')
version=$(.venv/bin/python -c 'import sys; print("python{}.{}".format(*sys.version_info))')

# The interpreter with its standard library, and of the system's libraries only what the interpreter itself needs.
mkdir -p "$root$base/bin" "$root$base/lib" "$root/tmp" "$root/dev"
cp -L "$base/bin/$version" "$root$base/bin/"
tar -C "$base/lib" --exclude=site-packages --exclude=dist-packages --exclude=test --exclude='libpython*.a' -cf - "$version" |
    tar -C "$root$base/lib" -xf -
find "$base/bin/$version" "$base/lib/$version/lib-dynload" -type f \
    ! -name '_sqlite3*' ! -name '_tkinter*' -exec ldd {} + 2>/dev/null |
    awk '/=> \// { print $3 } /^\t\/lib/ { print $1 }' | sort -u |
    grep -v sqlite |
    while read -r library; do cp -L --parents "$library" "$root"; done
# What the manylinux policy takes for granted on every system.
for library in libstdc++.so.6 libgcc_s.so.1 libc.so.6 libm.so.6 libpthread.so.0 libdl.so.2 librt.so.1 libutil.so.1; do
    cp -L --parents "$(g++ -print-file-name="$library" | xargs realpath -s)" "$root"
done
cp -L /lib64/ld-linux-x86-64.so.2 --parents "$root"
for device in null urandom; do cp -a "/dev/$device" "$root/dev/"; done
mkdir -p "$root/etc"
echo 'root:x:0:0::/tmp:/' >"$root/etc/passwd"
cp tools/check_wheel.py "$root/check_wheel.py"
cp examples/strategies/momentum_mlp.yaml "$root/strategy.yaml"

site="/venv/lib/$version/site-packages"
chroot "$root" "$base/bin/$version" - "$site" <<'PY'
import site, sys
site.addsitedir(sys.argv[1])
sys.argv = ["check_wheel.py"]
exec(compile(open("/check_wheel.py").read(), "check_wheel.py", "exec"))
PY
