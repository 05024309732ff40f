"""Progress of loops: `track`, and what it has in common with the bars of tqdm."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import contextmanager
from typing import (Any, AsyncIterable, AsyncIterator, Callable, Generic, Iterable, Iterator,
                    NamedTuple, TypeVar)

from ._context import current
from ._job import Job
from ._reporter import default_reporter, reporters

T = TypeVar('T')

# Steps with the titles of bars; further bars share a step.
BAR_STEPS = 50

# The job of the outermost bar, for bars that no block gives a job.
_bar_job: Job | None = None


def current_job() -> Job | None:
    """Return the job that this code is part of."""
    return current.get() or _bar_job


def set_progress(done: float, total: float | None = None, *, unit: str | None = None,
                 message: str | None = None) -> None:
    """Report the progress of the current job, if there is one."""
    job = current_job()
    if job:
        job.progress(done, total, unit=unit, message=message)


class Shown(NamedTuple):
    """What a bar shows at a moment."""

    done: Any
    total: Any = None
    message: str | None = None


class Bar:
    """The progress of a job; inside another bar, a step. The work only counts: the thread of the
    reporter reads what the bar shows."""

    def __init__(self, read: Callable[[], Shown | None], title: str | None,
                 unit: str | None) -> None:
        global _bar_job
        self._read = read
        self._unit = unit
        self._shown = Shown(None)
        self._thread = threading.get_ident()
        self.stopped_at = 0.0
        outer = current_job()
        # The work has gone on after a loop that was left early.
        for bar in list(outer._bars if outer else ()):
            if bar.stopped_at and bar._thread == self._thread:
                bar.end()
        job = current_job()
        self._owns = job is None
        if job is None:
            script = _script()
            job = _bar_job = default_reporter().create(title or script, script)
            job.status('running')
            _watch_exceptions()
        self.job: Job = job
        self._step = ''
        with job._reporter._lock:
            job._notice_fork()
            depth = len(job._bars) + job._is_inherited
            job._bars.append(self)
            if depth:
                self._step = title or f'bar {depth}'
                if self._step not in job._steps and len(job._steps) >= BAR_STEPS:
                    self._step = f'bar {depth}'
                job._steps.add(self._step)
                job.step(self._step, 'running', label=title or self._step)
            self.sample()
            if not job._is_over:
                job._schedule(job._flush_seconds)

    def sample(self) -> None:
        """Queue what the bar shows, if it is new."""
        try:
            shown = self._read()
            if shown is None or shown == self._shown:
                return
            done = max(0, shown.done)
        except Exception:
            return
        self._shown = shown
        if self._step:
            self.job.step(self._step, done=done, total=shown.total, message=shown.message)
        else:
            self.job.progress(done, shown.total, unit=self._unit, message=shown.message)

    def check(self) -> None:
        """Raise what a watcher asked for, unless the job acts on it otherwise."""
        self.job._check_cancel()

    def stop(self) -> None:
        """Note that the loop was left by `break`, or by an exception that it can't see."""
        if not self.stopped_at:
            self.sample()
            self.stopped_at = time.monotonic()

    def end(self, error: BaseException | None = None) -> None:
        """End the bar, and the job that it has made. Idempotent."""
        global _bar_job
        job = self.job
        with job._reporter._lock:
            job._notice_fork()
            if self not in job._bars:
                return
            self.sample()
            job._bars.remove(self)
        if self._step:
            job.step(self._step, 'failed' if error else 'succeeded')
        if not self._owns:
            return
        if _bar_job is job:
            _bar_job = None
        job._end_bars(error)
        done, total, _ = self._shown
        if error:
            job.fail(error)
        else:
            is_early = total is not None and done < total
            job.complete(f'Stopped at {done} of {total}' if is_early else None)


def _script() -> str:
    """The name of the program, for jobs that nothing else names."""
    name = os.path.basename(next(iter(getattr(sys, 'argv', ())), ''))
    return 'python' if name in ('', '-c', '-m') else name


class track(Generic[T]):
    """Iterate, and report how far the loop is: as the progress of the current job, or of a new
    one; inside another such loop, as a step. Also for `async for`.

    Raises `Cancelled` when a watcher cancels, unless the job has `on_cancel`.
    """

    def __init__(self, iterable: Iterable[T] | AsyncIterable[T], title: str | None = None, *,
                 total: float | None = None, unit: str | None = None) -> None:
        self._iterable: Any = iterable
        self._title = title
        self._total = len(self._iterable) if (
            total is None and hasattr(iterable, '__len__')) else total
        self._unit = unit
        self._done = -1

    @contextmanager
    def _bar(self) -> Iterator[Bar]:
        """Open a bar for one loop, and end it as the loop ends; `break` stops it."""
        self._done = -1
        bar = Bar(lambda: Shown(max(0, self._done), self._total), self._title, self._unit)
        try:
            yield bar
            self._done += 1
            bar.end()
        except GeneratorExit:
            bar.stop()
            raise
        except BaseException as error:
            bar.end(error)
            raise

    def __iter__(self) -> Iterator[T]:
        with self._bar() as bar:
            job = bar.job
            # The attribute is the loop's own counter: nothing is faster.
            for self._done, item in enumerate(self._iterable):
                yield item
                if job.cancel_requested:
                    bar.check()

    async def __aiter__(self) -> AsyncIterator[T]:
        with self._bar() as bar:
            async for item in self._iterable:
                self._done += 1
                yield item
                bar.check()


_excepthook: Callable[..., Any] | None = None


def _watch_exceptions() -> None:
    """An exception that nothing catches fails the jobs of its thread's bars."""
    global _excepthook
    if not _excepthook:
        _excepthook = sys.excepthook
        sys.excepthook = _on_uncaught


def _on_uncaught(type: type[BaseException], error: BaseException, trace: Any) -> None:
    try:
        for reporter in list(reporters):
            for job in list(reporter._jobs):
                for bar in reversed(list(job._bars)):
                    if bar._thread == threading.get_ident():
                        bar.end(error)
    finally:
        if _excepthook:
            _excepthook(type, error, trace)
