"""The events of a job that wait for the server."""

from __future__ import annotations

import json
import uuid
from typing import Any, Callable, NamedTuple

from ._server import parse

QUEUE_EVENTS = 10_000
QUEUE_BYTES = 8 * 1024 * 1024
# One request: half of what servers and proxies accept by default.
BATCH_EVENTS = 1_000
BATCH_BYTES = 512 * 1024
# What the server accepts of one event; names and messages are cut.
EVENT_BYTES = 64 * 1024
MESSAGE_BYTES = 8 * 1024
NAME_BYTES = 512
# Tries of an event that a proxy refuses as too large. Below SMALL_BYTES the proxy is wrong.
LARGE_TRIES = 3
SMALL_BYTES = 1_000


class Event(NamedTuple):
    """JSON; a queued progress event is a dict, into which newer ones are merged."""

    type: str
    body: str | dict[str, Any]

    @property
    def size(self) -> int:
        return len(self.body) if isinstance(self.body, str) else 256


class Batch:
    """Events that are sent together. Each try has the same key, so that one is applied."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events
        self.body = '[%s]' % ','.join(str(event.body) for event in events)
        self.key = uuid.uuid4().hex
        self._large_tries = 0

    def is_too_large(self) -> bool:
        """Whether a proxy that answers 413 means it. Milepost has not seen the batch."""
        self._large_tries += 1
        return len(self.events) > 1 or (
            len(self.body) > SMALL_BYTES and self._large_tries >= LARGE_TRIES)


class Queue:
    """A bounded queue. Of progress events only the newest waits, unless a status came between.

    `on_rejected` is called with the type of an event that can't be sent, and the reason; `on_full`
    with an event that was dropped for newer ones.
    """

    def __init__(self, on_rejected: Callable[[str, str], object],
                 on_full: Callable[[Event], object]) -> None:
        # Events that were dropped: because the queue was full, or because they were wrong.
        self.dropped = 0
        self._on_rejected = on_rejected
        self._on_full = on_full
        self.clear()

    def clear(self) -> None:
        self._events: list[Event] = []
        self._bytes = 0
        # The queued progress event that a newer one is merged into.
        self._progress: dict[str, Any] | None = None

    def __len__(self) -> int:
        return len(self._events)

    def prepare(self, fields: dict[str, Any]) -> Event | None:
        """Make an event; needs no lock. Values may be anything."""
        event = {name: value for name, value in fields.items() if value is not None}
        for name, value in event.items():
            if isinstance(value, str):
                is_message = name in ('message', 'error')
                event[name] = _cut(value, MESSAGE_BYTES if is_message else NAME_BYTES)
        if event['type'] == 'progress':
            return Event('progress', event)
        return self._encode(event)

    def push(self, event: Event) -> None:
        if isinstance(event.body, dict):
            if self._progress is not None:
                self._progress.update(event.body)
                return
            self._progress = event.body
        elif event.type == 'status':
            self._progress = None
        self._events.append(event)
        self._bytes += event.size
        while len(self._events) > QUEUE_EVENTS or self._bytes > QUEUE_BYTES:
            self._drop_oldest()

    def take(self, most: int) -> list[Event]:
        """Take so many events, or as many as fit into a request."""
        events: list[Event] = []
        size = 0
        while self._events and len(events) < most:
            if events and size + self._events[0].size > BATCH_BYTES:
                break
            event = self._remove(0)
            size += event.size
            if isinstance(event.body, dict):
                encoded = self._encode(event.body)
                if not encoded:
                    self.dropped += 1
                    continue
                event = encoded
            events.append(event)
        return events

    def put_back(self, events: list[Event]) -> None:
        self._events[:0] = events
        self._bytes += sum(event.size for event in events)

    def reject(self, event: Event, reason: str) -> None:
        """Drop an event that the server does not accept; of a status, its other fields: without
        the status a job would seem to run for ever."""
        self._on_rejected(event.type, reason)
        fields = parse(str(event.body))
        if event.type == 'status' and len(fields) > 2:
            bare = {'type': 'status', 'status': fields['status']}
            self.put_back([Event('status', json.dumps(bare))])
        else:
            self.dropped += 1

    def _remove(self, at: int) -> Event:
        event = self._events.pop(at)
        self._bytes -= event.size
        if event.body is self._progress:
            self._progress = None
        return event

    def _drop_oldest(self) -> None:
        """Log lines first, status events last."""
        victims = (at for types in (('log',), ('progress', 'item', 'step', 'error'))
                   for at, event in enumerate(self._events) if event.type in types)
        event = self._remove(next(victims, 0))
        self.dropped += 1
        self._on_full(event)

    def _encode(self, event: dict[str, Any]) -> Event | None:
        type = event['type']
        try:
            text = to_json(event)
            if len(text) <= EVENT_BYTES:
                return Event(type, text)
            reason = f'its JSON has more than {EVENT_BYTES} bytes'
        except Exception as error:
            reason = to_text(error)
        self._on_rejected(type, reason)
        if type == 'status' and len(event) > 2:
            return self._encode({'type': type, 'status': event['status']})
        return None


def to_json(value: dict[str, Any]) -> str:
    """Encode as compact JSON; what has no JSON becomes text."""
    return json.dumps(value, default=_plain, allow_nan=False, separators=(',', ':'))


def to_text(value: object) -> str:
    """Return the text of an object, or of its type if that fails."""
    try:
        return str(value)
    except Exception:
        return type(value).__name__


def _plain(value: Any) -> Any:
    """What has no JSON: the number in a scalar of numpy, otherwise text."""
    item = getattr(value, 'item', None)
    return item() if callable(item) else str(value)


def _cut(text: str, most: int) -> str:
    """Return the text, up to a number of bytes."""
    if len(text) * 4 <= most:
        return text
    return text.encode('utf-8', 'replace')[:most].decode('utf-8', 'ignore')
