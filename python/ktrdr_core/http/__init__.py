"""An HTTP client that keeps its connections: for talking to a few services hard, for hours, with cancels all the time.

One client serves any number of services, event loops and threads. The work is done by the native io thread: a cancelled
task is released at once, its socket is closed behind it, and no connection is used again without a look at it: what had
come before a request was written is never its answer.
"""

from .._core import PoolOptions, RetryPolicy, ServerEvent, Timeouts, TlsOptions
from .auth import Bearer
from .client import Client
from .pending import PendingResponse
from .responses import EventStream, Headers, Response, StreamedResponse

__all__ = [
    "Bearer",
    "Client",
    "EventStream",
    "Headers",
    "PendingResponse",
    "PoolOptions",
    "Response",
    "RetryPolicy",
    "ServerEvent",
    "StreamedResponse",
    "Timeouts",
    "TlsOptions",
]
