"""Check the files of a SHA-256 list, as `sha256sum -c` does, under the orchestrator.

    python examples/orchestrated_service.py SHA256SUMS --store operations.db
    python examples/orchestrated_service.py --resume op_checksums_... --store operations.db

Ctrl-C cancels (exit code 130). A check that was killed goes on with ``--resume``: files that were read before are not
read again.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ktrdr_core import KtrdrError, OperationsService, ServiceOrchestrator, current_operation

if TYPE_CHECKING:
    from ktrdr_core import CancellationToken, ProgressState

_CHUNK = 1 << 20


class ChecksumService(ServiceOrchestrator):
    """Checks files against a list of their SHA-256 sums."""

    def __init__(self) -> None:
        super().__init__()
        self.register_operation("checksums", self.check, resumable=True)

    def _get_service_name(self) -> str:
        return "Checksums"

    def _get_env_var_prefix(self) -> str:
        return "CHECKSUMS"

    async def check(self, sums: str) -> dict[str, Any]:
        """Check every file of the list at path ``sums``, and give the names of those that differ or are missing."""
        operation = current_operation()
        assert operation is not None
        expected = _read_list(Path(sums))
        operation.progress.start_operation(operation.id, len(expected), {"list": sums})
        good = {metric["file"]: metric["good"] for metric in operation.metrics()}
        for number, (name, digest) in enumerate(expected.items(), start=1):
            if name not in good:
                path = Path(sums).parent / name
                found = await asyncio.to_thread(_sha256, path, operation.cancellation_token)
                good[name] = found == digest
                operation.add_metric({"file": name, "good": good[name]})
            self.update_operation_progress(number, f"Checked {name}", items_processed=number)
        return {"checked": len(good), "bad": [name for name in expected if not good[name]]}


def _read_list(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.split(maxsplit=1) for line in lines if line.strip())
    return {name.removeprefix("*"): digest.lower() for digest, name in pairs}


def _sha256(path: Path, token: CancellationToken) -> str | None:
    """Read the file piece by piece; the token is asked between two, for a thread cannot be interrupted."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(_CHUNK):
                token.check(f"reading {path}")
                digest.update(piece)
    except OSError:
        return None
    return digest.hexdigest()


def _show(state: ProgressState) -> None:
    print(f"{state.percentage:5.1f} %  {state.message}", flush=True)


async def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Start or resume a check, and wait for it."""
    operations = OperationsService(arguments.store)
    async with ChecksumService() as service:
        if arguments.resume:
            operation = operations.resume(arguments.resume)
        else:
            sums = str(arguments.sums.resolve())
            operation = service.start_operation(
                f"Checking {arguments.sums}", "checksums", service.check, sums
            )
        print(operation.id, flush=True)
        async for state in operation.events():
            _show(state)
        result: dict[str, Any] = await operation
        return result


def main() -> int:
    """Read the command line; the exit code."""
    parser = argparse.ArgumentParser(description="Check the files of a SHA-256 list.")
    parser.add_argument("sums", nargs="?", type=Path, help="a list as sha256sum writes it")
    parser.add_argument("--store", type=Path, help="where the operation's record is kept")
    parser.add_argument("--resume", metavar="ID", help="go on with a check that was interrupted")
    arguments = parser.parse_args()
    if (arguments.sums is None) == (arguments.resume is None):
        parser.error("give a list or --resume ID")
    try:
        result = asyncio.run(run(arguments))
    except KeyboardInterrupt:
        print("cancelled", file=sys.stderr)
        return 130
    except (KtrdrError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    for name in result["bad"]:
        print(f"{name}: FAILED")
    print(f"{result['checked'] - len(result['bad'])} of {result['checked']} files are as listed")
    return 1 if result["bad"] else 0


if __name__ == "__main__":
    sys.exit(main())
