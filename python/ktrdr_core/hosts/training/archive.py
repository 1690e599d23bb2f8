"""A model's folder as one file that can be handed over, with a checksum."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import stat
import tarfile
from pathlib import Path

from ...errors import NotFoundError

MEDIA_TYPE = "application/x-tar"


def pack(models: Path, path: str) -> bytes:
    """Pack the plain files of a model's folder below ``models`` into a tar; the same folder gives the same bytes.

    Raises
    ------
    NotFoundError
        For a folder that is not there, or lies elsewhere.
    """
    folder = Path(path)
    try:
        inside = folder.resolve(strict=True).is_relative_to(models.resolve(strict=True))
        names = sorted(os.listdir(folder)) if inside else []
    except OSError:
        inside, names = False, []
    if not inside or not names:
        raise NotFoundError(f"the model {folder.name} is not in this host's models_dir any more")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in names:
            content = _content(folder / name)
            if content is not None:
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(content), 0o600
                tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def digest(content: bytes) -> str:
    """Give the field ``Repr-Digest`` of a body (RFC 9530)."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


def _content(path: Path) -> bytes | None:
    """Read a plain file; None for a link, a folder, and what is hidden."""
    if path.name.startswith("."):
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read() if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
