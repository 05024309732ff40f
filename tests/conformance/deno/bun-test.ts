/**
 * As much of `bun:test` as the conformance suite needs, for Deno: suites are written once, and `config.json` puts this in the place of
 * Bun's. `run` runs what was described.
 */
import { inspect, isDeepStrictEqual } from 'node:util'

type Work = () => unknown

interface Case {
  name: string
  work: Work
}

interface Suite extends Case {
  before: Work[]
  after: Work[]
  children: (Case | Suite)[]
}

/** How a test came out. */
export interface Result {
  name: string
  error?: string
}

const newSuite = (name: string, work: Work): Suite => ({ name, work, before: [], after: [], children: [] })

const root = newSuite('', () => {})
let open = root

export function describe(name: string, work: Work): void {
  const suite = newSuite(name, work)
  const outer = open
  outer.children.push(suite)
  open = suite
  work()
  open = outer
}

/** A time-out is for who runs the process: a test that hangs is found by that nothing is reported. */
export function test(name: string, work: Work, _timeout?: number): void {
  open.children.push({ name, work })
}

export function beforeAll(work: Work): void {
  open.before.push(work)
}

export function afterAll(work: Work): void {
  open.after.push(work)
}

/** Runs what was described, one after the other, and reports each test when it has ended. */
export async function run(report: (result: Result) => void): Promise<void> {
  await runSuite(root, '', report)
}

async function runSuite(suite: Suite, path: string, report: (result: Result) => void): Promise<void> {
  for (const work of suite.before) await work()
  for (const child of suite.children) {
    const name = path === '' ? child.name : `${path} > ${child.name}`
    if ('children' in child) await runSuite(child, name, report)
    else report({ name, ...(await outcome(child.work)) })
  }
  for (const work of suite.after) await work()
}

async function outcome(work: Work): Promise<Pick<Result, 'error'>> {
  try {
    await work()
    return {}
  } catch (error) {
    return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}

export function expect<T>(actual: T) {
  const claim = (holds: boolean, words: string, ...expected: unknown[]) => {
    if (holds) return
    const show = (value: unknown) => inspect(value, { depth: 10, breakLength: 100 })
    throw new Error([`Expected ${words}`, ...expected.map(show), 'but found', show(actual)].join('\n'))
  }
  return {
    toBe: (expected: T) => claim(Object.is(actual, expected), 'to be', expected),
    toEqual: (expected: T) => claim(isDeepStrictEqual(defined(actual), defined(expected)), 'to equal', expected),
    toMatchObject: (expected: object) => claim(includes(actual, expected), 'to match', expected),
    toHaveLength: (length: number) => claim((actual as { length: number }).length === length, 'a length of', length),
    toBeUndefined: () => claim(actual === undefined, 'undefined'),
    toBeDefined: () => claim(actual !== undefined, 'something'),
    toBeString: () => claim(typeof actual === 'string', 'a string'),
    toBeGreaterThan: (least: number) => claim((actual as number) > least, 'more than', least),
    toBeGreaterThanOrEqual: (least: number) => claim((actual as number) >= least, 'at least', least),
    toBeLessThan: (most: number) => claim((actual as number) < most, 'less than', most),
  }
}

/** A value without the fields that are undefined: to have one and not to have it is the same here. */
function defined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(defined)
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, field]) => (field === undefined ? [] : [[key, defined(field)]])),
  )
}

/** Whether a value has all that another has; arrays are as long as each other. */
function includes(value: unknown, part: unknown): boolean {
  if (typeof part !== 'object' || part === null) return Object.is(value, part)
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(part) && !(Array.isArray(value) && value.length === part.length)) return false
  return Object.entries(part).every(([key, field]) => includes((value as Record<string, unknown>)[key], field))
}
