"""Training neuro-fuzzy models on stored bars, and reports of the results."""

from .manager import (
    QueuePlace,
    TrainingLimits,
    TrainingManager,
    TrainingProgressRenderer,
    TrainingService,
)

__all__ = [
    "QueuePlace",
    "TrainingLimits",
    "TrainingManager",
    "TrainingProgressRenderer",
    "TrainingService",
]
