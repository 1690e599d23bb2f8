"""Saved models: what they are, and what they say of features and bars. Predicting needs no torch."""

from .folders import ModelInfo, list_models
from .model import Explanation, Membership, Model, load
from .predictions import BarPrediction, BarPredictions, Predictions
from .stream import PredictionStream

__all__ = [
    "BarPrediction",
    "BarPredictions",
    "Explanation",
    "Membership",
    "Model",
    "ModelInfo",
    "PredictionStream",
    "Predictions",
    "list_models",
    "load",
]
