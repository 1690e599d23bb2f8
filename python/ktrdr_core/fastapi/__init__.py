"""The operations as HTTP routes, to be mounted in any FastAPI app.

Every answer is ``{"success": …, "data": …, "error": {"code", "message", "details"} or null}``. It needs the ``fastapi``
extra: ``pip install 'ktrdr-core[fastapi]'``.
"""

from .operations import operations_router

__all__ = ["operations_router"]
