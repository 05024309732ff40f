import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { createApp, type Milepost } from '../../server/app.ts'
import { SqliteEngine } from '../../server/engines/sqlite/engine.ts'
import { EngineOpenError } from '../../server/jobs/engine.ts'
import { SeededRandom } from '../seeded-random.ts'
import { SECRET } from '../support/tokens.ts'
import { settle, VirtualClock } from '../virtual-clock.ts'
import { hostileText, mutated } from './requests/hostile.ts'
import { faultOf } from './world/answers.ts'
import { CANARY } from './world/canary.ts'
import { decodeStrictly, within } from './world/made.ts'
import { makeTokens } from './world/tokens.ts'
import { Victim } from './world/victim.ts'

/** A value of the file that is exchanged for another. */
interface Damage {
  table: string
  column: string
  row: number
  value: string | number | null
}

/** What a server makes of a file in which something is not as it was written. */
export interface Outcome {
  /** Files that it refused to open. */
  refused: number
  /** Answers, by their status. */
  statuses: Map<number, number>
}

const numbers = fc.constantFrom(0, -1, 1, 2 ** 31, 2 ** 53 - 1, 9_007_199_254_740_991, 1e308, -1e308)
const texts = fc.oneof(
  fc.constantFrom('', '{', 'null', '[]', '{}', '""', '1', '"', '{"header":null}', '{"header":{}}', '['.repeat(5_000)),
  hostileText,
)

/** Ways to damage a file: any value of any row, JSON of them in one place. */
function damagesOf(path: string): fc.Arbitrary<Damage> {
  const db = new DatabaseSync(path, { readOnly: true })
  const tables = db
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .all() as { name: string }[]
  const damages = tables.flatMap(({ name: table }) => {
    const columns = db.prepare(`SELECT name, type FROM pragma_table_info('${table}')`).all() as {
      name: string
      type: string
    }[]
    const rows = db.prepare(`SELECT * FROM "${table}"`).all() as Record<string, string | number | null>[]
    return rows.flatMap((values, row) =>
      columns.map(({ name: column, type }) => {
        const value = type === 'TEXT' ? fc.oneof(texts, ...changedJson(values[column])) : numbers
        return value.map((value): Damage => ({ table, column, row, value }))
      }),
    )
  })
  db.close()
  return fc.oneof(...damages)
}

/** The JSON of a column, changed in one place: most of what makes a difference. */
function changedJson(text: string | number | null | undefined) {
  if (typeof text !== 'string' || !/^[{["]/.test(text)) return []
  const changed = mutated(fc.constant(JSON.parse(text))).map((value) => JSON.stringify(value) ?? '')
  return [{ weight: 4, arbitrary: changed }]
}

/** @returns whether the file takes the value */
function damage(path: string, { table, column, row, value }: Damage): boolean {
  const db = new DatabaseSync(path)
  try {
    const key =
      (db.prepare(`SELECT name FROM pragma_table_info('${table}') WHERE pk > 0`).get() as { name: string } | undefined)
        ?.name ?? 'rowid'
    const { id } = db.prepare(`SELECT "${key}" AS id FROM "${table}" LIMIT 1 OFFSET ?`).get(row) as {
      id: string | number
    }
    db.prepare(`UPDATE "${table}" SET "${column}" = ? WHERE "${key}" = ?`).run(value, id)
    return true
  } catch {
    // It has to be another type, or of its own.
    return false
  } finally {
    db.close()
  }
}

/** Opens a file as servers do. */
async function serve<T>(path: string, clock: VirtualClock, run: (app: Milepost) => Promise<T>): Promise<T> {
  const engine = await SqliteEngine.open(path)
  const app = createApp({ engine, auth: { secret: SECRET }, clock, random: new SeededRandom(1), onError: () => {} })
  try {
    return await run(app)
  } finally {
    await app.close()
    await engine.close()
  }
}

/** What is asked of a server on a damaged file, of each by its owner, by another, and by who may see everything. */
function requestsFor(job: string): readonly (readonly [method: string, path: string, body?: object])[] {
  return [
    ['GET', job],
    ['GET', `${job}?since=x-1`],
    ['GET', `${job}/progress`],
    [
      'POST',
      `${job}/events`,
      [
        { type: 'item', id: CANARY, status: 'failed' },
        { type: 'log', message: 'm' },
      ],
    ],
    ['POST', `${job}/tokens`, {}],
    ['POST', `${job}/cancel`],
  ]
}

/** @throws Error that shows the request, when an answer is not as it has to be */
async function askForAll(
  app: Milepost,
  clock: VirtualClock,
  tokens: Record<string, string>,
  jobs: string[],
  { statuses }: Outcome,
) {
  const ask = async (as: string, method: string, path: string, body?: object) => {
    const headers = { authorization: `Bearer ${tokens[as]}`, 'content-type': 'application/json' }
    const init = { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) }
    const request = new Request(`http://localhost${path}`, init)
    const made = { request, isAdmin: as !== 'mallory', text: `# as ${as}\n${method} ${path}` }
    const response = await within(app.fetch(request), made)
    const { status, headers: answered } = response
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
    const isStream = answered.get('content-type') === 'text/event-stream'
    const text =
      isStream && response.body
        ? await readSome(response.body)
        : decodeStrictly(await within(response.arrayBuffer(), made), made)
    const asked = { method, path: path.split('?')[0] ?? '', isAdmin: made.isAdmin, mayFail: true }
    const fault = faultOf(asked, { status, headers: answered, text })
    if (fault !== undefined) throw new Error(`${fault}\n\n${made.text}\n\n${status} ${text.slice(0, 2_000)}`)
  }
  for (const as of ['mallory', 'victim', 'operator']) {
    for (const path of ['/api/jobs', '/api/jobs?limit=1', '/api/progress', '/api/sessions', '/metrics', '/readyz'])
      await ask(as, 'GET', path)
    for (const job of jobs) for (const request of requestsFor(job)) await ask(as, ...request)
  }
  await ask('operator', 'GET', '/api/jobs?owner=*')
  // The server does what is due.
  await clock.advance(6_000)
  for (const job of jobs) await ask('operator', 'DELETE', job)
  await ask('mallory', 'DELETE', '/api/jobs')
}

/** What a stream says at first. */
async function readSome(body: ReadableStream<Uint8Array>): Promise<string> {
  const reader = body.getReader()
  const { value } = await reader.read()
  await reader.cancel()
  await settle()
  return new TextDecoder().decode(value)
}

/** Damages copies of a file in one place each, and asks a server on each of them for everything. @throws Error with the smallest damage that fails */
export async function fuzzStored({ seed, files }: { seed: number; files: number }): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'milepost-stored-'))
  const whole = join(folder, 'whole.db')
  const clock = new VirtualClock()
  const tokens = await makeTokens(clock.now())
  const outcome: Outcome = { refused: 0, statuses: new Map() }
  try {
    const paths = await serve(whole, clock, async (app) => {
      const { places } = await new Victim(app, tokens.victim ?? '').begin()
      const { places: own } = await new Victim(app, tokens.mallory ?? '', 'mallory', 'plain').begin()
      const ids = [places, own].flatMap(({ theirs0, theirs1, theirs2 }) => [theirs0, theirs1, theirs2])
      return ids.map((id) => `/api/jobs/${id}`)
    })
    let number = 0
    const property = fc.asyncProperty(damagesOf(whole), async (how) => {
      number += 1
      const path = join(folder, `${number}.db`)
      await copyFile(whole, path)
      if (!damage(path, how)) return
      try {
        const clock = new VirtualClock()
        await serve(path, clock, (app) => askForAll(app, clock, tokens, paths, outcome))
      } catch (error) {
        if (!(error instanceof EngineOpenError)) throw error
        outcome.refused += 1
      }
    })
    await fc.assert(property, { seed, numRuns: files })
  } finally {
    await rm(folder, { recursive: true })
  }
  return outcome
}
