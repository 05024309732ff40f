import { posix } from 'node:path'

/** A source file: its path from the top of the repository, and its text. */
export interface Source {
  path: string
  text: string
}

export interface Import {
  /** As it is written: `../shared/job.ts`, `hono/cors`. */
  specifier: string
  /** Gone when types are: the module is not loaded for it. */
  typeOnly: boolean
}

const SERVER = [
  ...(['engines', 'core', 'http', 'hub', 'webhooks', 'jobs', 'auth'] as const),
  ...(['services', 'support', 'generated', 'shared'] as const),
] as const

/** The parts of the house, from the ground up. What each may import of the others, and of packages. */
const layers = {
  shared: { of: ['shared'], packages: /^zod$/ },
  client: { of: ['client', 'shared'], packages: /^(preact(\/(hooks|jsx-runtime))?|@preact\/signals(-core)?)$/ },
  // Of packages that a user of the client may not have.
  react: { of: ['react', 'client', 'shared'], packages: /^(react|@preact\/signals-core)$/ },
  queues: { of: ['queues', 'client', 'shared'], packages: /^(bullmq|pg-boss)$/ },
  support: { of: ['support', 'core', 'shared'], packages: /^$/ },
  jobs: { of: ['jobs', 'auth', 'support', 'core', 'shared'], packages: /^hono\/utils\/.+$/ },
  auth: { of: ['auth', 'jobs', 'support', 'core', 'shared'], packages: /^(hono\/.+|oauth4webapi)$/ },
  webhooks: { of: ['webhooks', 'jobs', 'auth', 'support', 'core', 'shared'], packages: /^$/ },
  hub: { of: ['hub', 'jobs', 'auth', 'support', 'core', 'shared'], packages: /^$/ },
  services: { of: ['services', 'jobs', 'core', 'generated', 'shared'], packages: /^zod$/ },
  http: {
    of: ['http', 'hub', 'webhooks', 'jobs', 'auth', 'services', 'support', 'core', 'generated', 'shared'],
    packages: /^(hono(\/.+)?|zod|@hono\/zod-validator)$/,
  },
  core: {
    of: ['core', 'http', 'hub', 'webhooks', 'jobs', 'auth', 'services', 'support', 'generated', 'shared'],
    packages: /^(hono(\/.+)?|zod|@hono\/zod-validator)$/,
  },
  engines: { of: ['engines', 'webhooks', 'jobs', 'auth', 'support', 'core', 'shared'], packages: /./ },
  entries: { of: [...SERVER, 'entries', 'cli'], packages: /./ },
  // It reports to servers and watches them, as any client does.
  cli: { of: [...SERVER, 'entries', 'cli', 'client'], packages: /./ },
} as const

type Layer = keyof typeof layers | 'generated'

/** Where a runtime may be named. */
const AT_HOME_IN_A_RUNTIME: readonly Layer[] = ['engines', 'entries', 'cli']

const RUNTIME_GLOBALS = ['Bun', 'Deno', 'process', 'Buffer', 'require', '__dirname', '__filename']
const RUNTIME_MODULE = /^(node|bun|cloudflare|deno|jsr|npm):|^bun$/

/** The longest that a source file may be, in lines. */
const MAX_LINES = 400

/** The most files that a folder of sources may have beside its rooms. */
const MAX_FILES = 16

/** The names that may stand at the top of the repository, beside those that begin with a dot. */
const TOP_LEVEL = new Set([
  'server',
  'client',
  'shared',
  'tests',
  'bunfig.toml',
  'deno.json',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'wrangler.jsonc',
  'biome.json',
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'CHANGELOG.md',
  'LICENSE',
])

const CLAUSE = String.raw`(?:[\w$]+|\*\s+as\s+[\w$]+|\{[^}]*\})`
const STATIC = new RegExp(
  String.raw`^(?:import|export)\s+(type\s+(?!from\s))?(?:${CLAUSE}(?:\s*,\s*${CLAUSE})?|\*)?\s*(?:\bfrom\s*)?(['"])([^'"\n]+)\2`,
  'gm',
)
const DYNAMIC = /\bimport\(\s*(['"])([^'"\n]+)\1/g
const COMMENT_LINE = /^\s*(\/\/|\/?\*).*$/gm

/** What a file imports and re-exports. Knows the imports that a formatted file has: static ones begin a line. */
export function importsOf(text: string): Import[] {
  const code = text.replace(COMMENT_LINE, '')
  const found: Import[] = []
  for (const [, type, , specifier = ''] of code.matchAll(STATIC))
    found.push({ specifier, typeOnly: type !== undefined })
  for (const [, , specifier = ''] of code.matchAll(DYNAMIC)) found.push({ specifier, typeOnly: false })
  return found
}

/** The runtime's own names that code uses, by a parser: words in text, comments, types and names of properties don't count. */
export function runtimeNamesOf({ path, text }: Source): string[] {
  const define: Record<string, string> = {}
  for (const name of RUNTIME_GLOBALS) {
    define[name] = `__runtime_${name}__`
    define[`globalThis.${name}`] = `__runtime_${name}__`
  }
  const code = new Bun.Transpiler({ loader: path.endsWith('x') ? 'tsx' : 'ts', define }).transformSync(text)
  const globals = RUNTIME_GLOBALS.filter((name) => code.includes(`__runtime_${name}__`))
  return [
    ...globals,
    ...importsOf(text).flatMap(({ specifier }) => (RUNTIME_MODULE.test(specifier) ? [specifier] : [])),
  ]
}

/** The part of the house that a file belongs to. */
export function layerOf(path: string): Layer | undefined {
  const [top, next, ...deeper] = path.split('/')
  if (top === 'client' && (next === 'queues' || next === 'react')) return next
  if (top === 'shared' || top === 'client') return top
  if (top !== 'server' || next === undefined) return undefined
  if (deeper.length === 0) return 'core'
  return next in layers || next === 'generated' ? (next as Layer) : undefined
}

const isRelative = (specifier: string) => specifier.startsWith('.')

/** Where a relative import leads. */
const target = (from: string, specifier: string) => posix.join(posix.dirname(from), specifier)

const isOfTheHouse = ({ path }: Source) => /^(shared|client|server)\//.test(path)

const isCode = ({ path }: Source) => /\.tsx?$/.test(path)

/** Everything about the house that is not as it should be, a sentence each. */
export function findViolations(sources: readonly Source[]): string[] {
  const code = sources.filter((source) => isOfTheHouse(source) && isCode(source))
  return [
    ...findStrangers(sources),
    ...sources.filter(isOfTheHouse).flatMap(findLongFile),
    ...findFullFolders(sources.filter(isOfTheHouse)),
    ...code.flatMap(findWrongImports),
    ...code.flatMap(findRuntimeNames),
    ...findLostImports(code, sources),
    ...findCircles(graphOf(code)),
    ...findCircles(roomsOf(graphOf(code))),
    ...findReach(code, 'client', (name) => name === 'zod', 'is loaded by the client'),
    ...findReach(code, 'server/engines', (name) => /^server\/(hub|http)\//.test(name), 'is loaded by an engine'),
  ]
}

function findStrangers(sources: readonly Source[]): string[] {
  const names = new Set(sources.map(({ path }) => path.split('/')[0] ?? ''))
  return [...names]
    .filter((name) => !name.startsWith('.') && !TOP_LEVEL.has(name))
    .map((name) => `${name}: does not belong at the top`)
}

function findLongFile({ path, text }: Source): string[] {
  const lines = text.trimEnd().split('\n').length
  return lines > MAX_LINES ? [`${path}: has ${lines} lines, more than ${MAX_LINES}`] : []
}

function findFullFolders(sources: readonly Source[]): string[] {
  const counts = new Map<string, number>()
  for (const folder of sources.map(({ path }) => posix.dirname(path))) counts.set(folder, (counts.get(folder) ?? 0) + 1)
  return [...counts]
    .filter(([, count]) => count > MAX_FILES)
    .map(([folder, count]) => `${folder}: has ${count} files, more than ${MAX_FILES}: give some a folder of their own`)
}

function findWrongImports({ path, text }: Source): string[] {
  const layer = layerOf(path)
  if (layer === undefined) return [`${path}: belongs to no part of the house`]
  if (layer === 'generated') return []
  const { of, packages } = layers[layer]
  return importsOf(text).flatMap(({ specifier }) => {
    if (!isRelative(specifier)) return packages.test(specifier) ? [] : [`${path}: ${layer} may not import ${specifier}`]
    const other = layerOf(target(path, specifier))
    return other !== undefined && (of as readonly Layer[]).includes(other)
      ? []
      : [`${path}: ${layer} may not import ${specifier}`]
  })
}

function findRuntimeNames(source: Source): string[] {
  const layer = layerOf(source.path)
  if (layer !== undefined && AT_HOME_IN_A_RUNTIME.includes(layer)) return []
  return runtimeNamesOf(source).map((name) => `${source.path}: names a runtime: ${name}`)
}

function findLostImports(code: readonly Source[], sources: readonly Source[]): string[] {
  const paths = new Set(sources.map(({ path }) => path))
  return code.flatMap(({ path, text }) =>
    importsOf(text)
      .filter(({ specifier }) => isRelative(specifier))
      .map(({ specifier }) => target(path, specifier))
      .filter((to) => !paths.has(to) && layerOf(to) !== 'generated')
      .map((to) => `${path}: imports ${to}, which is not there`),
  )
}

/** What each file loads: the values that it imports, not the types. */
function graphOf(code: readonly Source[]): Map<string, string[]> {
  return new Map(
    code.map(({ path, text }) => [
      path,
      importsOf(text)
        .filter(({ typeOnly }) => !typeOnly)
        .map(({ specifier }) => (isRelative(specifier) ? target(path, specifier) : specifier)),
    ]),
  )
}

/** What the rooms of each folder load of each other: two files' rooms are the folders in which their paths part. */
function roomsOf(graph: ReadonlyMap<string, readonly string[]>): Map<string, string[]> {
  const rooms = new Map<string, Set<string>>()
  for (const [from, loaded] of graph) {
    for (const to of loaded) {
      const [a, b] = [posix.dirname(from).split('/'), posix.dirname(to).split('/')]
      const shared = a.findIndex((name, depth) => name !== b[depth])
      // Where one folder holds the other there are no two rooms.
      if (shared < 0 || shared >= b.length || !graph.has(to)) continue
      const [room, other] = [a, b].map((path) => path.slice(0, shared + 1).join('/')) as [string, string]
      rooms.set(room, (rooms.get(room) ?? new Set()).add(other))
    }
  }
  return new Map([...rooms].map(([room, others]) => [room, [...others]]))
}

function findCircles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const circles: string[] = []
  const done = new Set<string>()
  const visit = (path: string, way: string[]) => {
    const start = way.indexOf(path)
    if (start >= 0) circles.push(`${[...way.slice(start), path].join(' → ')}: is a circle`)
    if (start >= 0 || done.has(path)) return
    for (const next of graph.get(path) ?? []) visit(next, [...way, path])
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  return circles
}

/** Whether anything under a folder loads, however indirectly, what it must not. */
function findReach(
  code: readonly Source[],
  folder: string,
  isForbidden: (name: string) => boolean,
  sentence: string,
): string[] {
  const graph = graphOf(code)
  const cameFrom = new Map<string, string>()
  const waiting = [...graph.keys()].filter((path) => path.startsWith(`${folder}/`))
  const seen = new Set(waiting)
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    for (const next of graph.get(path) ?? []) {
      if (seen.has(next)) continue
      seen.add(next)
      cameFrom.set(next, path)
      waiting.push(next)
    }
  }
  return [...seen].filter(isForbidden).map((name) => {
    const way = [name]
    for (let step = cameFrom.get(name); step !== undefined; step = cameFrom.get(step)) way.unshift(step)
    return `${name}: ${sentence}: ${way.join(' → ')}`
  })
}
