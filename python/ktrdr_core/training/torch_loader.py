"""Loading LibTorch beside the running work: in a helper thread, its libraries first and without the GIL."""

from __future__ import annotations

import atexit
from importlib.util import find_spec
from pathlib import Path
from threading import Lock, Thread

from .. import _core
from .._bridge.texts import said, text_of
from .._extras import install_extra, missing, pip_install, rebuild_with
from ..errors import FeatureNotAvailableError

# The interpreter's exit waits this long for a load under way. Seconds.
_EXIT_LIMIT = 2.0

_lock = Lock()


def check_installed() -> None:
    """Raise FeatureNotAvailableError unless LibTorch and our module over it can be loaded."""
    if find_spec("ktrdr_core._torch") is None:
        # What is installed beside it changes nothing: the package itself lacks the part.
        raise FeatureNotAvailableError(
            "this ktrdr-core was built without local training (KTRDR_WITH_TORCH=0); build it again with: "
            f"env -u KTRDR_WITH_TORCH {rebuild_with('train')}"
        )
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        raise missing("local training", "torch")
    from importlib.metadata import version

    from .._torch_release import RELEASE

    found = version("torch")
    if found.partition("+")[0] != RELEASE:
        raise FeatureNotAvailableError(
            f"local training was built for torch {RELEASE} and torch {found} is installed: "
            f"{pip_install(f'torch=={RELEASE}')}"
        )


def load_into(slot: _core.TrainerSlot) -> None:
    """Load LibTorch in a helper thread and fulfil the slot with a trainer."""
    thread = Thread(target=_load, args=(slot,), name="ktrdr-load-torch", daemon=True)
    try:
        thread.start()
    except BaseException as error:
        # The training waits for the slot.
        slot.fail(f"no thread can be started to load LibTorch: {text_of(error)}")
        raise
    atexit.register(thread.join, _EXIT_LIMIT)


def _load(slot: _core.TrainerSlot) -> None:
    try:
        with _lock:
            _preload()
            from .. import _torch
        slot.fulfil(_torch.make_trainer())
    except (ImportError, OSError) as error:
        slot.fail(
            f"LibTorch cannot be loaded: {text_of(error)}; install it anew: {install_extra('train')}"
        )
    except BaseException as error:  # noqa: BLE001 - what the start of a library raises is unknown
        slot.fail(f"LibTorch cannot be loaded: {said(error)}")


def _preload() -> None:
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return
    problem = _core.preload(str(Path(spec.origin).parent / "lib" / "libtorch_cpu.so"))
    if problem is not None:
        # torch finds libraries of its own wheel's dependencies that the loader alone does not.
        import torch  # noqa: F401
