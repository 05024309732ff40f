import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Job } from '../../shared/document/job.ts'
import { ApiClient } from '../support/api-client.ts'
import { DEBIAN_PYTHON, missingModule, type PythonRun, reporting, runPython } from '../support/python.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'

let server: ServerProcess
let ada: ApiClient

beforeAll(async () => {
  server = await ServerProcess.start()
  ada = new ApiClient(server.url, await accessToken('ada'))
})
afterAll(() => server[Symbol.asyncDispose]())

const missing = missingModule('tqdm')

function withTqdm(name: string, run: () => Promise<void>): void {
  if (missing) test.skip(`${name} (${missing})`, () => {})
  else test(name, run)
}

/** Runs a script, which is the kind of its jobs. */
async function script(name: string, code: string): Promise<PythonRun> {
  const env = await reporting(server.url)
  return runPython(`import sys; sys.argv = ['${name}']\n${code}`, env, DEBIAN_PYTHON)
}

/** The jobs of a script, oldest first. */
async function jobsOf(name: string): Promise<Job[]> {
  const { jobs } = await ada.json<{ jobs: Job[] }>(200, 'GET', `api/jobs?kind=${name}`)
  return Promise.all(jobs.reverse().map(({ id }) => ada.read(id)))
}

/** What a bar shows, without what differs from run to run. */
const settled = (errors: string) =>
  errors
    .replace(/\d\d:\d\d|[0-9.?]+(it|rows)\/s/g, '-')
    .split('\r')
    .at(-1)

describe('tqdm', () => {
  withTqdm('is one changed line: the terminal shows the same, and nested bars are steps', async () => {
    const code = `
for epoch in tqdm(range(3), desc='Train', unit='rows'):
    for batch in tqdm([1, 2], desc=f'Epoch {epoch}', leave=False): pass
with tqdm(total=10, desc='Write: ', unit='B', unit_scale=True) as bar:
    for n in range(4):
        bar.update(2.5)
        bar.set_postfix(loss=n)
for n in trange(2): pass
`
    const plain = await script('plain.py', `from tqdm import tqdm, trange\n${code}`)
    const ours = await script('ours.py', `from milepost import tqdm, trange\n${code}`)
    expect([ours.code, ours.output]).toEqual([0, ''])
    expect(settled(ours.errors)).toEqual(settled(plain.errors))
    const [train, write, range] = await jobsOf('ours.py')
    expect([train?.title, train?.status, train?.progress]).toEqual([
      'Train',
      'completed',
      { done: 3, total: 3, unit: 'rows' },
    ])
    expect(train?.steps.map(({ id, status, done, total }) => [id, status, done, total])).toEqual(
      [0, 1, 2].map((epoch) => [`Epoch ${epoch}`, 'succeeded', 2, 2]),
    )
    expect([write?.title, write?.status, write?.progress]).toEqual([
      'Write',
      'completed',
      { done: 10, total: 10, unit: 'B', message: 'loss=3' },
    ])
    expect([range?.title, range?.status, range?.progress]).toEqual(['ours.py', 'completed', { done: 2, total: 2 }])
  })

  withTqdm('reports bars that are disabled, and shows nothing of them', async () => {
    const run = await script(
      'disabled.py',
      `
from milepost import tqdm
for n in tqdm(range(3), 'One', disable=True): pass
for n in tqdm(range(3), 'Two', disable=None): pass
`,
    )
    expect(run).toEqual({ code: 0, output: '', errors: '' })
    const jobs = await jobsOf('disabled.py')
    expect(jobs.map(({ title, status, progress }) => [title, status, progress.done])).toEqual([
      ['One', 'completed', 3],
      ['Two', 'completed', 3],
    ])
  })

  withTqdm('fails with the exception that ends the script, and is completed by a break', async () => {
    const run = await script(
      'ends.py',
      `
from milepost import tqdm
for n in tqdm(range(5), 'Break'):
    if n == 2: break
with tqdm(total=5) as bar: bar.update(1)
def rows():
    yield 1
    raise ValueError('No rows')
try:
    for n in tqdm(rows(), 'Rows'): pass
except ValueError: pass
bar = tqdm(range(5), 'Dies')
for n in bar:
    if n == 2: raise ValueError('No good')
`,
    )
    expect(run.code).toBe(1)
    const jobs = await jobsOf('ends.py')
    expect(jobs.map(({ title, status, message }) => [title, status, message])).toEqual([
      ['Break', 'completed', 'Stopped at 2 of 5'],
      ['ends.py', 'completed', 'Stopped at 1 of 5'],
      ['Rows', 'failed', 'ValueError: No rows'],
      ['Dies', 'failed', 'ValueError: No good'],
    ])
  })

  withTqdm('has a bounded number of steps, however many bars there are', async () => {
    await script(
      'many.py',
      `
from milepost import tqdm
for n in tqdm(range(200), 'All', disable=True):
    for part in tqdm(range(1), f'Part {n}', disable=True): pass
`,
    )
    const [job] = await jobsOf('many.py')
    expect([job?.status, job?.steps.length, job?.steps.at(-1)]).toEqual([
      'completed',
      51,
      expect.objectContaining({ id: 'bar 1', label: 'Part 199', status: 'succeeded' }),
    ])
  })

  withTqdm('works in asyncio, in threads, and in the job of a block', async () => {
    const run = await script(
      'ways.py',
      `
import asyncio, milepost
from milepost import tqdm
from tqdm.contrib.concurrent import thread_map
async def one(n): return n
async def main():
    assert await tqdm.gather(*map(one, range(4)), desc='Gather', disable=True) == [0, 1, 2, 3]
    async for n in tqdm(range(3), 'For', disable=True): pass
asyncio.run(main())
assert thread_map(abs, range(9), tqdm_class=tqdm, desc='Map', disable=True) == list(range(9))
with milepost.job('Block', 'ways.py'):
    for n in tqdm(range(3), 'In it', disable=True): pass
`,
    )
    expect([run.code, run.errors]).toEqual([0, ''])
    const jobs = await jobsOf('ways.py')
    expect(jobs.map(({ title, status, progress }) => [title, status, progress.done, progress.total])).toEqual([
      ['Gather', 'completed', 4, 4],
      ['For', 'completed', 3, 3],
      ['Map', 'completed', 9, 9],
      ['Block', 'completed', 3, 3],
    ])
  })
})
