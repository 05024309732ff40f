import { expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SqliteEngine } from '../../server/engines/sqlite.ts'
import { LiveJob } from '../../shared/live-job.ts'
import { newDocument, placed } from '../arbitraries.ts'
import { documentOf, newJob } from '../conformance/fixtures.ts'
import { SeededRandom } from '../seeded-random.ts'
import { batchAfter } from './sqlite-publisher.ts'

const KILLS = 60
const JOBS = ['a', 'b', 'c', 'd']
const NEW_JOBS = JSON.stringify(JOBS.map((id) => newJob({ id })))
const PUBLISHER = join(import.meta.dir, 'sqlite-publisher.ts')

/** Lets a publisher go until it has printed so many lines, kills it, and answers all that it printed. */
async function publishAndKill(path: string, lines: number): Promise<[job: string, version: number][]> {
  const child = Bun.spawn([process.execPath, PUBLISHER, path, NEW_JOBS], { stdio: ['ignore', 'pipe', 'pipe'] })
  const printed: [string, number][] = []
  let rest = ''
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const whole = (rest + text).split('\n')
    rest = whole.pop() ?? ''
    for (const line of whole) {
      const [job = '', version] = line.split(' ')
      printed.push([job, Number(version)])
    }
    if (printed.length >= lines) child.kill('SIGKILL')
  }
  await child.exited
  expect(await new Response(child.stderr).text()).toBe('')
  expect(child.signalCode).toBe('SIGKILL')
  return printed
}

/** Takes a document on to a version, batch by batch; throws where no batch ends there. */
function foldTo(live: LiveJob, version: number): void {
  while (live.job.version < version) {
    const { events, at } = batchAfter(live.job.version)
    for (const event of placed(events, live.job.version + 1)) live.applyEvent({ ...event, at })
  }
  if (live.job.version !== version) throw new Error(`Version ${version} is within a batch`)
}

test('SqliteEngine has every acknowledged event, and no part of a batch, after kill -9', async () => {
  const random = new SeededRandom(20_260_101)
  const folder = await mkdtemp(join(tmpdir(), 'milepost-'))
  const path = join(folder, 'milepost.db')
  const acknowledged = new Map<string, number>()
  const expected = new Map(JOBS.map((id) => [id, new LiveJob(newDocument({ id }))]))
  for (let kill = 0; kill < KILLS; kill++) {
    // From before the file is open to long after.
    for (const [job, version] of await publishAndKill(path, random.below(2) * random.below(600) + random.below(12))) {
      // What a publisher finds is what the one before was told, or what it was about to be told.
      if (version < (acknowledged.get(job) ?? 0)) throw new Error(`${job} went back to ${version}`)
      acknowledged.set(job, version)
    }
    // Now and then the next publisher finds the file as the killed one left it.
    if (random.chance(0.4)) continue
    const engine = await SqliteEngine.open(path)
    for (const [id, live] of expected) {
      if (!acknowledged.has(id)) continue
      const document = await documentOf(engine, id)
      expect(document.version).toBeGreaterThanOrEqual(acknowledged.get(id) ?? 0)
      foldTo(live, document.version)
      expect(document).toEqual(live.job)
    }
    await engine.close()
  }
  expect(Math.min(...JOBS.map((job) => acknowledged.get(job) ?? 0))).toBeGreaterThan(500)
  await rm(folder, { recursive: true })
}, 120_000)

test('SqliteEngine opens a file whose maker was killed while it made it', async () => {
  const random = new SeededRandom(20_260_102)
  const folder = await mkdtemp(join(tmpdir(), 'milepost-'))
  for (let kill = 0; kill < 20; kill++) {
    const path = join(folder, `${kill}`, 'milepost.db')
    const acknowledged = new Map(await publishAndKill(path, 1 + random.below(4)))
    const engine = await SqliteEngine.open(path)
    for (const id of JOBS) {
      const version = (await engine.read(id))?.header.version ?? 0
      expect(version).toBeGreaterThanOrEqual(acknowledged.get(id) ?? 0)
    }
    expect(await engine.check()).toBeUndefined()
    await engine.close()
  }
  await rm(folder, { recursive: true })
}, 60_000)
