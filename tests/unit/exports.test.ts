import { describe, expect, test } from 'bun:test'
import { posix } from 'node:path'
import config from '../../deno.json' with { type: 'json' }
import packageJson from '../../package.json' with { type: 'json' }
import lock from '../../package-lock.json' with { type: 'json' }
import tsconfig from '../tsconfig.json' with { type: 'json' }

/** What each entry exports: values, and types. */
const api: Record<string, { values: string; types: string }> = {
  'shared/index.ts': {
    values: `LiveJob applyEvent applyPatch countItems defaultLimits diffSince formatCursor getAmount getItemsByStatus
      getProgressPercent isStalled isTerminalStatus parseCursor systemClock systemRandom`,
    types: `AppliedEvent Clock ControlEvent CreateJob CreateToken Cursor EndData EndReason ErrorRow EventFields EventType Item
      ItemCounts ItemStatus Job JobEvent JobHeader JobList JobStatus Limits LogLevel LogRow ManyJobs Patch PingData
      ProblemDocument ProducerEvent Progress Random Receipt SnapshotData Step StreamMessage Timer Token`,
  },
  'client/index.ts': {
    values: `createFormat createJobListSignal createJobSignal createReporter describeAge describeJob english getJobSignal
      systemEnvironment useJobProgress useJobs`,
    types: `ConnectionStatus Environment Format GetToken JobError JobFacts JobListOptions JobListSignal JobReporter JobRow JobSignal
      JobSignalOptions JobState JobWords Language NewJob Reporter ReporterOptions Tone UseJobProgressOptions UseJobsOptions`,
  },
  'client/watch.ts': {
    values: 'createJobListSignal createJobSignal getJobSignal jobUpdates watchJob',
    types: `ConnectionStatus GetToken JobError JobListOptions JobListSignal JobProgress JobRow JobSignal JobSignalOptions
      JobUpdatesOptions`,
  },
  'client/react/index.ts': {
    values: 'useJobProgress useJobs',
    types: 'ConnectionStatus GetToken JobError JobProgress JobRow JobRows UseJobProgressOptions UseJobsOptions',
  },
  'client/queues/bullmq.ts': {
    values: 'acceptCancels bullMQJobId reportBullMQ',
    types: 'BullMQQueue JobDescription QueueReporterOptions ReportedQueue',
  },
  'client/queues/pg-boss.ts': {
    values: 'pgBossJobId reportPgBoss',
    types: 'Boss JobDescription PgBossOptions QueueReporterOptions ReportedPgBoss ReportedQueue',
  },
  'client/element/define.ts': { values: '', types: 'JobLanguage' },
  'server/index.ts': {
    values: `JobEventEmitter createApp emitError emitItem emitLog emitProgress emitStatus emitStep noControl setJobEvents`,
    types: `AppJobs AppOptions AppPrincipal AuditRecord AuthOptions Authenticate Engine Grant JobControl JwksOptions Milepost OidcOptions Principal RequestRecord Scope Service Services
      WebhookOptions WebhookRequest WebhookTransport Work`,
  },
  'server/assets.ts': { values: 'assets', types: '' },
  'server/engines/memory.ts': { values: 'MemoryEngine', types: '' },
  'server/engines/sqlite/engine.ts': { values: 'SqliteEngine', types: '' },
  'server/engines/durable-object/engine.ts': {
    values: 'DurableObjectEngine JobObject OwnerObject',
    types: 'ObjectBindings',
  },
  'server/engines/redis/engine.ts': { values: 'RedisEngine', types: 'RedisOptions' },
  'server/engines/deno-kv/engine.ts': { values: 'DenoKvEngine', types: 'DenoKvOptions' },
}

/** A name that an entry exports, and the file that declares it. */
interface Export {
  name: string
  isType: boolean
  declaredIn: string
  /** Its name there. */
  declaredAs: string
}

const DECLARATION = /^export (?:abstract |async )*(class|function\*?|const|interface|type) (\w+)/gm
const RE_EXPORT = /^export (type )?\{([^}]*)\} from '([^']+)'/gm

const read = (path: string) => Bun.file(new URL(`../../${path}`, import.meta.url)).text()

/** What a formatted file exports: what it declares itself, and what it passes on. */
async function exportsOf(path: string): Promise<Export[]> {
  const text = await read(path)
  const declared = [...text.matchAll(DECLARATION)].map(([, kind = '', name = '']) => {
    return { name, isType: kind === 'interface' || kind === 'type', declaredIn: path, declaredAs: name }
  })
  const passedOn = [...text.matchAll(RE_EXPORT)].flatMap(([, type, names = '', from = '']) =>
    [...names.matchAll(/(type )?(\w+)(?: as (\w+))?/g)].map(([, typeOfOne, declaredAs = '', name = declaredAs]) => {
      const isType = type !== undefined || typeOfOne !== undefined
      return { name, isType, declaredIn: posix.join(posix.dirname(path), from), declaredAs }
    }),
  )
  return [...declared, ...passedOn]
}

/** Whether a comment stands right before the declaration. */
async function isDocumented({ declaredAs, declaredIn }: Export): Promise<boolean> {
  const declaration = `export (?:abstract |async )*(?:class|function\\*?|const|interface|type) ${declaredAs}\\b`
  return new RegExp(`\\*/\\n${declaration}`).test(await read(declaredIn))
}

const namesOf = (list: string) => list.split(/\s+/).filter(Boolean)

describe.each(Object.entries(api))('%s', (path, { values, types }) => {
  test('exports exactly what is promised', async () => {
    const found = await exportsOf(path)
    const names = (isType: boolean) => found.flatMap((one) => (one.isType === isType ? [one.name] : [])).sort()
    expect({ values: names(false), types: names(true) }).toEqual({ values: namesOf(values), types: namesOf(types) })
  })

  test('exports nothing without a comment that says what it is', async () => {
    const found = await exportsOf(path)
    const bare = await Promise.all(found.map(async (one) => ((await isDocumented(one)) ? [] : [one.name])))
    expect(bare.flat()).toEqual([])
  })
})

describe('the entries', () => {
  /** The source of what is published as `./dist/client/index.js`. */
  const sourceOf = (built: string) => built.replace(/^\.\/dist\/(.+)\.js$/, './$1.ts')
  const entries = Object.entries(packageJson.exports).map(([name, built]) => [name, sourceOf(built)] as const)

  test('package.json exports each entry, and nothing else', () => {
    expect([...new Set(entries.map(([, source]) => source))].sort()).toEqual(
      Object.keys(api)
        .map((path) => `./${path}`)
        .sort(),
    )
  })

  test('deno.json exports the same, but for what JSR does not take or Deno has no use for', () => {
    // JSR refuses modules that add to the types of others, as the element and the hooks of React do, and has no files that are built; Durable
    // Objects are of Workers alone.
    const leftOut = ['./element', './react', './assets', './engines/durable-object']
    expect<object>(config.exports).toEqual(Object.fromEntries(entries.filter(([name]) => !leftOut.includes(name))))
    expect(config.version).toBe(packageJson.version)
  })

  test('deno.json imports what package.json depends on, in the same versions', () => {
    const { dependencies, peerDependencies } = packageJson
    const installed = (name: string) => Object.entries(lock.packages).find(([at]) => at === `node_modules/${name}`)?.[1]
    // Deno takes no range with `||`: a peer is in the version that this repository runs with.
    const peers = Object.keys(peerDependencies).map((name) => [name, `^${installed(name)?.version}`] as const)
    const needed = [...Object.entries(dependencies), ...peers]
    expect<object>(config.imports).toEqual(
      Object.fromEntries(needed.map(([name, range]) => [name, `npm:${name}@${range}`])),
    )
  })

  test('the tests and examples, which need no build, find the source of each under its name', () => {
    const paths = Object.entries(tsconfig.compilerOptions.paths).map(([name, [path = '']]) => [name, path] as const)
    const found = entries.map(([name]) => {
      const whole = name.replace('.', 'milepost')
      const [pattern = '', path = ''] = paths.find(([known]) => posix.matchesGlob(whole, known)) ?? []
      return [name, path.replace('*', whole.slice(pattern.indexOf('*'))).replace('../', './')]
    })
    expect(found).toEqual(entries.map(([name, source]) => [name, source]))
  })
})
