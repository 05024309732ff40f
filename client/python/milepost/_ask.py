"""What a job asks its owner, until there is an answer."""

from __future__ import annotations

from typing import Any, Callable

from ._queue import Event
from ._server import parse

# The longest time, in seconds, between two requests while an ask is open: receipts have the
# answers.
ANSWER_SECONDS = 3.0


class Ask:
    """An ask that somebody waits for. `on_closed` is called once, with the reporter locked."""

    def __init__(self, event: Event | None, on_closed: Callable[[], object]) -> None:
        self.event = event
        # As it was sent: a long one was cut.
        self.id = parse(str(event.body))['id'] if event else None
        self.is_closed = False
        # What was answered, which is never null.
        self.value: Any = None
        self._on_closed = on_closed

    def close(self, value: Any = None) -> None:
        """End the wait. Without a value nobody has answered."""
        self.is_closed = True
        self.value = value
        self._on_closed()


class Asks:
    """The open asks of a job that somebody in this process waits for."""

    def __init__(self) -> None:
        self._open: list[Ask] = []

    def __bool__(self) -> bool:
        return bool(self._open)

    @property
    def events(self) -> list[Event]:
        return [ask.event for ask in self._open if ask.event]

    def add(self, ask: Ask) -> None:
        self._open.append(ask)

    def remove(self, ask: Ask) -> None:
        if ask in self._open:
            self._open.remove(ask)

    def hear(self, answers: Any) -> None:
        """Close those that a receipt has answers for."""
        for answer in answers if isinstance(answers, list) else ():
            for ask in [ask for ask in self._open if ask.id == answer['ask']]:
                self._close(ask, answer.get('value'))

    def lose(self, event: Event) -> None:
        """Close the ask whose event does not get to the server."""
        for ask in [ask for ask in self._open if ask.event is event]:
            self._close(ask)

    def end(self) -> None:
        """Close all: the job has ended."""
        for ask in list(self._open):
            self._close(ask)

    def _close(self, ask: Ask, value: Any = None) -> None:
        self._open.remove(ask)
        ask.close(value)
