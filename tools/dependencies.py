"""What a working tree is made of: lock its versions, and look at their licences and known vulnerabilities.

    tools/dependencies.py lock     write tools/constraints.txt from what .venv has
    tools/dependencies.py check    what `make lint` runs

`check` fails where .venv has another version than the lock, a licence is unknown or none of those allowed, or a
vulnerability is known. A registry that does not tell of vulnerabilities fails nothing: what was not asked is said.
"""

import argparse
import importlib.metadata
import json
import re
import subprocess  # nosec B404
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import requirements

LOCK = Path(__file__).with_name("constraints.txt")
RULES = tomllib.loads(Path(__file__).with_name("dependencies.toml").read_text(encoding="utf-8"))
HEADER = """\
# The versions of a working tree, and so of CI: tools/setup.sh installs no others. tools/dependencies.py writes it.
"""
Versions = dict[str, str]


def closure(wanted: Iterable[str]) -> Versions:
    """Return name and version of what these requirements need here, as far as it is installed."""
    found: Versions = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(Requirement(line), "") for line in wanted]
    while waiting:
        requirement, of_extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": of_extra}):
            continue
        name = canonicalize_name(requirement.name)
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        # A build of one release, such as torch's for the CPU, is that release.
        found[name] = distribution.version.partition("+")[0]
        for extra in ("", *requirement.extras):
            if (name, extra) not in seen:
                seen.add((name, extra))
                waiting += [(Requirement(line), extra) for line in distribution.requires or ()]
    return found


def read_lock(text: str) -> Versions:
    """Return name and version of every line `name==version`."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    pins = (line.split("==") for line in lines if line)
    return {canonicalize_name(name): version for name, version in pins}


def written(versions: Versions) -> str:
    """Return the lock's text."""
    return HEADER + "".join(f"{name}=={version}\n" for name, version in sorted(versions.items()))


def drift(locked: Versions, installed: Versions) -> Iterator[str]:
    """Say where the environment is not as locked; what the lock holds for other Pythons is no matter."""
    for name, version in sorted(installed.items()):
        if name not in locked:
            yield f"{name} {version} is not in the lock: run tools/dependencies.py lock"
        elif locked[name] != version:
            yield f"{name} {version} is installed, {locked[name]} is locked: run make setup, or lock it anew"


def licence_of(name: str) -> str:
    """Return the licence that a package names, as an expression if it has one; empty where it names none."""
    metadata = importlib.metadata.metadata(name)
    classifiers = metadata.get_all("Classifier") or []
    told = [line.split(" :: ")[-1] for line in classifiers if line.startswith("License ::")]
    named = [*(metadata.get_all("License-Expression") or []), " AND ".join(told)]
    texts = [*named, *(metadata.get_all("License") or [])]
    return next((text.strip().splitlines()[0] for text in texts if text.strip()), "")


def is_allowed(licence: str) -> bool:
    """Say whether every part of an expression, or one of its alternatives, is a licence that is allowed."""
    allowed = re.compile("|".join(RULES["allowed"]))
    parts = licence.replace("(", "").replace(")", "").split(" AND ")
    return all(any(allowed.match(one.strip()) for one in part.split(" OR ")) for part in parts)


def wrong_licences(names: Iterable[str]) -> Iterator[str]:
    """Say which packages have a licence that is not allowed, and no reason in tools/dependencies.toml."""
    for name in sorted(names):
        licence = licence_of(name)
        if not is_allowed(licence) and name not in RULES["reasons"]:
            yield f"{name}: licence {licence or 'unknown'} is not allowed; give a reason in tools/dependencies.toml"


def ask(versions: Versions) -> tuple[list[str], list[str]]:
    """Return what is known against these versions, and the names of those that nobody could be asked about."""
    with tempfile.TemporaryDirectory() as folder:
        file, answer = Path(folder, "versions.txt"), Path(folder, "answer.json")
        file.write_text(written(versions), encoding="utf-8")
        ignored = [word for key in RULES["ignored"] for word in ("--ignore-vuln", key)]
        options = ["--no-deps", "--disable-pip", "--progress-spinner=off", "--timeout=10"]
        command = [sys.executable, "-m", "pip_audit", "-r", file, *options, *ignored]
        try:
            subprocess.run(  # nosec B603
                [*command, "--format=json", "--output", answer],
                capture_output=True,
                timeout=300,
                check=False,
            )
            packages = json.loads(answer.read_text(encoding="utf-8"))["dependencies"]
        except (OSError, ValueError, KeyError, subprocess.TimeoutExpired):
            return [], list(versions)
    unasked = [package["name"] for package in packages if "skip_reason" in package]
    known = [
        f"{package['name']} {package['version']}: {fault['id']}, mended in {', '.join(fault['fix_versions']) or 'none'}"
        for package in packages
        for fault in package.get("vulns", ())
    ]
    return known, unasked


def vulnerabilities(versions: Versions) -> Iterator[str]:
    """Say what is known against these versions, and print what could not be asked."""
    # The installer is in every registry: one that does not tell about it tells about none.
    first = {"pip": importlib.metadata.version("pip")}
    known, unasked = ask(first)
    if not unasked:
        known, unasked = ask(versions)
        yield from known
    else:
        unasked = list(versions)
    if unasked:
        print(
            f"vulnerabilities: no registry in reach told about {len(unasked)} of {len(versions)} packages"
        )


def check() -> int:
    """Print what is wrong; the exit status."""
    installed = closure(requirements.requirements("dev"))
    locked = read_lock(LOCK.read_text(encoding="utf-8"))
    findings = [*drift(locked, installed), *wrong_licences(installed), *vulnerabilities(installed)]
    for finding in findings:
        print(f"dependencies: {finding}", file=sys.stderr)
    print(f"{len(installed)} packages looked at")
    return 1 if findings else 0


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=["lock", "check"])
    if parser.parse_args().what == "check":
        return check()
    # What other Pythons and systems need stays.
    locked = read_lock(LOCK.read_text(encoding="utf-8")) if LOCK.exists() else {}
    LOCK.write_text(written(locked | closure(requirements.requirements("dev"))), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
