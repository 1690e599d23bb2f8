"""Read strategy files: what to train on what, in the grammar of KTRDR's v2 strategies.

Every key counts. A key that does not exist, an indicator that is not there, a fuzzy set without its
indicator or parameters out of order is a `StrategyError` with file, line and path, and the nearest
name that does exist. `grammar` says what a file may hold, `reader` finds where a mistake stands.
"""

from .grammar import (
    Architecture,
    DataSplit,
    Decisions,
    Deployment,
    DeploymentSymbols,
    DeploymentTimeframes,
    EarlyStopping,
    Features,
    Filters,
    FuzzySet,
    Indicator,
    Labels,
    Model,
    ModelTraining,
    Strategy,
    Symbols,
    Timeframes,
    Training,
    TrainingData,
)
from .reader import load_strategy

__all__ = [
    "Architecture",
    "DataSplit",
    "Decisions",
    "Deployment",
    "DeploymentSymbols",
    "DeploymentTimeframes",
    "EarlyStopping",
    "Features",
    "Filters",
    "FuzzySet",
    "Indicator",
    "Labels",
    "Model",
    "ModelTraining",
    "Strategy",
    "Symbols",
    "Timeframes",
    "Training",
    "TrainingData",
    "load_strategy",
]
