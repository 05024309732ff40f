"""What the work reports on a job."""

from __future__ import annotations

import contextvars
import time
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any, Callable

from ._ask import Ask
from ._context import Cancelled, current, in_thread, leave
from ._queue import to_text
from ._sender import END_FLUSH, JobSender

if TYPE_CHECKING:
    from ._reporter import Reporter


class Job(JobSender):
    """Reports on one job. No method throws, waits or takes long, but `flush` and `ask`.

    As a context manager the job is running, and ends as the block does; then what waits is sent,
    for 2 seconds at most; `async with` does not hold up the event loop meanwhile. In the block it
    is the job of `track`, `tqdm`, `set_progress` and `LogHandler`.
    """

    def __init__(self, reporter: Reporter, id: str, to_create: dict[str, Any] | None,
                 heartbeat: float) -> None:
        super().__init__(reporter, id, to_create, heartbeat)
        self._tokens: list[contextvars.Token[Job | None]] = []

    def progress(self, done: float, total: float | None = None, *,
                 succeeded: float | None = None, failed: float | None = None,
                 unit: str | None = None, message: str | None = None) -> None:
        """Report how far the job is. Of what waits only the newest is sent."""
        self._add('progress', done=done, total=total, succeeded=succeeded, failed=failed,
                  unit=unit, message=message)

    def status(self, status: str, *, message: str | None = None, result: Any = None,
               title: str | None = None, metadata: dict[str, Any] | None = None,
               attempt: int | None = None) -> None:
        """Report pending, running, paused, completed, failed or cancelled."""
        self._add('status', status=status, message=message, result=result, title=title,
                  metadata=metadata, attempt=attempt)

    def complete(self, message: str | None = None, result: Any = None) -> None:
        """End the job as completed."""
        self.status('completed', message=message, result=result)

    def retry(self, error: object = None, message: str | None = None,
              attempt: int | None = None) -> None:
        """Report that this try has failed and another follows, here or elsewhere."""
        if error is not None:
            self.error(to_text(error) or type(error).__name__)
        self.status('pending', message=message, attempt=attempt)

    def cancel(self, message: str | None = None) -> None:
        """End the job as cancelled."""
        self.status('cancelled', message=message)

    def fail(self, reason: str | BaseException) -> None:
        """End the job, as cancelled if the reason is an interrupt."""
        name = type(reason).__name__
        if isinstance(reason, Cancelled):
            self.cancel()
        elif isinstance(reason, KeyboardInterrupt) or name == 'CancelledError':
            self.cancel('Interrupted')
        elif isinstance(reason, BaseException):
            self.status('failed', message=f'{name}: {to_text(reason)}')
        else:
            self.status('failed', message=reason)

    def item(self, id: str, status: str | None = None, *, label: str | None = None,
             progress: float | None = None, message: str | None = None,
             error: str | None = None) -> None:
        """Report a unit of work: pending, running, succeeded, failed or skipped."""
        self._add('item', id=id, status=status, label=label, progress=progress, message=message,
                  error=error)

    def step(self, id: str, status: str | None = None, *, label: str | None = None,
             done: float | None = None, total: float | None = None, message: str | None = None,
             weight: float | None = None) -> None:
        """Report one of a few stages."""
        self._add('step', id=id, status=status, label=label, done=done, total=total,
                  message=message, weight=weight)

    def error(self, message: str, *, code: str | None = None, item_id: str | None = None) -> None:
        """Report an error that does not end the job."""
        self._add('error', message=message, code=code, itemId=item_id)

    def log(self, message: str, level: str = 'info') -> None:
        """Add a line to the log: debug, info, warn or error."""
        self._add('log', message=message, level=level)

    def ask(self, message: str, schema: dict[str, Any] | None = None,
            expires_at: datetime | str | None = None, id: str | None = None,
            timeout: float | None = None) -> Any:
        """Ask the owner of the job, wait, and return the answer: True or False, or what `schema`
        says, a flat JSON Schema.

        Return None when nobody answered before `expires_at` or the end of the job, or within
        `timeout` seconds: then the ask stays open, and the same `id` asks on. An id that was
        answered before, by an earlier try of this work, has that answer. Raise `Cancelled` when a
        watcher cancels; with `on_cancel`, return None.
        """
        reporter = self._reporter
        ends = None if timeout is None else time.monotonic() + timeout
        with reporter._lock:
            ask = self._open_ask(message, schema, expires_at, id,
                                 lambda: reporter._changed.notify_all())
            try:
                while not ask.is_closed:
                    left = None if ends is None else ends - time.monotonic()
                    if left is not None and left <= 0:
                        break
                    reporter._changed.wait(left)
            finally:
                self._asks.remove(ask)
        return self._answer(ask)

    async def ask_async(self, message: str, schema: dict[str, Any] | None = None,
                        expires_at: datetime | str | None = None, id: str | None = None,
                        timeout: float | None = None) -> Any:
        """`ask` for asyncio: the event loop goes on meanwhile."""
        import asyncio
        loop = asyncio.get_running_loop()
        closed = asyncio.Event()

        def wake() -> None:
            # A loop that was closed has nobody who waits.
            if not loop.is_closed():
                loop.call_soon_threadsafe(closed.set)

        ask = self._open_ask(message, schema, expires_at, id, wake)
        try:
            await asyncio.wait_for(closed.wait(), timeout)
        except asyncio.TimeoutError:
            pass
        finally:
            with self._reporter._lock:
                self._asks.remove(ask)
        return self._answer(ask)

    def _open_ask(self, message: str, schema: dict[str, Any] | None,
                  expires_at: datetime | str | None, id: str | None,
                  on_closed: Callable[[], object]) -> Ask:
        if isinstance(expires_at, datetime):
            # Without a time zone it is local time.
            expires_at = expires_at.astimezone().isoformat()
        with self._reporter._lock:
            event = None if self.cancel_requested else self._add(
                'ask', id=id or uuid.uuid4().hex, message=message, schema=schema,
                expiresAt=expires_at)
            ask = Ask(event, on_closed)
            # Without a thread the interpreter ends.
            if event and self._reporter._thread:
                self._asks.add(ask)
            else:
                ask.close()
        return ask

    def _answer(self, ask: Ask) -> Any:
        if ask.value is None:
            self._check_cancel()
        return ask.value

    def _check_cancel(self) -> None:
        """Raise what a watcher asked for, unless the job acts on it otherwise."""
        if self.cancel_requested and not self.on_cancel:
            raise Cancelled

    def fork(self, title: str, kind: str | None = None, **fields: Any) -> Job:
        """Create a child of this job, of the same kind and owner unless the fields say otherwise:
        see `Reporter.create`."""
        fields = {'owner': self._owner, **fields, 'parent_id': self.id}
        return self._reporter.create(title, kind or self._kind, **fields)

    def flush(self, timeout: float = END_FLUSH) -> bool:
        """Send what waits. Return whether the server has all of it."""
        return self._reporter._flush([self], timeout)

    def __enter__(self) -> Job:
        self._tokens.append(current.set(self))
        self.status('running')
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._end_block(error)
        self._flush_end()

    async def __aenter__(self) -> Job:
        return self.__enter__()

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._end_block(error)
        await in_thread(self._flush_end)

    def _end_block(self, error: BaseException | None) -> None:
        leave(self._tokens.pop())
        self._notice_fork()
        if self._is_inherited:
            return
        self._end_bars(error)
        if isinstance(error, SystemExit) and not error.code:
            error = None
        if error:
            self.fail(error)
        elif not self._is_over:
            self.complete()

    def _flush_end(self) -> None:
        """The process may be killed next, or end without `atexit`. A server that is away is not
        waited for."""
        if not self._reporter._server.is_away:
            self._reporter._flush([self], END_FLUSH, is_patient=False)
