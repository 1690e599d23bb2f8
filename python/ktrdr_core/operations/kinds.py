"""Types of operations as people write them."""

from __future__ import annotations

from enum import Enum
from typing import Any


def type_key(operation_type: Any) -> Any:
    """Give a type as it is kept and compared: in small letters, whatever case or enumeration it was written in."""
    named = operation_type.value if isinstance(operation_type, Enum) else operation_type
    return str.lower(named) if isinstance(named, str) else named
