"""Log records as the log of a job."""

from __future__ import annotations

import logging

from ._bars import current_job
from ._job import Job
from ._reporter import logger


class LogHandler(logging.Handler):
    """Adds log records to a job, by default to the current one."""

    def __init__(self, job: Job | None = None, level: int | str = logging.NOTSET) -> None:
        super().__init__(level)
        self._job = job

    def emit(self, record: logging.LogRecord) -> None:
        job = self._job or current_job()
        # Our own warnings are about reports that do not arrive.
        if job is None or record.name == logger.name:
            return
        level = 'debug'
        for least, name in ((logging.INFO, 'info'), (logging.WARNING, 'warn'),
                            (logging.ERROR, 'error')):
            if record.levelno >= least:
                level = name
        try:
            job.log(self.format(record), level)
        except Exception:
            self.handleError(record)
