"""The tasks of Celery as jobs."""

from __future__ import annotations

import contextvars
import importlib
from typing import Any, Callable

from ._context import current, leave
from ._job import Job
from ._queue import to_text
from ._reporter import default_reporter, flush, logger


def report_celery(app: Any, **defaults: Any) -> None:
    """Report the tasks of a Celery app: where it is made, for its workers and its senders.

    A job has the id of its task; its other fields are those of `Reporter.create`: `defaults` for
    all tasks, and the header `milepost` of one:
    `task.apply_async(headers={'milepost': {'title': 'Yearly export'}})`.
    """
    signals: Any = importlib.import_module('celery.signals')
    # Those that run in this process.
    jobs: dict[str, tuple[Job, contextvars.Token[Job | None]]] = {}

    def job_of(id: str, name: str, request: Any) -> Job:
        """The job of a task, made here unless an earlier try has made it."""
        if request is None or request.get('retries'):
            return default_reporter().job(id)
        fields: dict[str, Any] = {
            'title': name, 'kind': name, **defaults, **(request.get('milepost') or {})}
        return default_reporter().create(**fields, id=id)

    def on_sent(sender: Any, headers: Any, **_: Any) -> None:
        if 'id' not in headers or headers.get('retries') or _is_internal(sender):
            return
        fields = headers['milepost'] = dict(headers.get('milepost') or {})
        parent = current.get()
        if parent:
            fields.setdefault('parent_id', parent.id)
        job_of(headers['id'], sender, headers)._release()

    def on_start(task_id: str, task: Any, **_: Any) -> None:
        if _is_internal(task.name):
            return
        job = job_of(task_id, task.name, task.request)
        if not task.request.is_eager:
            job.on_cancel = lambda: app.control.revoke(task_id, terminate=True)
        tries = (task.request.retries or 0) + 1
        job.status('running', message=f'Try {tries}' if tries > 1 else None)
        jobs[task_id] = (job, current.set(job))

    def on_success(sender: Any, **_: Any) -> None:
        if sender.request.id in jobs:
            jobs[sender.request.id][0].complete()

    def on_failure(sender: Any, task_id: str, exception: Any, **_: Any) -> None:
        if not _is_internal(sender.name):
            # Without a job here the process that had it was lost.
            job = jobs[task_id][0] if task_id in jobs else job_of(task_id, sender.name, None)
            job.fail(exception)

    def on_retry(request: Any, reason: Any = None, **_: Any) -> None:
        if request.id in jobs:
            job = jobs[request.id][0]
            message = f'To be tried again: {to_text(reason)}'
            job.log(message, 'warn')
            # Without it, another delivery of this try would count again.
            job.retry(message=message, attempt=(request.retries or 0) + 2)

    def on_revoked(sender: Any, request: Any, expired: Any, **_: Any) -> None:
        if not _is_internal(sender.name):
            message = 'Expired before it began' if expired else None
            job_of(request.id, sender.name, request).cancel(message)

    def on_end(task_id: str, state: Any = None, **_: Any) -> None:
        if task_id in jobs:
            job, token = jobs.pop(task_id)
            leave(token)
            if state == 'IGNORED':
                job.complete()
            job._release()
            job._flush_end()

    def on_exit(**_: Any) -> None:
        flush()

    receivers: dict[str, Callable[..., None]] = {
        'before_task_publish': on_sent, 'task_prerun': on_start, 'task_success': on_success,
        'task_failure': on_failure, 'task_retry': on_retry, 'task_revoked': on_revoked,
        'task_postrun': on_end, 'worker_process_shutdown': on_exit}
    for name, receiver in receivers.items():
        getattr(signals, name).connect(_quiet(receiver), weak=False)


def _is_internal(name: Any) -> bool:
    return str(name).startswith('celery.')


def _quiet(receiver: Callable[..., None]) -> Callable[..., None]:
    def receive(**fields: Any) -> None:
        try:
            receiver(**fields)
        except Exception as error:
            logger.warning('A task is not reported: %s', to_text(error))
    return receive
