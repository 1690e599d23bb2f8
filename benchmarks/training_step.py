"""A training step of LocalTrainer against a plain Python torch loop, with and without fused Adam.

MLP with 24 inputs and 3 classes, Adam with weight decay, one thread: 24-50-25-3 in batches of 32, and
a table over widths of two hidden layers and sizes of batches. Each contender learns from the same
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

_INPUTS = 24
_CLASSES = 3
_PEER = "Python torch, fused Adam"


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure every contender and give one line for each.

    Parameters
    ----------
    quick
        Fewer rows, rounds and sizes, to see that it works.
    """
    program = (
        build("bench", "training_step", torch=True) / "cpp" / "torch_trainer" / "training_step"
    )
    rows, epochs, rounds = (6400, 2, 2) if quick else (32000, 3, 5)
    lines: list[dict[str, Any]] = []
    for dropout in (0.0, 0.2):
        shape = _Shape((50, 25), 32, dropout, rows, epochs)
        contenders: dict[str, Callable[[], float]] = {
            "Python torch, Adam": partial(_python_step, shape, fused=False),
            _PEER: partial(_python_step, shape, fused=True),
            "LocalTrainer, general step": partial(_native_step, program, shape, "general"),
            "LocalTrainer, MLP step": partial(_native_step, program, shape, "mlp"),
        }
        lines += _lines(contenders, f"dropout {dropout:g}", rounds)
    step = next(line["value"] for line in lines if "MLP step" in line["case"])
    told = float(_output([str(program), "progress"]))
    lines.append(
        {
            "case": "progress and checks of a batch",
            "value": told,
            "unit": "us",
            "ratio": told / step,
            "against": "the MLP step without dropout (goal 0.01x)",
        }
    )
    for width in (16,) if quick else (16, 64, 256, 512):
        for batch in (32,) if quick else (32, 256, 4096):
            shape = _Shape((width, width), batch, 0.0, max(3200, 4 * batch), epochs)
            contenders = {
                _PEER: partial(_python_step, shape, fused=True),
                "LocalTrainer, MLP step": partial(_native_step, program, shape, "mlp"),
            }
            lines += _lines(contenders, f"24-{width}-{width}-3, batch {batch}", max(2, rounds - 2))
    return lines


class _Shape:
    """What a step is measured on."""

    def __init__(
        self, hidden: tuple[int, ...], batch: int, dropout: float, rows: int, epochs: int
    ) -> None:
        self.hidden, self.batch, self.dropout = hidden, batch, dropout
        self.rows, self.epochs = rows, epochs


def _lines(
    contenders: dict[str, Callable[[], float]], what: str, rounds: int
) -> list[dict[str, Any]]:
    best = dict.fromkeys(contenders, float("inf"))
    for _ in range(rounds):
        for name, measure in contenders.items():
            best[name] = min(best[name], measure())
    return [
        {
            "case": f"{name}, {what}",
            "value": value,
            "unit": "us/step",
            "ratio": value / best[_PEER],
            "against": _PEER,
        }
        for name, value in best.items()
    ]


def _native_step(program: Path, shape: _Shape, step: str) -> float:
    command = [str(program), str(shape.rows), str(shape.epochs), str(shape.dropout)]
    command += [str(shape.batch), step, *map(str, shape.hidden)]
    return float(_output(command))


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # nosec B603
    return done.stdout


def _python_step(shape: _Shape, *, fused: bool) -> float:
    """Time one step in microseconds, the median of the epochs."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    values = torch.rand(shape.rows, _INPUTS)
    labels = (values[:, 0] * 2.999).long()
    model = _model(shape)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001, weight_decay=1e-4, fused=fused)
    times = sorted(
        _python_epoch(model, optimizer, values, labels, shape.batch) for _ in range(shape.epochs)
    )
    return times[len(times) // 2]


def _model(shape: _Shape) -> torch.nn.Module:
    from torch import nn

    layers: list[nn.Module] = []
    inputs = _INPUTS
    for outputs in shape.hidden:
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        if shape.dropout:
            layers.append(nn.Dropout(shape.dropout))
        inputs = outputs
    return nn.Sequential(*layers, nn.Linear(inputs, _CLASSES))


def _python_epoch(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    values: torch.Tensor,
    labels: torch.Tensor,
    batch: int,
) -> float:
    import torch

    cross_entropy = torch.nn.CrossEntropyLoss()
    rows = len(values)
    started = time.perf_counter()
    order = torch.randperm(rows)
    total = torch.zeros(())
    for first in range(0, rows, batch):
        chosen = order[first : first + batch]
        optimizer.zero_grad()
        loss = cross_entropy(model(values[chosen]), labels[chosen])
        loss.backward()
        optimizer.step()
        total += loss.detach()
    total.item()
    return (time.perf_counter() - started) / -(-rows // batch) * 1e6
