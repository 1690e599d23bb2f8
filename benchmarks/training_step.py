"""A training step of LocalTrainer against a plain Python torch loop, with and without fused Adam.

MLP 24-50-25-3, batch 32, Adam with weight decay, one thread. Each contender learns from the same
number of made-up rows held in memory, draws one permutation an epoch, and sums its losses without
reading them. The contenders take turns, and the best round of each counts: others use the machine
too.
"""

from __future__ import annotations

import subprocess  # nosec B404
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from .build import build

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import torch

_BATCH = 32
_INPUTS = 24
_CLASSES = 3


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure every contender and give one line for each.

    Parameters
    ----------
    quick
        Fewer rows and rounds, to see that it works.
    """
    program = (
        build("bench", "training_step", torch=True) / "cpp" / "torch_trainer" / "training_step"
    )
    rows, epochs, rounds = (6400, 2, 2) if quick else (32000, 3, 5)
    lines: list[dict[str, Any]] = []
    for dropout in (0.0, 0.2):
        contenders: dict[str, Callable[[], float]] = {
            "Python torch, Adam": partial(_python_step, rows, epochs, dropout, fused=False),
            "Python torch, fused Adam": partial(_python_step, rows, epochs, dropout, fused=True),
            "LocalTrainer (C++)": partial(_native_step, program, rows, epochs, dropout),
        }
        best = dict.fromkeys(contenders, float("inf"))
        for _ in range(rounds):
            for name, measure in contenders.items():
                best[name] = min(best[name], measure())
        peer = best["Python torch, fused Adam"]
        lines += [
            {
                "case": f"{name}, dropout {dropout:g}",
                "value": value,
                "unit": "us/step",
                "ratio": value / peer,
                "against": "Python torch, fused Adam",
            }
            for name, value in best.items()
        ]
    return lines


def _native_step(program: Path, rows: int, epochs: int, dropout: float) -> float:
    command = [str(program), str(rows), str(epochs), str(dropout)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # nosec B603
    return float(done.stdout)


def _python_step(rows: int, epochs: int, dropout: float, *, fused: bool) -> float:
    """Time one step in microseconds, the median of the epochs."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    values = torch.rand(rows, _INPUTS)
    labels = (values[:, 0] * 2.999).long()
    model = _model(dropout)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001, weight_decay=1e-4, fused=fused)
    times = sorted(_python_epoch(model, optimizer, values, labels) for _ in range(epochs))
    return times[len(times) // 2]


def _model(dropout: float) -> torch.nn.Module:
    from torch import nn

    layers: list[nn.Module] = []
    for inputs, outputs in ((_INPUTS, 50), (50, 25)):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        if dropout:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(25, _CLASSES))


def _python_epoch(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    values: torch.Tensor,
    labels: torch.Tensor,
) -> float:
    import torch

    cross_entropy = torch.nn.CrossEntropyLoss()
    rows = len(values)
    started = time.perf_counter()
    order = torch.randperm(rows)
    total = torch.zeros(())
    for first in range(0, rows, _BATCH):
        chosen = order[first : first + _BATCH]
        optimizer.zero_grad()
        loss = cross_entropy(model(values[chosen]), labels[chosen])
        loss.backward()
        optimizer.step()
        total += loss.detach()
    total.item()
    return (time.perf_counter() - started) / -(-rows // _BATCH) * 1e6
