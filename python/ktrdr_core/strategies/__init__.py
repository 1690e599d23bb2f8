"""Read strategy files: what to train on what, in the grammar of KTRDR's v2 strategies.

Every key counts. A key that does not exist, an indicator that is not there, a fuzzy set without its
indicator or parameters out of order is a `StrategyError` with file, line and path, and the nearest
name that does exist. `document` reads YAML 1.2, `grammar` says what a file may hold, `later` brings files of the v3
grammar into that form, `reader` and `checks` find what is wrong, `problems` says where it stands.
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
    NetworkInput,
    Strategy,
    Symbols,
    Timeframes,
    Training,
    TrainingData,
)
from .problems import StrategyProblem
from .reader import describe, load, load_strategy, validate, variation
from .schema import schema

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
    "NetworkInput",
    "Strategy",
    "StrategyProblem",
    "Symbols",
    "Timeframes",
    "Training",
    "TrainingData",
    "describe",
    "load",
    "load_strategy",
    "schema",
    "validate",
    "variation",
]
