"""The operations as HTTP routes, to be mounted in any FastAPI app.

Every answer is ``{"success": …, "data": …, "error": {"code", "message", "details"} or null}``. It needs the ``fastapi``
extra: ``pip install 'ktrdr-core[fastapi]'``.
"""

from .._extras import needed_by

with needed_by("ktrdr_core.fastapi"):
    from .answers import ErrorAnswer, error_responses
    from .envelope import install_error_handlers
    from .operations import operations_router

__all__ = ["ErrorAnswer", "error_responses", "install_error_handlers", "operations_router"]
