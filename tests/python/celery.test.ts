import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Job } from '../../shared/document/job.ts'
import { blocks } from '../examples/blocks.ts'
import { SeededRandom } from '../seeded-random.ts'
import { ApiClient } from '../support/api-client.ts'
import { DEBIAN_PYTHON, missingModule, reporting, runPython } from '../support/python.ts'
import { RedisServer } from '../support/redis-server.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'

const REDIS = '/usr/bin/redis-server'
const missing =
  missingModule('celery', 'redis') ?? missingModule('rq') ?? (existsSync(REDIS) ? undefined : `no ${REDIS}: install it`)

function withQueues(name: string, run: () => Promise<void>): void {
  if (missing) test.skip(`${name} (${missing})`, () => {})
  else test(name, run)
}

/** The tasks of the tests, for senders and workers. */
const TASKS = `
import logging, os, time
from celery import Celery
import milepost

app = Celery('tasks', broker=os.environ['REDIS'] + '/0', backend=os.environ['REDIS'] + '/1')
# A worker that is killed while it returns tasks to the queue holds their lock until it expires.
app.conf.broker_transport_options = {'visibility_timeout': 2, 'unacked_mutex_expire': 2}
app.conf.task_acks_late = True
app.conf.task_reject_on_worker_lost = True
milepost.report_celery(app, heartbeat_seconds=1, timeout_seconds=120)
logging.getLogger('work').addHandler(milepost.LogHandler())

@app.task
def export(rows):
    for row in range(rows):
        milepost.set_progress(row + 1, rows, unit='rows')
    logging.getLogger('work').warning('Exported %d', rows)

@app.task(bind=True, max_retries=3)
def retried(self):
    if self.request.retries < 2:
        raise self.retry(exc=ValueError('Not yet'), countdown=0.1)

@app.task
def failing():
    raise ValueError('No good')

@app.task
def parent():
    for step in milepost.track(['a', 'b']): export.delay(1)

@app.task
def endless():
    time.sleep(600)

@app.task(acks_late=False)
def suicidal():
    os.kill(os.getpid(), 9)

@app.task
def slow(n):
    for part in milepost.track(range(10)):
        milepost.current_job().item(f'part {part}', 'succeeded')
        time.sleep(0.05)
`

let server: ServerProcess
let ada: ApiClient
let folder: string
let redis: RedisServer
let env: Record<string, string>
let workers: Bun.Subprocess[]

beforeAll(async () => {
  server = await ServerProcess.start()
  ada = new ApiClient(server.url, await accessToken('ada'))
})
afterAll(() => server[Symbol.asyncDispose]())

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'milepost-celery-'))
  await writeFile(join(folder, 'tasks.py'), TASKS)
  redis = await RedisServer.start()
  env = await reporting(server.url, { REDIS: redis.setting, C_FORCE_ROOT: '1' })
  env.PYTHONPATH = `${env.PYTHONPATH}:${folder}`
  workers = []
})
afterEach(async () => {
  for (const worker of workers) await end(worker)
  await redis[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

function startWorker(name: string): Bun.Subprocess {
  const command = [DEBIAN_PYTHON, '-m', 'celery', '-A', 'tasks', 'worker', '-c', '2', '-n', `${name}@test`]
  // A session of its own, so that its processes can be killed together.
  const worker = Bun.spawn(['setsid', ...command, '--without-gossip', '--without-mingle'], {
    env,
    cwd: folder,
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'ignore',
  })
  workers.push(worker)
  return worker
}

/** Kills a worker and the processes of its pool. */
async function end(worker: Bun.Subprocess): Promise<void> {
  try {
    process.kill(-worker.pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
  await worker.exited
}

/** Runs code that sends tasks, and prints the ids of those that it names. */
async function send(code: string): Promise<string[]> {
  const { code: exit, output, errors } = await runPython(`from tasks import *\n${code}`, env, DEBIAN_PYTHON)
  // A worker may be done with a task before its sender has told the server that the task waits.
  expect([exit, errors.replace(/^Job \S+ has ended: it is completed\.\n/gm, '')]).toEqual([0, ''])
  return output.trim().split('\n')
}

const ended = (id: string) => ada.until(id, ({ endedAt }) => endedAt !== undefined)

describe('report_celery', () => {
  withQueues('shows tasks from when they are sent to their end', async () => {
    const [sent = '', retried = '', failing = '', parent = '', lost = ''] = await send(`
sent = export.apply_async((3,), headers={'milepost': {'title': 'Yearly export', 'metadata': {'year': 2026}}})
for task in (sent, retried.delay(), failing.delay(), parent.delay(), suicidal.delay()): print(task.id)
`)
    const waiting = await ada.read(sent)
    expect([waiting.status, waiting.title, waiting.kind]).toEqual(['pending', 'Yearly export', 'tasks.export'])
    startWorker('one')
    expect(await ended(sent)).toMatchObject({
      status: 'completed',
      title: 'Yearly export',
      metadata: { year: 2026 },
      progress: { done: 3, total: 3, unit: 'rows' },
      logs: [{ level: 'warn', message: 'Exported 3' }],
      timeoutSeconds: 120,
    })
    const again = await ended(retried)
    expect([again.status, again.attempt, again.message, again.logs.length]).toEqual(['completed', 3, 'Try 3', 2])
    expect(again.logs[0]).toMatchObject({ level: 'warn', message: expect.stringContaining('Not yet') })
    const failed = await ended(failing)
    expect([failed.status, failed.message]).toEqual(['failed', 'ValueError: No good'])
    expect((await ended(parent)).progress).toEqual({ done: 2, total: 2 })
    const { jobs } = await ada.json<{ jobs: Job[] }>(200, 'GET', `api/jobs?parent=${parent}`)
    expect(jobs.map(({ kind }) => kind)).toEqual(['tasks.export', 'tasks.export'])
    const killed = await ended(lost)
    expect([killed.status, killed.message]).toEqual(['failed', expect.stringContaining('WorkerLostError')])
  })

  withQueues('cancels the job of a revoked task, and revokes the task of a cancelled job', async () => {
    startWorker('one')
    const [expired = '', terminated = '', cancelled = ''] = await send(`
expired = export.apply_async((3,), expires=0.001, countdown=1)
for task in (expired, endless.delay(), endless.delay()): print(task.id)
`)
    for (const id of [terminated, cancelled]) await ada.until(id, ({ status }) => status === 'running')
    await send(`app.control.revoke('${terminated}', terminate=True)`)
    await ada.operate(cancelled, 'cancel')
    expect((await ended(terminated)).status).toBe('cancelled')
    expect((await ended(cancelled)).status).toBe('cancelled')
    expect((await ended(expired)).message).toBe('Expired before it began')
    // The process that worked on it is free again.
    const [next = ''] = await send('print(export.delay(1).id)')
    expect((await ended(next)).status).toBe('completed')
  })

  withQueues('ends a task at once whose job was cancelled while it waited', async () => {
    const [id = ''] = await send('print(endless.delay().id)')
    await ada.operate(id, 'cancel')
    expect((await ada.read(id)).status).toBe('cancelled')
    startWorker('one')
    const [state] = await send(`
from celery.result import AsyncResult
import celery.exceptions
try: AsyncResult('${id}', app=app).get(timeout=60)
except celery.exceptions.TaskRevokedError: print('revoked')
`)
    expect(state).toBe('revoked')
  })

  withQueues('is in languages.md, whose app reports as it stands', async () => {
    const code =
      (await blocks('server/docs/languages.md', 'python')).find((block) => block.includes('report_celery')) ?? ''
    await writeFile(join(folder, 'tasks.py'), code.replace('redis://localhost', env.REDIS ?? ''))
    startWorker('one')
    const [id = ''] = await send(`
print(export.apply_async((100,), headers={'milepost': {'title': 'Yearly export', 'owner': 'ada'}}).id)
`)
    const { status, title, progress } = await ended(id)
    expect([status, title, progress]).toEqual(['completed', 'Yearly export', { done: 100, total: 100, unit: 'rows' }])
  })

  withQueues('is in README, whose app reports as it stands', async () => {
    const code = (await blocks('README.md', 'python')).find((block) => block.includes('report_celery')) ?? ''
    const task = '@app.task\ndef add(x, y):\n    return x + y\n'
    await writeFile(join(folder, 'tasks.py'), `${code.replace('redis://localhost', env.REDIS ?? '')}\n${task}`)
    startWorker('one')
    const [id = ''] = await send('print(add.delay(1, 2).id)')
    expect(await ended(id)).toMatchObject({ status: 'completed', kind: 'tasks.add' })
  })

  withQueues('leaves no job running when workers are killed at random', async () => {
    const random = new SeededRandom(3)
    let names = 0
    const start = () => startWorker(`w${names++}`)
    let alive = [start(), start()]
    const ids = await send('for n in range(24): print(slow.delay(n).id)')
    const states = () => Promise.all(ids.map(async (id) => (await ada.read(id)).status))
    for (let kills = 0; kills < 5; kills++) {
      // Not before work has begun.
      while (!(await states()).includes('running')) await Bun.sleep(20)
      await Bun.sleep(random.number() * 500)
      const [victim, ...others] = alive
      if (victim) await end(victim)
      alive = [...others, start()]
    }
    for (const id of ids) await ended(id)
    const last = await states()
    expect(last.filter((status) => status === 'completed').length).toBeGreaterThan(12)
    expect(last.filter((status) => status !== 'completed' && status !== 'failed')).toEqual([])
  })
})

describe('RQ', () => {
  withQueues('reports from a job of a real worker, whose process ends without atexit', async () => {
    await writeFile(
      join(folder, 'rq_tasks.py'),
      `
import milepost
from rq import get_current_job
def export(rows):
    with milepost.job('Export', 'rq', id=get_current_job().id):
        for row in milepost.track(range(rows), unit='rows'): pass
`,
    )
    const [id = ''] = await send(`
import redis, rq, rq_tasks
print(rq.Queue(connection=redis.Redis.from_url(os.environ['REDIS'])).enqueue(rq_tasks.export, 3).id)
`)
    const worker = Bun.spawn([DEBIAN_PYTHON, '-m', 'rq.cli', 'worker', '--burst', '--url', env.REDIS ?? ''], {
      env,
      cwd: folder,
      stdout: 'ignore',
      stderr: 'ignore',
    })
    expect(await worker.exited).toBe(0)
    expect(await ada.read(id)).toMatchObject({ status: 'completed', progress: { done: 3, total: 3, unit: 'rows' } })
  })
})
