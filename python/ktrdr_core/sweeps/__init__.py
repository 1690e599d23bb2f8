"""Many trainings of one strategy, each with other settings, as one operation with a table for its value.

`grid` says which settings each run has and checks them, `windows` which bars, `start` makes the operation, `runs` keeps what each run has come to,
`here` trains in this process and `workers` on an executor's workers, who find it in a folder of `folders`, `work` is what a worker does, `ray_executor` has Ray do it,
`table` is the result, and `pooled` what the windows of a walk forward say together in it.
"""

from .grid import combinations, random_sample
from .ray_executor import RayExecutor
from .start import sweep
from .table import SweepResult
from .windows import walk_forward

__all__ = [
    "RayExecutor",
    "SweepResult",
    "combinations",
    "random_sample",
    "sweep",
    "walk_forward",
]
