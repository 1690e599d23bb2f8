"""For the tests of those who use the package: what every kind of operation must do, ready to run against yours."""

from .operation_suite import OperationKind, OperationSuite, until_running

__all__ = ["OperationKind", "OperationSuite", "until_running"]
