"""What belongs to the code that runs: its job, its event loop, its end from afar."""

from __future__ import annotations

import contextvars
import sys
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from ._job import Job

current: contextvars.ContextVar[Job | None] = contextvars.ContextVar('milepost', default=None)


class Cancelled(KeyboardInterrupt):
    """A watcher cancelled the job: like Ctrl-C, from afar."""


def leave(token: contextvars.Token[Job | None]) -> None:
    """Make what was the current job before the current job again."""
    try:
        current.reset(token)
    except ValueError:
        # A generator or a callback entered in another context.
        current.set(None)


async def in_thread(run: Callable[[], object]) -> None:
    """Run something that waits, beside the event loop of asyncio."""
    try:
        loop = sys.modules['asyncio'].get_running_loop()
    except (KeyError, RuntimeError):
        # Another event loop.
        run()
    else:
        await loop.run_in_executor(None, run)
