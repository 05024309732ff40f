"""Report the progress of long work to a Milepost server.

    from milepost import track

    for row in track(rows, 'Import'):
        store(row)

The server is in ``MILEPOST_URL``, the token in ``MILEPOST_TOKEN`` or in the file that
``MILEPOST_TOKEN_FILE`` names. Reports never throw into the work and never block it: a thread
sends them, and without a server the work runs as before. Only a cancel by a watcher is raised, in
``track``, ``tqdm`` and ``Job.ask``: as ``Cancelled``, which is a KeyboardInterrupt.
"""

from __future__ import annotations

from typing import Any

from ._bars import current_job, set_progress, track
from ._celery import report_celery
from ._context import Cancelled
from ._job import Job
from ._log_handler import LogHandler
from ._reporter import Reporter, configure, flush, job

__all__ = ['Cancelled', 'Job', 'LogHandler', 'Reporter', 'configure', 'current_job', 'flush',
           'job', 'report_celery', 'set_progress', 'track', 'tqdm', 'trange']


def __getattr__(name: str) -> Any:
    """Import tqdm for those who use it."""
    if name not in ('tqdm', 'trange'):
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from . import _tqdm
    return getattr(_tqdm, name)
