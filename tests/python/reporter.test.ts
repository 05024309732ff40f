import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { eventSchema } from '../../shared/document/events.ts'
import type { Job } from '../../shared/document/job.ts'
import { ApiClient } from '../support/api-client.ts'
import { reporting, runPython, startPython } from '../support/python.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'

let server: ServerProcess
let ada: ApiClient
let env: Record<string, string>

beforeAll(async () => {
  server = await ServerProcess.start({ MILEPOST_BATCH_EVENTS: '50' })
  ada = new ApiClient(server.url, await accessToken('ada'))
  env = await reporting(server.url)
})
afterAll(() => server[Symbol.asyncDispose]())

/** The only job of a kind. */
async function only(kind: string): Promise<Job> {
  const { jobs } = await ada.json<{ jobs: Job[] }>(200, 'GET', `api/jobs?kind=${kind}`)
  expect(jobs).toHaveLength(1)
  return ada.read(jobs[0]?.id ?? '')
}

describe('Job', () => {
  test('reports everything that a job has, whatever the fields are', async () => {
    const { code, errors } = await runPython(
      `
import datetime, milepost
with milepost.job('Everything', 'test', id='everything', metadata={'a': [1]}, timeout_seconds=60) as job:
    job.progress(1, 4, succeeded=1, failed=0, unit='rows', message='First')
    job.progress(2.5)
    job.step('read', 'running', label='Read', done=1, total=2)
    job.item('a.csv', 'failed', label='A', error='e' * 9_000)
    job.error('Skipped', code='E1', item_id='a.csv')
    job.log('L\\u00fcbeck \\ud800', 'warn')
    job.status('running', title='All', metadata={'when': datetime.date(2026, 1, 2)})
    job.complete('Done', result={'rows': 4})
    job.log('too late')
    assert job.dropped == 1
`,
      env,
    )
    expect([code, errors]).toEqual([0, ''])
    const job = await ada.read('everything')
    expect(job).toMatchObject({
      status: 'completed',
      title: 'All',
      kind: 'test',
      message: 'Done',
      result: { rows: 4 },
      metadata: { when: '2026-01-02' },
      progress: { done: 2.5, total: 4, succeeded: 1, failed: 0, unit: 'rows', message: 'First' },
      heartbeatSeconds: 60,
      timeoutSeconds: 60,
      errors: [{ message: 'Skipped', code: 'E1', itemId: 'a.csv' }],
      logs: [{ message: 'Lübeck \ufffd', level: 'warn' }],
      steps: [{ id: 'read', label: 'Read', done: 1, total: 2 }],
    })
    expect(job.items[0]?.error).toBe('e'.repeat(8_192))
  })

  test('has a parameter for each field of an event', async () => {
    const { output } = await runPython(
      `
import inspect, json, milepost
print(json.dumps({name: list(inspect.signature(getattr(milepost.Job, name)).parameters)
                  for name in ('progress', 'status', 'item', 'step', 'error', 'log', 'ask', 'ask_async')}))
`,
      env,
    )
    const methods = JSON.parse(output) as Record<string, string[]>
    // How long the work waits is no field of an event.
    const more: Record<string, string[]> = { ask: ['timeout'] }
    expect(methods.ask_async).toEqual(methods.ask)
    for (const option of eventSchema.options) {
      const { type, ...fields } = option.shape
      const names = Object.keys(fields).map((name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`))
      names.push(...(more[type.value] ?? []))
      expect([type.value, methods[type.value]?.slice(1).sort()]).toEqual([type.value, names.sort()])
    }
  })

  test('sends of what waits only the newest progress, and moves none across a status', async () => {
    const { code, errors } = await runPython(
      `
import milepost
with milepost.job('Merged', id='merged') as job:
    job.flush()
    job.progress(1, 9)
    job.progress(2, message='Two')
    job.status('paused')
    for n in range(3, 6): job.progress(n)
`,
      env,
    )
    expect([code, errors]).toEqual([0, ''])
    const { version, progress } = await ada.read('merged')
    // The creation, running, progress, paused, progress, completed.
    expect([version, progress]).toEqual([6, { done: 5, total: 9, message: 'Two' }])
  })

  test('drops only the event that the server or JSON refuses, and tells of it once', async () => {
    const { code, errors } = await runPython(
      `
import milepost
with milepost.job('Wrong', id='wrong') as job:
    for n in range(120):
        job.log(f'{n}')
        if n in (7, 77): job.item('x', 'nonsense')
    loop = []; loop.append(loop)
    job.status('running', message='The rest of it', result=loop)
    job.progress(float('nan'))
    class Odd:
        def __str__(self): raise ValueError('odd')
    job.complete(result=Odd())
assert job.dropped == 3, job.dropped
`,
      env,
    )
    expect([code, errors]).toEqual([0, expect.stringMatching(/^A status event of job wrong was not taken: .*\n$/)])
    const job = await ada.read('wrong')
    expect(job.logs.map(({ message }) => message)).toEqual(Array.from({ length: 120 }, (_, n) => `${n}`))
    expect(job.status).toBe('completed')
  })

  test('fails with the exception that leaves its block, and is cancelled by an interrupt', async () => {
    const code = `
import milepost, sys
with milepost.job('Fails', id=sys.argv[1]):
    raise eval(sys.argv[2])
`
    const run = async (id: string, error: string) => {
      const program = startPython(code.replace('sys.argv[1]', `'${id}'`).replace('sys.argv[2]', `'${error}'`), env)
      await program.exited
      const { status, message } = await ada.read(id)
      return [status, message]
    }
    expect(await run('fails-1', 'ValueError(3)')).toEqual(['failed', 'ValueError: 3'])
    expect(await run('fails-2', 'KeyboardInterrupt()')).toEqual(['cancelled', 'Interrupted'])
    expect(await run('fails-3', 'SystemExit(0)')).toEqual(['completed', undefined])
    expect(await run('fails-4', 'SystemExit(2)')).toEqual(['failed', 'SystemExit: 2'])
  })

  test('is told of a cancel while it says nothing, by its heartbeats', async () => {
    const work = startPython(
      `
import milepost, time
with milepost.job('Silent', id='silent', heartbeat_seconds=1) as job:
    while not job.cancel_requested: time.sleep(0.01)
    job.cancel('As you wish')
`,
      env,
    )
    await ada.until('silent', ({ status }) => status === 'running')
    await ada.operate('silent', 'cancel')
    expect(await work.exited).toBe(0)
    expect(await ada.read('silent')).toMatchObject({ status: 'cancelled', message: 'As you wish' })
  })

  test('of a killed process is failed by the server, because its time is over', async () => {
    const work = startPython(
      `
import milepost, time
with milepost.job('Killed', id='killed', timeout_seconds=3):
    time.sleep(600)
`,
      env,
    )
    await ada.until('killed', ({ status }) => status === 'running')
    work.kill('SIGKILL')
    const job = await ada.until('killed', ({ status }) => status !== 'running')
    expect([job.status, job.message]).toEqual(['failed', 'Not done within 3 seconds'])
  })

  test('is one job for threads, and each asyncio task has its own', async () => {
    const { code, errors } = await runPython(
      `
import asyncio, logging, milepost, threading
logging.basicConfig(level=logging.INFO, format='%(message)s', handlers=[milepost.LogHandler()])
with milepost.job('Threads', id='threads') as job:
    def work(name):
        for n in range(100): job.item(f'{name}-{n}', 'succeeded')
    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()

async def rows():
    for n in range(5):
        await asyncio.sleep(0)
        yield n
async def task(name):
    async with milepost.job(name, id=f'task-{name}'):
        async for n in milepost.track(rows(), total=5): logging.info('%s %d', name, n)
async def main():
    await asyncio.gather(task('a'), task('b'))
asyncio.run(main())
`,
      env,
    )
    expect([code, errors]).toEqual([0, ''])
    expect((await ada.read('threads')).itemCounts.succeeded).toBe(800)
    for (const name of ['a', 'b']) {
      const { progress, logs, status } = await ada.read(`task-${name}`)
      expect([status, progress]).toEqual(['completed', { done: 5, total: 5 }])
      expect(logs.map(({ message }) => message)).toEqual([0, 1, 2, 3, 4].map((n) => `${name} ${n}`))
    }
  })

  test('is the job of forked processes too, which send what they report, once', async () => {
    const { code, errors } = await runPython(
      `
import milepost, multiprocessing, os
def work(n):
    milepost.current_job().item(f'pool-{n}', 'succeeded')
multiprocessing.set_start_method('fork')
with milepost.job('Forks', id='forks') as job:
    job.log('before')
    with multiprocessing.Pool(3) as pool:
        pool.map(work, range(30), chunksize=1)
        pool.close(); pool.join()
    for n in range(3):
        if os.fork() == 0:
            job.log(f'child {n}')
            job.flush()
            os._exit(0)
    for n in range(3): os.wait()
    job.log('after')
`,
      env,
    )
    expect([code, errors]).toEqual([0, ''])
    const { itemCounts, logs, status } = await ada.read('forks')
    expect([status, itemCounts.succeeded]).toEqual(['completed', 30])
    expect(logs.map(({ message }) => message).sort()).toEqual(['after', 'before', 'child 0', 'child 1', 'child 2'])
  })
})

describe('Reporter', () => {
  test('imports nothing in its thread: a process that is forked meanwhile would not have it', async () => {
    const { code, errors } = await runPython(
      `
import milepost, sys
before = set(sys.modules)
with milepost.job('Imports') as job: job.log('a')
milepost.flush()
milepost._reporter._default.close()
assert set(sys.modules) == before, set(sys.modules) - before
`,
      env,
    )
    expect([code, errors]).toEqual([0, ''])
  })
})

describe('track', () => {
  test('is the progress of a job, with steps for loops inside it', async () => {
    const { code, errors } = await runPython(
      `
import sys; sys.argv = ['/opt/my-cli.py']
from milepost import track
for file in track(['a', 'b'], 'Files', unit='files'):
    for row in track(range(3), f'Rows of {file}'): pass
for row in track(range(3), 'Second'):
    if row == 1: break
`,
      env,
    )
    expect([code, errors]).toEqual([0, ''])
    const { jobs } = await ada.json<{ jobs: Job[] }>(200, 'GET', 'api/jobs?kind=my-cli.py')
    expect(jobs.map(({ title, status, message, progress }) => [title, status, message, progress])).toEqual([
      ['Second', 'completed', 'Stopped at 1 of 3', { done: 1, total: 3 }],
      ['Files', 'completed', undefined, { done: 2, total: 2, unit: 'files' }],
    ])
    const { steps } = await ada.read(jobs[1]?.id ?? '')
    expect(steps.map(({ id, status, done, total }) => [id, status, done, total])).toEqual([
      ['Rows of a', 'succeeded', 3, 3],
      ['Rows of b', 'succeeded', 3, 3],
    ])
  })

  test('fails with an exception that nothing catches, and the program ends as before', async () => {
    const run = await runPython(
      `
import sys; sys.argv = ['dies.py']
from milepost import track
for row in track(range(3)):
    for part in track(range(3), 'Parts'):
        if part == 2: raise ValueError('No good')
`,
      env,
    )
    expect([run.code, run.errors]).toEqual([1, expect.stringContaining('ValueError: No good')])
    const { status, message, steps } = await only('dies.py')
    expect([status, message, steps[0]?.status]).toEqual(['failed', 'ValueError: No good', 'failed'])
  })

  test('raises Cancelled when a watcher cancels, as Ctrl-C would', async () => {
    const work = startPython(
      `
import milepost, sys, time
try:
    with milepost.job('Endless', id='endless', heartbeat_seconds=1):
        for n in milepost.track(range(10**9)): time.sleep(0.001)
except KeyboardInterrupt as error:
    print(type(error).__name__)
`,
      env,
    )
    await ada.until('endless', ({ progress }) => progress.total === 10 ** 9)
    await ada.operate('endless', 'cancel')
    expect(await new Response(work.stdout).text()).toBe('Cancelled\n')
    expect((await ada.read('endless')).status).toBe('cancelled')
  })
})
