"""How Python and the native threads meet: the runtime, mailboxes, calls whose reply comes as mail, and callbacks."""

from .posts import (
    POLL,
    Handler,
    LoopPost,
    Post,
    ThreadPost,
    here,
    loop_post,
    report,
    running_loop,
    thread_post,
)
from .runtime import ensure_started, forward_logs, start

__all__ = [
    "POLL",
    "Handler",
    "LoopPost",
    "Post",
    "ThreadPost",
    "ensure_started",
    "forward_logs",
    "here",
    "loop_post",
    "report",
    "running_loop",
    "start",
    "thread_post",
]
