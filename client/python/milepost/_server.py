"""Requests to the server, and which answers are its own."""

from __future__ import annotations

# Before a thread needs it: a process that is forked while a thread imports it never has it.
import encodings.idna  # noqa: F401
import json
import time
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime
from typing import Any, Callable, NamedTuple

ANSWER_BYTES = 32 * 1024 * 1024
# The longest Retry-After, in seconds, of Milepost and of a proxy, which names an hour of
# maintenance and is back in a minute.
WAIT_MAX = 3600.0
FOREIGN_WAIT_MAX = 10.0


class Failed(NamedTuple):
    """Why a request failed. `kind`: 'away', or to 'retry', or 'rejected' (an event is wrong), or
    'refused' (the job is). `after` seconds, if the answer names a wait; `status` is a proxy's,
    `job_status` that of a job that has ended."""

    kind: str
    reason: str
    after: float = 0.0
    status: int = 0
    job_status: str = ''


class Server:
    """A server, as a producer sees it."""

    def __init__(self, url: str, token: str | Callable[[], str],
                 on_token_refused: Callable[[str], object]) -> None:
        self.url = url.rstrip('/')
        # Whether the last request had no answer of Milepost.
        self.is_away = False
        self._token = token
        self._on_token_refused = on_token_refused
        self._opener = urllib.request.build_opener(_NoRedirect)

    def post(self, path: str, body: str, marks: tuple[str, ...], timeout: float,
             key: str | None = None) -> dict[str, Any] | Failed:
        """Post JSON. Milepost's own answer has all of the fields that `marks` names."""
        answer = self._post(path, body, marks, timeout, key)
        self.is_away = isinstance(answer, Failed) and answer.kind == 'away'
        return answer

    def _post(self, path: str, body: str, marks: tuple[str, ...], timeout: float,
              key: str | None) -> dict[str, Any] | Failed:
        try:
            token = self._token if isinstance(self._token, str) else self._token()
            headers = {'Authorization': f'Bearer {token.strip()}',
                       'Content-Type': 'application/json', 'User-Agent': 'milepost-python/0.1'}
            if key:
                headers['Idempotency-Key'] = key
            request = urllib.request.Request(f'{self.url}/{path}', body.encode(), headers)
            try:
                response = self._opener.open(request, timeout=timeout)
            except urllib.error.HTTPError as error:
                response = error
            with response:
                status, head, text = response.status, response.headers, response.read(ANSWER_BYTES)
        except Exception as error:
            # The text of other errors may have the token.
            what = error if isinstance(error, OSError) else type(error).__name__
            return Failed('away', f"can't be reached ({getattr(error, 'reason', what)})")
        answer = parse(text)
        if 200 <= status < 300 and all(mark in answer for mark in marks):
            return answer
        detail = answer.get('detail')
        if not (status >= 400 and str(answer.get('type')).startswith('urn:milepost:')
                and str(head.get('Content-Type')).startswith('application/problem+json')
                and isinstance(detail, str)):
            what = 'redirects: set the URL at which Milepost answers' if 300 <= status < 400 \
                else f'answers {status}, but not as Milepost'
            return Failed('away', what, _retry_after(head, FOREIGN_WAIT_MAX), status)
        if status in (400, 413, 415, 422):
            return Failed('rejected', detail)
        if status in (403, 404, 409):
            return Failed('refused', detail, job_status=str(answer.get('jobStatus')))
        if status == 401:
            self._on_token_refused(detail)
        return Failed('retry', f'answers {status}: {detail}', _retry_after(head, WAIT_MAX))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """A redirected POST would become a GET of another address."""


def parse(text: str | bytes) -> dict[str, Any]:
    """Return the object in JSON, or an empty one."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _retry_after(headers: Any, most: float) -> float:
    text = str(headers.get('Retry-After') or '')
    try:
        wait = float(text) if text.isdigit() else (
            parsedate_to_datetime(text).timestamp() - time.time())
    except Exception:
        return 0.0
    return min(most, max(0.0, wait))
