"""How the events of a job get to the server."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, Any, Callable
from urllib.parse import quote

from ._ask import ANSWER_SECONDS, Asks
from ._queue import BATCH_EVENTS, Batch, Event, Queue, to_json, to_text
from ._server import Failed

if TYPE_CHECKING:
    from ._bars import Bar
    from ._reporter import Reporter

# Seconds.
FIRST_FLUSH = 0.25
END_FLUSH = 2.0
RETRY_FIRST = 0.5
RETRY_MAX = 5.0
# Often enough to hear soon that a watcher cancels.
HEARTBEAT_MAX = 5.0
# An exception that leaves a loop ends the program within this time, or was caught.
STOPPED_GRACE = 2.0

# Failures in a row after which they are told of.
AWAY_TRIES = 3
# Rejected events in a row after which the server is asked more slowly.
MANY_REJECTIONS = 10
TERMINAL = ('completed', 'failed', 'cancelled')
WAITS = 'The work goes on; reports wait in memory, and are lost if this lasts until it ends.'


class JobSender:
    """Creates a job, sends its events in batches, with heartbeats, and hears what watchers ask and
    answer. The thread of the reporter runs it."""

    def __init__(self, reporter: Reporter, id: str, to_create: dict[str, Any] | None,
                 heartbeat: float) -> None:
        self.id = id
        self.cancel_requested = self.pause_requested = False
        # Called once, in a thread of its own, when a watcher cancels.
        self.on_cancel: Callable[[], object] | None = None
        self._reporter = reporter
        self._to_create = to_create
        fields = to_create or {}
        self._kind: str = fields.get('kind', 'job')
        self._owner: str | None = fields.get('owner')
        self._epoch = ''
        # Over: has a terminal status. Closed: nothing is sent any more.
        self._is_over = self._is_closed = reporter._is_closed
        self._is_running = self._is_inherited = False
        self._done: Any = 0
        self._heartbeat = min(heartbeat / 3, HEARTBEAT_MAX)
        self._sent_at = time.monotonic()
        self._flush_seconds = FIRST_FLUSH
        self._batch_events = BATCH_EVENTS
        self._failures = self._rejections = 0
        self._queue = Queue(self._tell_rejected, self._tell_full)
        self._batch: Batch | None = None
        self._due = float('inf')
        self._bars: list[Bar] = []
        self._steps: set[str] = set()
        self._asks = Asks()
        # The fork of the process that the job was made in, or last reported from.
        self._forks = reporter._forks
        if to_create and not self._is_closed:
            with reporter._lock:
                self._schedule(0)

    @property
    def dropped(self) -> int:
        """Events that were dropped: because too many waited, or the server refused them."""
        return self._queue.dropped

    def _add(self, type: str, **fields: Any) -> Event | None:
        """Queue an event. Return it, unless it was dropped."""
        event = self._queue.prepare({'type': type, **fields})
        reporter = self._reporter
        with reporter._lock:
            self._notice_fork()
            if self._is_over or reporter._is_closed or event is None:
                self._queue.dropped += 1
                return None
            if type == 'progress':
                self._done = fields['done']
            elif type == 'status':
                self._is_running = fields['status'] == 'running'
                # With an event after a terminal status the server would refuse the batch.
                self._is_over = fields['status'] in TERMINAL
            self._queue.push(event)
            if self._is_over:
                self._asks.end()
            # While the server is away, the back-off decides.
            if not self._failures or self not in reporter._jobs:
                is_due = self._is_over or type == 'ask' or len(self._queue) == BATCH_EVENTS
                self._schedule(0 if is_due else self._flush_seconds)
        return event

    def _notice_fork(self) -> None:
        """In a forked process: the parent sends what waited, and shows that the job lives."""
        if self._forks == self._reporter._forks:
            return
        self._forks = self._reporter._forks
        self._is_inherited = True
        self._is_running = False
        self._failures = 0
        self._queue.clear()
        self._batch = None
        self._bars = []
        self._asks = Asks()
        self._due = float('inf')

    def _tell_rejected(self, type: str, reason: str) -> None:
        self._reporter._tell(f'rejected {self.id}',
                             f'A {type} event of job {self.id} was not taken: {reason}')

    def _tell_full(self, dropped: Event) -> None:
        self._asks.lose(dropped)
        self._reporter._tell('full', f'Job {self.id} drops events: too many wait.')

    # From here on with the lock of the reporter, but for the requests.

    def _schedule(self, seconds: float) -> None:
        reporter = self._reporter
        self._due = min(self._due, time.monotonic() + seconds)
        reporter._jobs[self] = None
        reporter._start()
        if self._due < reporter._wakes_at:
            reporter._changed.notify_all()

    @property
    def _is_idle(self) -> bool:
        return not (self._queue or self._batch or self._to_create)

    def _send(self) -> None:
        """Create the job, if it is not yet, and send one batch."""
        reporter = self._reporter
        with reporter._lock:
            self._due = float('inf')
            self._sample()
            if not self._batch and self._queue:
                events = self._queue.take(self._batch_events)
                self._batch = Batch(events) if events else None
            batch = self._batch
        failed = self._create()
        if not failed and batch and not self._is_closed:
            epoch = f'?epoch={self._epoch}' if self._epoch else ''
            path = f'api/jobs/{quote(self.id, safe="")}/events{epoch}'
            marks = ('version', 'cancelRequested', 'flushMs')
            answer = reporter._post(path, batch.body, marks, batch.key)
            with reporter._lock:
                # `close` may have sent it meanwhile.
                if self._batch is batch:
                    failed = self._settle(batch, answer)
        with reporter._lock:
            if failed:
                self._wait(failed)
            self._plan()
            reporter._changed.notify_all()

    def _create(self) -> Failed | None:
        """Create the job. Repeated, the request finds the same job."""
        fields = self._to_create
        if not fields:
            return None
        answer: dict[str, Any] | Failed
        try:
            body = to_json(fields)
        except Exception as error:
            answer = Failed('rejected', to_text(error))
        else:
            answer = self._reporter._post('api/jobs', body, ('epoch', 'version', 'itemCounts'))
        with self._reporter._lock:
            if isinstance(answer, Failed):
                if answer.kind in ('retry', 'away'):
                    return answer
                self._close(f'was not created: {answer.reason}')
                return None
            self._to_create = None
            self._epoch = str(answer['epoch'])
            status = answer.get('status')
            if status in TERMINAL:
                # Nobody is told of a job that was cancelled while it waited.
                self._close('' if status == 'cancelled' else f'has ended: it is {status}.')
        self._listen(answer, status == 'cancelled')
        return None

    def _listen(self, answer: dict[str, Any], is_cancelled: bool = False) -> None:
        self.pause_requested = answer.get('pauseRequested') is True
        is_cancelled = is_cancelled or answer.get('cancelRequested') is True
        if not is_cancelled or self.cancel_requested:
            return
        self.cancel_requested = True
        with self._reporter._lock:
            self._asks.end()
        if self.on_cancel:
            # Not here: it may take long.
            threading.Thread(target=self.on_cancel, name='milepost cancel', daemon=True).start()

    def _settle(self, batch: Batch, answer: dict[str, Any] | Failed) -> Failed | None:
        """Act on the answer to a batch. Return the failure after which it is to be repeated."""
        if not isinstance(answer, Failed):
            self._confirm(answer)
        elif answer.status == 413 and batch.is_too_large():
            self._divide(batch, f'a proxy before the server refuses {len(batch.body)} bytes: '
                         'raise its limit')
        elif answer.kind in ('retry', 'away'):
            return answer
        elif answer.kind == 'rejected':
            self._divide(batch, answer.reason)
        else:
            is_cancelled = answer.job_status == 'cancelled'
            self._close('' if is_cancelled else f'takes no more events: {answer.reason}')
            self._listen({}, is_cancelled)
        return None

    def _confirm(self, receipt: dict[str, Any]) -> None:
        self._batch = None
        self._failures = self._rejections = 0
        # Slowly: a server with a small limit refuses each batch above it.
        self._batch_events = min(BATCH_EVENTS, self._batch_events * 9 // 8 + 1)
        self._sent_at = time.monotonic()
        self._flush_seconds = min(60.0, max(0.02, float(receipt['flushMs']) / 1000))
        self._asks.hear(receipt.get('answers'))
        self._listen(receipt)
        if self._queue:
            is_now = self._is_over or len(self._queue) >= self._batch_events
            is_now = is_now or self._reporter._deadline is not None
            self._schedule(0 if is_now else self._flush_seconds)

    def _wait(self, failed: Failed) -> None:
        """Try again later; with jitter, so that producers do not come back together."""
        reporter = self._reporter
        self._failures += 1
        if self._failures == AWAY_TRIES:
            reporter._tell('away', f'{reporter._server.url} {failed.reason}. {WAITS}')
        is_closing = reporter._deadline is not None
        tries = 0 if is_closing else min(self._failures - 1, 10)
        chance = random.random()
        wait = min(RETRY_MAX, RETRY_FIRST * 2 ** tries) * (0.5 + chance / 2)
        self._schedule(wait if is_closing else max(wait, failed.after * (1 + chance / 4)))

    def _divide(self, batch: Batch, reason: str) -> None:
        """Send a batch in halves, until the wrong event is alone."""
        self._batch = None
        self._failures = 0
        if len(batch.events) > 1:
            self._batch_events = (len(batch.events) + 1) // 2
            self._queue.put_back(batch.events)
        else:
            self._rejections += 1
            self._queue.reject(batch.events[0], reason)
            self._asks.lose(batch.events[0])
        if self._queue:
            many = self._rejections - MANY_REJECTIONS
            self._schedule(0 if many < 0 else min(RETRY_MAX, 2.0 ** many))

    def _plan(self) -> None:
        """Plan the next look at the bars, or heartbeat."""
        if self._is_closed or self._failures:
            return
        if self._bars:
            self._schedule(self._flush_seconds)
        if self._is_running or self._asks:
            self._schedule(self._longest_silence)
        elif self._is_idle and not self._bars:
            self._reporter._jobs.pop(self, None)

    @property
    def _longest_silence(self) -> float:
        return min(self._heartbeat, ANSWER_SECONDS) if self._asks else self._heartbeat

    def _sample(self) -> None:
        """Queue what the bars show; after a silence, without anything new, a heartbeat."""
        now = time.monotonic()
        for bar in list(self._bars):
            bar.sample()
            if bar.stopped_at and now - bar.stopped_at >= STOPPED_GRACE:
                bar.end()
        if not self._is_idle or now - self._sent_at < self._longest_silence:
            return
        if self._is_running:
            self._add('progress', done=self._done)
        else:
            # The same ask again changes nothing, and its receipt has the answer.
            for event in self._asks.events:
                self._queue.push(event)

    def _end_bars(self, error: BaseException | None = None) -> None:
        for bar in reversed(list(self._bars)):
            bar.end(error)

    def _close(self, reason: str = '') -> int:
        """Drop everything, for a reason. Return how many events."""
        lost = len(self._queue) + len(self._batch.events if self._batch else ())
        self._queue.clear()
        self._queue.dropped += lost
        self._batch = self._to_create = None
        self._is_over = self._is_closed = True
        self._is_running = False
        self._asks.end()
        self._reporter._jobs.pop(self, None)
        if reason:
            self._reporter._tell(f'closed {self.id}', f'Job {self.id} {reason}')
        return lost

    def _release(self) -> None:
        """Send what waits; another process goes on with the job."""
        with self._reporter._lock:
            self._is_over = True
            self._is_running = False
            self._asks.end()
            if not self._is_closed:
                self._schedule(0)
