"""Training neuro-fuzzy models on stored bars, and reports of the results."""

from .manager import TrainingManager, TrainingProgressRenderer, TrainingService

__all__ = ["TrainingManager", "TrainingProgressRenderer", "TrainingService"]
