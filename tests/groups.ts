import { Glob } from 'bun'

/** What can be asked for by itself: `npm run test:fast` and the like. `frameworks` is not part of `npm test`: its builds cost as much as a tier. */
export type Tier = 'fast' | 'runtimes' | 'faults' | 'browser' | 'package' | 'frameworks'

/** Test files that run one after another in a process of their own, beside other groups. */
export interface Group {
  name: string
  tier: Tier
  /** How their paths begin, below `tests/`. */
  files: readonly string[]
}

/** Those that take longest come first, so that none is left over at the end. */
export const groups: readonly Group[] = [
  { name: 'package', tier: 'package', files: ['package/', 'faults/clean-clone'] },
  { name: 'frameworks', tier: 'frameworks', files: ['frameworks/'] },
  { name: 'workerd', tier: 'runtimes', files: ['conformance/workerd'] },
  { name: 'durable objects', tier: 'runtimes', files: ['conformance/durable-object'] },
  { name: 'power cuts', tier: 'faults', files: ['faults/power-cut/'] },
  {
    name: 'dashboard',
    tier: 'browser',
    files: ['e2e/dashboard', 'e2e/keyboard', 'e2e/busy-page', 'e2e/job-page', 'e2e/job-list'],
  },
  { name: 'command line', tier: 'faults', files: ['cli/'] },
  { name: 'other languages', tier: 'faults', files: ['python/', 'ruby/'] },
  { name: 'redis engine', tier: 'runtimes', files: ['conformance/redis'] },
  {
    name: 'redis nodes',
    tier: 'faults',
    files: [
      'faults/redis/chaos',
      'faults/redis/failover',
      'faults/redis/generation',
      'faults/redis/nodes',
      'faults/redis/recovery',
      'faults/redis/sweeper',
      'faults/redis/trouble',
    ],
  },
  { name: 'redis', tier: 'faults', files: ['faults/redis'] },
  { name: 'queues', tier: 'faults', files: ['queues/'] },
  {
    name: 'element',
    tier: 'browser',
    files: ['e2e/element', 'e2e/element-full', 'e2e/operator', 'e2e/sign-in', 'e2e/tokens'],
  },
  { name: 'tabs', tier: 'browser', files: ['e2e/'] },
  {
    name: 'deno',
    tier: 'runtimes',
    files: ['conformance/deno.', 'conformance/deno-entry', 'conformance/deno-identity'],
  },
  { name: 'restores', tier: 'faults', files: ['faults/re'] },
  { name: 'servers', tier: 'faults', files: ['faults/pro', 'faults/server', 'faults/startup'] },
  { name: 'faults', tier: 'faults', files: ['faults/'] },
  {
    name: 'sqlite files',
    tier: 'faults',
    files: ['unit/server/engines/sqlite/file/', 'unit/server/engines/sqlite/failures'],
  },
  { name: 'units of the server', tier: 'fast', files: ['unit/server/'] },
  { name: 'attacks', tier: 'faults', files: ['attacks/', 'fuzz/'] },
  { name: 'examples', tier: 'package', files: ['examples/', 'deploy/'] },
  { name: 'deno-kv', tier: 'runtimes', files: ['conformance/deno-kv'] },
  { name: 'engines', tier: 'fast', files: ['conformance/memory', 'conformance/sqlite', 'simulation/'] },
  { name: 'units', tier: 'fast', files: ['unit/'] },
  { name: 'bun', tier: 'runtimes', files: ['conformance/bun'] },
]

/** The files of each group that there are: of several groups that a file could be in, it is in the first. @throws Error for a file without one */
export async function filesOf(): Promise<Map<Group, string[]>> {
  const found = new Map<Group, string[]>(groups.map((group) => [group, []]))
  for (const path of (await Array.fromAsync(new Glob('**/*.test.{ts,tsx}').scan('tests'))).sort()) {
    const group = groups.find(({ files }) => files.some((start) => path.startsWith(start)))
    if (!group) throw new Error(`tests/${path} is in no group: see tests/groups.ts`)
    found.get(group)?.push(`./tests/${path}`)
  }
  return found
}
