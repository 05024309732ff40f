import { expect, test } from 'bun:test'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Job } from '../../shared/document/job.ts'
import { ApiClient } from '../support/api-client.ts'
import { onDeno } from '../support/on-deno.ts'
import { type Launch, onBun, ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'

/** The library that shifts a process's wall clock: Debian's package `faketime`. */
async function findLibrary(): Promise<string> {
  for (const folder of await readdir('/usr/lib')) {
    const path = `/usr/lib/${folder}/faketime/libfaketimeMT.so.1`
    if (await Bun.file(path).exists()) return path
  }
  throw new Error('Install the package "faketime"')
}

/** A wall clock for servers, which a test can set: seconds from the real one. */
async function createClock() {
  const folder = await mkdtemp(join(tmpdir(), 'milepost-clock-'))
  const shift = join(folder, 'shift')
  const set = (seconds: number) => writeFile(shift, `${seconds < 0 ? '' : '+'}${seconds}`)
  await set(0)
  const env = {
    LD_PRELOAD: await findLibrary(),
    FAKETIME_TIMESTAMP_FILE: shift,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    DONT_FAKE_MONOTONIC: '1',
  }
  return { set, env, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) }
}

/** Longer than the server waits between two looks at what is due: milliseconds. */
const STEP_MS = 6_000

test.each([7_200, -7_200])(
  'a wall clock that is %p seconds off for a while ends, removes and forgets nothing',
  async (step) => {
    await using clock = await createClock()
    await using server = await ServerProcess.start({ ...clock.env, MILEPOST_RETENTION_SECONDS: '3600' })
    const ada = new ApiClient(server.url, await accessToken('ada'))
    const running = await ada.create({ timeoutSeconds: 3_600 })
    await ada.publish(running.id, { type: 'status', status: 'running' })
    const ended = await ada.create()
    await ada.publish(ended.id, { type: 'status', status: 'completed' })
    const report = (message: string) =>
      ada.request('POST', `api/jobs/${running.id}/events`, { type: 'log', message }, { 'idempotency-key': message })
    expect((await report('before')).status).toBe(200)

    await clock.set(step)
    expect((await report('meanwhile')).status).toBe(200)
    await Bun.sleep(STEP_MS)
    // The wall clock of the process is really off: Bun dates its answers by it, a second late.
    const dated = (await fetch(`${server.url}healthz`)).headers.get('date') ?? ''
    expect(Math.abs(Date.parse(dated) - Date.now() - step * 1_000)).toBeLessThan(600_000)
    // What clients read the time from is not.
    const polled = (await ada.request('GET', `api/jobs/${running.id}`)).headers.get('date') ?? ''
    expect(Math.abs(Date.parse(polled) - Date.now())).toBeLessThan(600_000)
    await clock.set(0)
    for (const message of ['before', 'meanwhile']) expect((await report(message)).status).toBe(200)
    await Bun.sleep(STEP_MS)

    const job: Job = await ada.read(running.id)
    expect([job.status, job.logs.map(({ message }) => message)]).toEqual(['running', ['before', 'meanwhile']])
    expect(Math.abs(Date.parse(job.lastEventAt) - Date.now())).toBeLessThan(600_000)
    expect((await ada.read(ended.id)).status).toBe('completed')
  },
)

const launches: [string, Launch][] = [
  ['SQLite on Bun', onBun],
  ['Deno KV', onDeno('deno-kv')],
]
test.each(launches)(
  'a server that was away for a day knows the keys of before it, with %s',
  async (_, launch) => {
    await using clock = await createClock()
    await using server = await ServerProcess.start(clock.env, launch)
    const ada = new ApiClient(
      server.url,
      await accessToken('ada', undefined, { exp: Math.floor(Date.now() / 1_000) + 7 * 86_400 }),
    )
    const { id } = await ada.create()
    const report = (key: string) =>
      ada.request('POST', `api/jobs/${id}/events`, { type: 'log', message: key }, { 'idempotency-key': key })
    expect((await report('before')).status).toBe(200)

    await server.kill()
    await clock.set(86_400)
    await server.restart()
    // New keys are what a store clears old ones away with.
    for (const key of ['after', 'later', 'before']) expect((await report(key)).status).toBe(200)
    const { logs }: Job = await ada.read(id)
    expect(logs.map(({ message }) => message)).toEqual(['before', 'after', 'later'])
    expect(Date.parse(logs[1]?.at ?? '') - Date.parse(logs[0]?.at ?? '')).toBeGreaterThan(80_000_000)
  },
  30_000,
)
