from . import _core

built_for: str

def make_trainer() -> _core.Trainer: ...
