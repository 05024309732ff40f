import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { ApiClient } from '../support/api-client.ts'
import { reporting, runPython, startPython } from '../support/python.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'

let server: ServerProcess
let ada: ApiClient
let env: Record<string, string>

beforeAll(async () => {
  server = await ServerProcess.start()
  ada = new ApiClient(server.url, await accessToken('ada'))
  env = await reporting(server.url)
})
afterAll(() => server[Symbol.asyncDispose]())

/** Waits until a job asks something, and answers. */
async function answer(id: string, ask: string, value: unknown): Promise<void> {
  await ada.until(id, ({ asks }) => asks?.some((one) => one.id === ask) ?? false)
  await ada.json(202, 'POST', `api/jobs/${id}/answers/${ask}`, { value })
}

describe('Job.ask', () => {
  test('waits for the answer of the owner, while heartbeats go on', async () => {
    const work = startPython(
      `
import milepost
with milepost.job('Asks', id='asks', heartbeat_seconds=1) as job:
    print(job.ask('Deploy?', id='go'))
    when = {'type': 'string', 'enum': ['now', 'tonight']}
    print(job.ask('When?', {'type': 'object', 'properties': {'when': when}, 'required': ['when']}, id='when'))
    # As a later try would.
    print(job.ask('Deploy?', id='go'))
    print(job.ask('Is anybody there?', timeout=0.01), job.ask('?', {'type': 'nonsense'}))
print(milepost.job('Waits', id='waits', heartbeat_seconds=1).ask('Start?', id='start'))
`,
      env,
    )
    const asked = await ada.until('asks', ({ openAsks }) => openAsks === 1)
    // Heartbeats, or nobody would hear of the answer.
    await ada.until('asks', ({ version }) => version >= asked.version + 2)
    await answer('asks', 'go', false)
    await answer('asks', 'when', { when: 'tonight' })
    await answer('waits', 'start', true)
    const [output, errors] = await Promise.all([new Response(work.stdout).text(), new Response(work.stderr).text()])
    expect(output.split('\n')).toEqual(['False', "{'when': 'tonight'}", 'False', 'None None', 'True', ''])
    expect(errors).toMatch(/^A ask event of job asks was not taken: .*\n$/)
    expect((await ada.read('waits')).status).toBe('pending')
  })

  test('ends with a cancel, with the job, with the reporter, and when its time is over', async () => {
    const cancelled = startPython(
      `
import milepost, threading
try:
    with milepost.job('Cancelled', id='ask-1', heartbeat_seconds=1) as job: job.ask('Deploy?')
except milepost.Cancelled:
    print('Cancelled')
with milepost.job('Acts on it', id='ask-2', heartbeat_seconds=1) as job:
    job.on_cancel = lambda: None
    print(job.ask('Deploy?'))
    job.cancel()
with milepost.job('Completed', id='ask-3') as job:
    threading.Timer(0.1, job.complete).start()
    print(job.ask('Deploy?'))
job = milepost.job('Closed', id='ask-4')
threading.Timer(0.1, milepost._reporter.default_reporter().close).start()
print(job.ask('Deploy?'), job.ask('Deploy?'))
`,
      env,
    )
    const expired = startPython(
      `
import asyncio, datetime, milepost
async def main():
    async with milepost.job('Expires', id='ask-5', heartbeat_seconds=1) as job:
        soon = datetime.datetime.now() + datetime.timedelta(seconds=1)
        left = asyncio.create_task(job.ask_async('Nobody waits for it?'))
        print(*await asyncio.gather(
            job.ask_async('Who?', {'type': 'string'}, id='who'), job.ask_async('Soon?', expires_at=soon),
            job.ask_async('At once?', timeout=0.01)))
        left.cancel()
asyncio.run(main())
`,
      env,
    )
    for (const id of ['ask-1', 'ask-2']) {
      await ada.until(id, ({ openAsks }) => openAsks === 1)
      await ada.operate(id, 'cancel')
    }
    await answer('ask-5', 'who', 'Ada')
    expect(await new Response(cancelled.stdout).text()).toBe('Cancelled\nNone\nNone\nNone None\n')
    // Of a job that has ended nothing more is asked, which the server would refuse.
    expect(await new Response(cancelled.stderr).text()).toBe('')
    expect(await new Response(expired.stdout).text()).toBe('Ada None None\n')
    const statuses = ['ask-1', 'ask-2', 'ask-3', 'ask-4', 'ask-5'].map(async (id) => (await ada.read(id)).status)
    expect(await Promise.all(statuses)).toEqual(['cancelled', 'cancelled', 'completed', 'pending', 'completed'])
    expect((await ada.read('ask-5')).asks?.map(({ expired }) => expired)).toContain(true)
  })
})

describe('Job.fork', () => {
  test('creates a child of the same kind and owner', async () => {
    const token = await accessToken('ada', 'jobs:read jobs:write jobs:assign')
    const { code, errors } = await runPython(
      `
import milepost
with milepost.job('Whole', 'export', id='whole', owner='bob') as job:
    with job.fork('Part', id='part') as part: part.progress(1)
    job.fork('Own', 'import', id='own', owner='ada', metadata={'n': 2})
`,
      { ...env, MILEPOST_TOKEN: token },
    )
    expect([code, errors]).toEqual([0, ''])
    const { kind, owner, parentId, status } = await ada.read('part')
    expect([kind, owner, parentId, status]).toEqual(['export', 'bob', 'whole', 'completed'])
    expect(await ada.read('own')).toMatchObject({ kind: 'import', owner: 'ada', parentId: 'whole', metadata: { n: 2 } })
  })
})
