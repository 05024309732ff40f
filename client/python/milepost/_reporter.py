"""The reporter, its thread, and the one of this process."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
import uuid
import weakref
from typing import Any, Callable

from ._job import Job
from ._sender import END_FLUSH, WAITS, JobSender
from ._server import Failed, Server

# Seconds.
REQUEST_TIMEOUT = 10.0
CLOSING_REQUEST_TIMEOUT = 2.0
CLOSE_TIMEOUT = 5.0
HEARTBEAT = 60.0
LONGEST_WAIT = 3600.0

logger = logging.getLogger('milepost')


class Reporter:
    """Reports on any number of jobs to one server, from a thread of its own.

    `token` is an access token with the scope `jobs:write`, the publish token of a job, or a
    function that returns one. `on_problem` is called with a sentence about each kind of problem,
    the first time that it occurs; by default the logger `milepost` gets a warning.
    """

    def __init__(self, url: str, token: str | Callable[[], str],
                 on_problem: Callable[[str], object] | None = None) -> None:
        self._server = Server(url, token, lambda detail: self._tell(
            'away', f'The token was refused: {detail} {WAITS}'))
        self._on_problem = on_problem or logger.warning
        self._told: set[str] = set()
        self._problems: list[str] = []
        # Those that have something to send, or to show that they live.
        self._jobs: dict[JobSender, None] = {}
        self._is_closed = not url
        # When `close` gives up.
        self._deadline: float | None = None
        self._forks = 0
        self._init_thread()
        reporters.add(self)

    def _init_thread(self) -> None:
        # Reentrant: signal handlers and finalizers report too.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        self._wakes_at = 0.0

    def create(self, title: str, kind: str = 'job', *, id: str | None = None,
               owner: str | None = None, parent_id: str | None = None,
               metadata: dict[str, Any] | None = None, heartbeat_seconds: float = HEARTBEAT,
               timeout_seconds: float | None = None) -> Job:
        """Create a job. With an id that it has, and the same fields, it is that job."""
        id = id or uuid.uuid4().hex
        fields = {'id': id, 'kind': kind, 'title': title, 'owner': owner, 'parentId': parent_id,
                  'metadata': metadata, 'heartbeatSeconds': heartbeat_seconds,
                  'timeoutSeconds': timeout_seconds}
        given = {name: value for name, value in fields.items() if value is not None}
        return Job(self, id, given, heartbeat_seconds)

    def job(self, id: str) -> Job:
        """Report on a job that was created elsewhere."""
        return Job(self, id, None, HEARTBEAT)

    def flush(self, timeout: float = END_FLUSH) -> bool:
        """Send what waits. Return whether the server has all of it."""
        return self._flush(list(self._jobs), timeout)

    def _flush(self, jobs: list[JobSender], timeout: float, is_patient: bool = True) -> bool:
        """`is_patient` tries again until the time is over."""
        deadline = time.monotonic() + timeout
        with self._lock:
            failures = {job: job._failures for job in jobs if not job._is_idle}
            for job in failures:
                job._schedule(0)
            while not all(job._is_idle for job in failures):
                left = deadline - time.monotonic()
                has_failed = any(job._failures > before for job, before in failures.items())
                if left <= 0 or not self._thread or has_failed and not is_patient:
                    return False
                self._changed.wait(left)
        return True

    def close(self, timeout: float = CLOSE_TIMEOUT) -> None:
        """Send what waits, for so many seconds at most, and stop."""
        if self._is_closed:
            return
        with self._lock:
            self._deadline = time.monotonic() + timeout
            thread = self._thread
            for job in list(self._jobs):
                job._end_bars()
                job._schedule(0)
            self._changed.notify_all()
        if thread and thread is not threading.current_thread():
            thread.join(min(CLOSING_REQUEST_TIMEOUT, timeout))
        # It may hang in a request, or could not start any more: send from here. A batch that
        # both send is applied once.
        with self._lock:
            for job in list(self._jobs):
                job._schedule(0)
        self._run()
        with self._lock:
            self._is_closed = True
            lost = sum(job._close() for job in list(self._jobs))
            if lost and 'away' not in self._told:
                self._tell('lost', f'{self._server.url} did not take all in time: {lost} events '
                           'are lost.')
        self._tell_problems()

    def __enter__(self) -> Reporter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _tell(self, kind: str, problem: str) -> None:
        """Tell of a problem once; not here, because of the lock."""
        if kind not in self._told:
            self._told.add(kind)
            self._problems.append(problem)

    def _tell_problems(self) -> None:
        while self._problems:
            try:
                self._on_problem(self._problems.pop(0))
            except Exception:
                pass

    def _post(self, path: str, body: str, marks: tuple[str, ...],
              key: str | None = None) -> dict[str, Any] | Failed:
        timeout = REQUEST_TIMEOUT
        if self._deadline is not None:
            left = self._deadline - time.monotonic()
            timeout = max(0.1, min(CLOSING_REQUEST_TIMEOUT, left))
        return self._server.post(path, body, marks, timeout, key)

    def _start(self) -> None:
        if self._thread or self._is_closed:
            return
        self._thread = threading.Thread(target=self._run, name='milepost', daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            # The interpreter ends: `close` sends.
            self._thread = None
            return
        # Processes of pools end without `atexit`.
        for name in ('multiprocessing.util', 'billiard.util'):
            if name in sys.modules:
                sys.modules[name].Finalize(None, self.flush, exitpriority=100)

    def _run(self) -> None:
        """Send what is due, until the reporter closes and all is sent."""
        while True:
            self._tell_problems()
            with self._lock:
                now = time.monotonic()
                if self._deadline is not None and (
                        now >= self._deadline or all(job._is_idle for job in self._jobs)):
                    return
                due = [job for job in self._jobs if job._due <= now]
                if not due:
                    times = [job._due for job in self._jobs]
                    times.append(now + LONGEST_WAIT if self._deadline is None else self._deadline)
                    self._wakes_at = min(times)
                    self._changed.wait(self._wakes_at - now)
                    continue
            for job in due:
                try:
                    job._send()
                except Exception as error:
                    # Nonsense in an answer must not end the thread.
                    with self._lock:
                        job._wait(Failed('retry', type(error).__name__))

    def _after_fork(self) -> None:
        self._forks += 1
        self._jobs = {}
        self._problems = []
        self._init_thread()


reporters: weakref.WeakSet[Reporter] = weakref.WeakSet()
_default: Reporter | None = None
_default_lock = threading.RLock()


def configure(url: str, token: str | Callable[[], str],
              on_problem: Callable[[str], object] | None = None) -> Reporter:
    """Set the server of this process, instead of by the environment: see `Reporter`."""
    global _default
    with _default_lock:
        _default = Reporter(url, token, on_problem)
        return _default


def default_reporter() -> Reporter:
    """Return the reporter of this process: that of `configure`, or of the environment."""
    with _default_lock:
        if _default:
            return _default
        url = os.environ.get('MILEPOST_URL', '')
        if not url:
            logger.warning('Nothing is reported: set MILEPOST_URL and MILEPOST_TOKEN.')
        return configure(url, _read_token)


def _read_token() -> str:
    path = os.environ.get('MILEPOST_TOKEN_FILE')
    if not path:
        return os.environ.get('MILEPOST_TOKEN', '')
    with open(path) as file:
        return file.read()


def job(title: str, kind: str = 'job', **fields: Any) -> Job:
    """Create a job on the server of this process: see `Reporter.create`."""
    return default_reporter().create(title, kind, **fields)


def flush(timeout: float = END_FLUSH) -> bool:
    """Send what waits: for processes that end without `atexit`."""
    return _default is None or _default.flush(timeout)


@atexit.register
def _close_all() -> None:
    for reporter in list(reporters):
        reporter.close()


def _after_fork() -> None:
    global _default_lock
    _default_lock = threading.RLock()
    for reporter in list(reporters):
        reporter._after_fork()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_after_fork)
