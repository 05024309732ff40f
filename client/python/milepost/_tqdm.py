"""tqdm that also reports."""

from __future__ import annotations

import io
import sys
import weakref
from typing import Any, Callable, Iterator

from tqdm import auto

from ._bars import Bar, Shown

_base: Any = auto.tqdm
# A notebook hides its bars in its own way: there those are not reported.
_can_hide = _base.__module__ == 'tqdm.asyncio'


class tqdm(_base):
    """tqdm that also reports: see `track`. A disabled bar is reported, but not shown."""

    _bar: Bar | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        is_hidden = kwargs.get('disable', False)
        if is_hidden is None:
            is_hidden = not getattr(kwargs.get('file') or sys.stderr, 'isatty', bool)()
        if is_hidden and _can_hide:
            kwargs.update(disable=False, file=_Nowhere())
        super().__init__(*args, **kwargs)
        if self.disable:
            return
        title = _title(self)
        # The bar ends when nothing else refers to it.
        ref: Callable[[], Any] = weakref.ref(self)

        def read() -> Shown | None:
            bar = ref()
            if bar is None:
                return None
            desc = _title(bar)
            message = bar.postfix or (desc if desc != title else None)
            return Shown(bar.n, bar.total, message and str(message))

        self._bar = Bar(read, title or None, None if self.unit == 'it' else self.unit)

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from super().__iter__()
        except GeneratorExit:
            raise
        except BaseException as error:
            self._end(error)
            raise
        self._end(None)

    def __exit__(self, type: Any, error: Any, trace: Any) -> None:
        super().__exit__(type, error, trace)
        self._end(error)

    def update(self, n: float = 1) -> Any:
        """As tqdm; raise `Cancelled` when a watcher cancels."""
        displayed = super().update(n)
        if self._bar:
            self._bar.check()
        return displayed

    def close(self) -> None:
        """As tqdm; end the job or step if the bar is complete."""
        super().close()
        if self.total is not None and self.n >= self.total:
            self._end(None)
        elif self._bar:
            self._bar.stop()

    def _end(self, error: BaseException | None) -> None:
        if self._bar:
            self._bar.end(error)


def trange(*args: int, **kwargs: Any) -> Any:
    """tqdm over a range."""
    return tqdm(range(*args), **kwargs)


def _title(bar: Any) -> str:
    return str(bar.desc or '').strip().rstrip(':').strip()


class _Nowhere(io.StringIO):
    def write(self, text: str) -> int:
        return len(text)
