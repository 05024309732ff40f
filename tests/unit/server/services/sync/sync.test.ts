import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { setJobEvents } from '../../../../../server/jobs/emitter.ts'
import { digestOfStream } from '../../../../../server/services/kit/digest.ts'
import { syncTrees } from '../../../../../server/services/sync/sync.ts'
import {
  MemoryTree,
  type Tree,
  type TreeEntry,
  type TreeFile,
  TreeRefusal,
} from '../../../../../server/services/sync/tree.ts'
import { backOff } from '../../../../../shared/time/backoff.ts'
import { SeededRandom } from '../../../../seeded-random.ts'
import { VirtualClock } from '../../../../virtual-clock.ts'
import { finish, Recorder, until } from '../recorder.ts'

const jobId = 'job'
const ROOM = { treeBytes: 1_000_000, fileBytes: 1_000_000 }

function treeOf(name: string, files: Record<string, string>, limits = ROOM): MemoryTree {
  return new MemoryTree(
    name,
    Object.entries(files).map(([path, text]) => [path, new Blob([text])] as const),
    limits,
  )
}

/** What a tree holds, by path. */
async function contents(tree: Tree): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for await (const { path } of tree.list()) found[path] = await new Response((await tree.read(path)).content).text()
  return found
}

/** A tree in which things go wrong as `fault` says, before they go right. */
class FaultyTree implements Tree {
  readonly name: string
  readonly calls: string[] = []
  readonly #tree: Tree
  readonly #fault: (call: string) => unknown

  constructor(tree: Tree, fault: (call: string) => unknown) {
    this.name = tree.name
    this.#tree = tree
    this.#fault = fault
  }

  list(): AsyncIterable<TreeEntry> {
    return this.#tree.list()
  }

  async read(path: string): Promise<TreeFile> {
    await this.#call(`read ${path}`)
    return this.#tree.read(path)
  }

  async write(path: string, content: ReadableStream<Uint8Array>): Promise<void> {
    await this.#call(`write ${path}`)
    return this.#tree.write(path, content)
  }

  async #call(call: string): Promise<void> {
    this.calls.push(call)
    const error = await this.#fault(call)
    if (error) throw error
  }
}

/** Fails the first so many calls of each kind. */
function failFirst(times: number, calls = /./): (call: string) => unknown {
  const failures = new Map<string, number>()
  return (call) => {
    const before = failures.get(call) ?? 0
    if (!calls.test(call) || before >= times) return undefined
    failures.set(call, before + 1)
    return new Error('The line is down')
  }
}

let recorder: Recorder
let clock: VirtualClock
beforeEach(() => {
  recorder = new Recorder()
  clock = new VirtualClock()
})
afterEach(() => setJobEvents(undefined))

describe('syncTrees', () => {
  test('syncTrees copies what is missing and what differs, skips what is equal and leaves alone what only the target has', async () => {
    const source = treeOf('photos', { 'a.jpg': 'AAAA', 'b.jpg': 'BBBB', 'c.jpg': 'CCCC', 'd/e.jpg': 'E' })
    const target = treeOf('nas', { 'a.jpg': 'AAAA', 'b.jpg': 'bbbb', 'c.jpg': 'C', 'old.jpg': 'O' })
    expect(await syncTrees(source, target, { jobId, clock })).toEqual({
      files: 4,
      copied: 3,
      skipped: 1,
      failed: 0,
      leftOut: 0,
      bytesCopied: 9,
      extra: 1,
      failures: [],
    })
    expect(await contents(target)).toEqual({ ...(await contents(source)), 'old.jpg': 'O' })
    expect(recorder.statuses()).toEqual({
      'a.jpg': 'skipped',
      'b.jpg': 'succeeded',
      'c.jpg': 'succeeded',
      'd/e.jpg': 'succeeded',
    })
    expect(recorder.steps()).toEqual({
      compare: 'succeeded',
      copy: 'succeeded',
      verify: 'succeeded',
      report: 'succeeded',
    })
    expect(recorder.document()).toMatchObject({
      status: 'pending',
      progress: { done: 4, total: 4, succeeded: 3, failed: 0, unit: 'files', message: '9\u00a0bytes sent' },
      itemCounts: { pending: 0, running: 0, succeeded: 3, failed: 0, skipped: 1 },
      errorCount: 0,
    })
    expect(recorder.document().logs.map(({ message }) => message)).toEqual([
      '“photos” has 4 files, “nas” 4',
      '3 files to copy, 9\u00a0bytes, 4 at once',
      'd/ done',
      '3 files copied, 9\u00a0bytes; 1 skipped, 0 failed',
      '1 file only in “nas”, left alone',
    ])
  })

  test('syncTrees makes the target what the source is, whatever fails on the way', async () => {
    const files = fc.dictionary(fc.constantFrom('a', 'b', 'c/d', 'c/e', 'ü'), fc.string({ maxLength: 40 }))
    const faults = fc.record({ target: fc.nat(3), source: fc.nat(3), concurrency: fc.integer({ min: 1, max: 5 }) })
    await fc.assert(
      fc.asyncProperty(files, files, faults, async (from, to, { concurrency, ...times }) => {
        const clock = new VirtualClock()
        recorder = new Recorder()
        const target = treeOf('target', to)
        const source = new FaultyTree(treeOf('source', from), failFirst(times.source, /^read/))
        const faulty = new FaultyTree(target, failFirst(times.target, /^write/))
        const random = new SeededRandom(7)
        const sync = syncTrees(source, faulty, { jobId, clock, random, concurrency, retries: 6 })
        const { failed, copied, skipped } = await finish(sync, clock)
        expect(await contents(target)).toEqual({ ...to, ...from })
        expect([failed, copied + skipped]).toEqual([0, Object.keys(from).length])
        expect(recorder.document().itemCounts).toMatchObject({ succeeded: copied, skipped })
        expect(clock.pending).toBe(0)
      }),
      { numRuns: 60 },
    )
  })

  test('syncTrees waits between tries for as long as its clock and its chance say', async () => {
    const target = new FaultyTree(treeOf('target', {}), failFirst(2, /^write/))
    const start = clock.now()
    const sync = syncTrees(treeOf('source', { a: 'A' }), target, { jobId, clock, random: new SeededRandom(5) })
    expect(await finish(sync, clock)).toMatchObject({ copied: 1 })
    const random = new SeededRandom(5)
    const pauseAfter = (failures: number) => Math.round(backOff(failures, 250, 10_000, random.number()))
    expect(clock.now() - start).toBe(pauseAfter(1) + pauseAfter(2))
    expect(recorder.item('a')).toMatchObject({ status: 'succeeded', progress: 100, message: '1\u00a0byte, 3 tries' })
    expect(recorder.document().logs.filter(({ level }) => level === 'warn')).toHaveLength(2)
    expect(clock.pending).toBe(0)
  })

  test('syncTrees gives a file up after its last try, and goes on with the others', async () => {
    const target = new FaultyTree(treeOf('target', {}), failFirst(99, /^write b/))
    const sync = syncTrees(treeOf('source', { a: 'A', b: 'B', c: 'C' }), target, { jobId, clock, retries: 3 })
    expect(await finish(sync, clock)).toMatchObject({
      copied: 2,
      failed: 1,
      failures: [{ path: 'b', reason: 'The line is down' }],
    })
    expect(target.calls.filter((call) => call === 'write b')).toHaveLength(4)
    expect(recorder.item('b')).toMatchObject({ status: 'failed', error: 'The line is down', message: '4 tries' })
    expect(recorder.document().errors).toMatchObject([{ message: 'b: The line is down', itemId: 'b' }])
  })

  test('syncTrees does not try again what the target refuses for good', async () => {
    const target = treeOf('shelf', {}, { treeBytes: 1_000, fileBytes: 5 })
    const source = treeOf('source', { small: '12345', large: '123456' })
    expect(await syncTrees(source, target, { jobId, clock })).toMatchObject({ copied: 1, failed: 1 })
    expect(recorder.item('large')).toMatchObject({
      status: 'failed',
      message: '1 try',
      error: '“shelf” takes no file over 5\u00a0bytes',
    })
    expect(await contents(target)).toEqual({ small: '12345' })
  })

  test('syncTrees copies again what it does not read back as it was', async () => {
    const target = treeOf('target', {})
    let writes = 0
    const corrupting: Tree = {
      name: 'target',
      list: () => target.list(),
      read: (path) => target.read(path),
      write: async (path, content) => {
        const bytes = new Uint8Array(await new Response(content).arrayBuffer())
        writes += 1
        if (writes === 1) bytes.fill(0)
        await target.write(path, new Blob([bytes]).stream())
      },
    }
    const sync = syncTrees(treeOf('source', { a: 'AAAA' }), corrupting, { jobId, clock })
    expect(await finish(sync, clock)).toMatchObject({ copied: 1, failed: 0 })
    expect(await contents(target)).toEqual({ a: 'AAAA' })
    expect(recorder.document().logs[2]?.message).toStartWith('a: The copy differs from the source. Trying again in ')
  })

  test('syncTrees says of a file that changes while it is read that it does', async () => {
    const tree = treeOf('source', { a: 'longer than listed', b: 'B' })
    const source = new FaultyTree(tree, () => undefined)
    source.list = async function* () {
      for await (const entry of tree.list()) yield entry.path === 'a' ? { ...entry, size: 3 } : entry
    }
    const result = await syncTrees(source, treeOf('target', {}), { jobId, clock })
    expect(result.failures).toEqual([{ path: 'a', reason: 'It changed while it was being read' }])
  })

  test('syncTrees skips what is no file, with the reason', async () => {
    const source = new FaultyTree(treeOf('source', {}), () => undefined)
    source.list = async function* () {
      yield { path: 'link', size: 0, unsupported: 'A symbolic link, not followed' }
    }
    const problems: string[] = []
    const onProblem = (path: string, reason: string) => problems.push(`${path}: ${reason}`)
    const result = await syncTrees(source, treeOf('target', {}), { jobId, clock, onProblem })
    expect(result).toMatchObject({ skipped: 1, failed: 0, leftOut: 1 })
    expect(recorder.item('link')).toMatchObject({ status: 'skipped', message: 'A symbolic link, not followed' })
    expect(recorder.document().logs.at(-1)?.message).toBe('1 of those skipped left out: the items say why')
    expect([source.calls, problems]).toEqual([[], ['link: A symbolic link, not followed']])
  })

  test('syncTrees says nothing that could move the cursor of who reads it, however files are called', async () => {
    const evil = 'x\u001b[2J\r\ny'
    const source = treeOf(evil, { [`${evil}/a`]: 'A', [`${evil}/b`]: 'B', c: 'C' })
    const target = new FaultyTree(treeOf(evil, {}), failFirst(99, /b$/))
    const problems: string[] = []
    const onProblem = (path: string, reason: string) => problems.push(`${path}: ${reason}`)
    const result = await finish(syncTrees(source, target, { jobId, clock, retries: 1, onProblem }), clock)
    expect(result).toMatchObject({ copied: 2, failed: 1 })
    expect(problems).toEqual(['x\\u{1b}[2J\\u{d}\\u{a}y/b: The line is down'])
    expect(JSON.stringify([recorder.document(), result, problems])).not.toMatch(/\\[nrt]|\\u00/)
    expect((await contents(target))[`${evil}/a`]).toBe('A')
  })

  test('syncTrees rejects when nothing of the source could be copied', async () => {
    const target = new FaultyTree(treeOf('target', {}), () => new TreeRefusal('The disk is full'))
    const sync = syncTrees(treeOf('source', { a: 'A', b: 'B' }), target, { jobId, clock })
    await expect(sync).rejects.toThrow('Nothing could be copied. a: The disk is full')
    expect(recorder.steps()).toMatchObject({
      compare: 'succeeded',
      copy: 'failed',
      verify: 'failed',
      report: 'pending',
    })
  })

  test('syncTrees rejects a tree of more files than a job has items', async () => {
    const source = treeOf('source', {})
    source.list = async function* () {
      for (let i = 0; i <= 100_000; i++) yield { path: `${i}`, size: 1 }
    }
    await expect(syncTrees(source, treeOf('target', {}), { jobId, clock })).rejects.toThrow('has over 100,000 files')
  })

  test('syncTrees ends a cancelled job within the file that is under way, of which nothing is left', async () => {
    const target = treeOf('target', {})
    const source = treeOf('source', { a: 'A'.repeat(10), b: 'B'.repeat(1_000), c: 'C' })
    const run = recorder.emitter.run(jobId, (control) =>
      syncTrees(source, target, { jobId, control, clock, concurrency: 1, paceSeconds: 12 }),
    )
    await until(() => clock.pending === 1)
    await clock.advance(1_000)
    recorder.ask(true, false)
    await run
    expect(recorder.document()).toMatchObject({ status: 'cancelled' })
    expect(recorder.statuses()).toEqual({ a: 'succeeded', b: 'pending', c: 'pending' })
    expect(recorder.steps()).toEqual({ compare: 'succeeded', copy: 'running', verify: 'running', report: 'pending' })
    expect(await contents(target)).toEqual({ a: 'A'.repeat(10) })
    expect(clock.pending).toBe(0)
  })

  test('syncTrees ends a cancelled job that waits for its next try', async () => {
    const target = new FaultyTree(treeOf('target', {}), failFirst(99, /^write/))
    const run = recorder.emitter.run(jobId, (control) =>
      syncTrees(treeOf('source', { a: 'A', b: 'B' }), target, { jobId, control, clock, concurrency: 1 }),
    )
    await until(() => clock.pending === 1)
    expect(recorder.item('a')).toMatchObject({ status: 'pending', message: 'The line is down. Try 2 of 4 follows' })
    recorder.ask(true, false)
    await run
    expect(recorder.document()).toMatchObject({ status: 'cancelled', itemCounts: { pending: 2, running: 0 } })
    expect(target.calls).toEqual(['write a'])
    expect(clock.pending).toBe(0)
  })

  test('syncTrees starts no file while the job is paused, and says once that it is', async () => {
    const files = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`${i}`, 'x'.repeat(10)]))
    const target = treeOf('target', {})
    const run = recorder.emitter.run(jobId, (control) =>
      syncTrees(treeOf('source', files), target, { jobId, control, clock, concurrency: 2, paceSeconds: 8 }),
    )
    await until(() => clock.pending === 2)
    recorder.ask(false, true)
    for (let i = 0; i < 50; i++) await clock.advance(1_000)
    expect(recorder.document().itemCounts).toMatchObject({ succeeded: 2, running: 0, pending: 6 })
    expect(recorder.document().status).toBe('paused')
    recorder.ask(false, false)
    await finish(run, clock)
    expect(recorder.document()).toMatchObject({ status: 'completed', itemCounts: { succeeded: 8 } })
    expect(recorder.of('status').map(({ status }) => status)).toEqual(['running', 'paused', 'running', 'completed'])
    expect(await contents(target)).toEqual(files)
  })

  test('syncTrees takes as long as it is slowed down to, and says so', async () => {
    const start = clock.now()
    const files = { a: 'A'.repeat(3_000), b: 'B'.repeat(2_000), c: 'C'.repeat(1_000) }
    const options = { jobId, clock, concurrency: 3, paceSeconds: 6 }
    await finish(syncTrees(treeOf('source', files), treeOf('target', {}), options), clock)
    expect(clock.now() - start).toBe(6_000)
    expect(recorder.of('log').map(({ message }) => message)).toContain(
      '3 files to copy, 6\u00a0kB, 3 at once, slowed down to take 6\u00a0s',
    )
    const news = recorder.of('item').filter(({ id, status, progress }) => id === 'a' && !status && progress)
    expect(news.length).toBeGreaterThan(3)
    expect(news).toEqual(news.toSorted((a, b) => (a.progress ?? 0) - (b.progress ?? 0)))
  })

  test('syncTrees works the same when nothing is wired', async () => {
    setJobEvents(undefined)
    const target = treeOf('target', {})
    expect(await syncTrees(treeOf('source', { a: 'A' }), target, { jobId })).toMatchObject({ copied: 1 })
    expect(await digestOfStream((await target.read('a')).content)).toBe(await digestOfStream(new Blob(['A']).stream()))
    expect(recorder.events).toEqual([])
  })
})
