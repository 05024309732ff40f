import { describe, expect, test } from 'bun:test'
import { findViolations, importsOf, layerOf, runtimeNamesOf, type Source } from '../layers.ts'

const top = new URL('../..', import.meta.url).pathname

/** The repository as it would be committed: what git tracks, and what it would take. */
async function readHouse(): Promise<Source[]> {
  const listed = Bun.spawnSync(['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: top })
  if (!listed.success) throw new Error(`git ls-files: ${listed.stderr}`)
  // Pictures have no lines; samples, and what Grafana imports, are data.
  const paths = listed.stdout
    .toString()
    .split('\0')
    .filter((path) => path !== '' && !/\.(png|txt|csv)$|\/grafana\.json$/.test(path))
  const sources = await Promise.all(
    paths.map(async (path) => {
      const file = Bun.file(top + path)
      // What is tracked may be deleted and not yet committed.
      return (await file.exists()) ? { path, text: await file.text() } : undefined
    }),
  )
  return sources.filter((source) => source !== undefined)
}

/** The violations of a house of these files: path and text in turn. */
function violationsOf(files: Record<string, string>): string[] {
  return findViolations(Object.entries(files).map(([path, text]) => ({ path, text })))
}

describe('the house', () => {
  test('the house keeps its directions, names runtimes at their own doors alone, and has no circles', async () => {
    const house = await readHouse()
    expect(house.length).toBeGreaterThan(50)
    expect(findViolations(house)).toEqual([])
  })
})

describe('findViolations: directions', () => {
  const files = {
    'shared/a.ts': '',
    'client/a.ts': '',
    'client/queues/a.ts': '',
    'client/react/a.ts': '',
    'server/a.ts': '',
    'server/support/a.ts': '',
    'server/jobs/a.ts': '',
    'server/auth/a.ts': '',
    'server/hub/a.ts': '',
    'server/services/a.ts': '',
    'server/http/a.ts': '',
    'server/engines/a.ts': '',
    'server/entries/a.ts': '',
    'server/cli/a.ts': '',
  }
  const parts = Object.keys(files).map((path) => path.slice(0, -'/a.ts'.length))

  /** The parts that a part may import, found by trying each. */
  const mayImport = (part: string) =>
    parts.filter((other) => {
      const specifier = `${'../'.repeat(part.split('/').length)}${other}/a.ts`
      return violationsOf({ ...files, [`${part}/b.ts`]: `import type { A } from '${specifier}'\n` }).length === 0
    })

  test('each part imports what lies below it, and nothing else', () => {
    expect(Object.fromEntries(parts.map((part) => [part, mayImport(part)]))).toEqual({
      shared: ['shared'],
      client: ['shared', 'client'],
      'client/queues': ['shared', 'client', 'client/queues'],
      'client/react': ['shared', 'client', 'client/react'],
      server: [
        'shared',
        'server',
        'server/support',
        'server/jobs',
        'server/auth',
        'server/hub',
        'server/services',
        'server/http',
      ],
      'server/support': ['shared', 'server', 'server/support'],
      'server/jobs': ['shared', 'server', 'server/support', 'server/jobs', 'server/auth'],
      'server/auth': ['shared', 'server', 'server/support', 'server/jobs', 'server/auth'],
      'server/hub': ['shared', 'server', 'server/support', 'server/jobs', 'server/auth', 'server/hub'],
      'server/services': ['shared', 'server', 'server/jobs', 'server/services'],
      'server/http': [
        'shared',
        'server',
        'server/support',
        'server/jobs',
        'server/auth',
        'server/hub',
        'server/services',
        'server/http',
      ],
      'server/engines': ['shared', 'server', 'server/support', 'server/jobs', 'server/auth', 'server/engines'],
      'server/entries': parts.filter((part) => !part.startsWith('client')),
      'server/cli': parts.filter((part) => part !== 'client/queues' && part !== 'client/react'),
    })
  })

  test('each part imports its own packages, and no others', () => {
    const packages = [
      'zod',
      'preact',
      'preact/hooks',
      '@preact/signals-core',
      'hono',
      'hono/jwt',
      '@hono/zod-validator',
      'redis',
      'bullmq',
      'react',
    ]
    const mayUse = (part: string) =>
      packages.filter((name) => violationsOf({ [`${part}/b.ts`]: `import type { A } from '${name}'\n` }).length === 0)
    expect(Object.fromEntries(parts.map((part) => [part, mayUse(part)]))).toEqual({
      shared: ['zod'],
      client: ['preact', 'preact/hooks', '@preact/signals-core'],
      'client/queues': ['bullmq'],
      'client/react': ['@preact/signals-core', 'react'],
      server: ['zod', 'hono', 'hono/jwt', '@hono/zod-validator'],
      'server/support': [],
      'server/jobs': [],
      'server/auth': ['hono/jwt'],
      'server/hub': [],
      'server/services': ['zod'],
      'server/http': ['zod', 'hono', 'hono/jwt', '@hono/zod-validator'],
      'server/engines': packages,
      'server/entries': packages,
      'server/cli': packages,
    })
  })

  test('a file in no part of the house is found, and an import that leads nowhere', () => {
    expect(violationsOf({ 'server/stuff/a.ts': '' })).toEqual(['server/stuff/a.ts: belongs to no part of the house'])
    expect(violationsOf({ 'shared/a.ts': "import { b } from './b.ts'\n" })).toEqual([
      'shared/a.ts: imports shared/b.ts, which is not there',
    ])
  })

  test('an engine that loads a route through the core is found, with the way that it takes', () => {
    expect(
      violationsOf({
        'server/engines/a.ts': "import { app } from '../app.ts'\n",
        'server/app.ts': "import { jobs } from './http/jobs.ts'\n",
        'server/http/jobs.ts': '',
      }),
    ).toEqual([
      'server/http/jobs.ts: is loaded by an engine: server/engines/a.ts → server/app.ts → server/http/jobs.ts',
    ])
  })
})

describe('findViolations: what the client loads', () => {
  test('zod that reaches the client through shared is found, and its types are not', () => {
    const files = (kind: string) => ({
      'client/a.ts': `import ${kind}{ job } from '../shared/job.ts'\n`,
      'shared/job.ts': "import { z } from 'zod'\n",
    })
    expect(violationsOf(files('type '))).toEqual([])
    expect(violationsOf(files(''))).toEqual(['zod: is loaded by the client: client/a.ts → shared/job.ts → zod'])
    // Without `type` before the braces the import itself stays, and loads the module.
    expect(violationsOf({ ...files(''), 'client/a.ts': "import { type Job } from '../shared/job.ts'\n" })).toHaveLength(
      1,
    )
  })
})

describe('findViolations: circles', () => {
  test('a circle of values is found, however long, and one of types is none', () => {
    const ring = (last: string) => ({
      'shared/a.ts': "import { b } from './b.ts'\n",
      'shared/b.ts': "export * from './c.ts'\n",
      'shared/c.ts': last,
    })
    expect(violationsOf(ring("import { a } from './a.ts'\n"))).toEqual([
      'shared/a.ts → shared/b.ts → shared/c.ts → shared/a.ts: is a circle',
    ])
    expect(violationsOf(ring("import type { A } from './a.ts'\n"))).toEqual([])
    expect(violationsOf({ 'shared/a.ts': "import './a.ts'\n" })).toEqual(['shared/a.ts → shared/a.ts: is a circle'])
  })

  test('two rooms of a folder that load each other are a circle, though no files are', () => {
    const rooms = (last: string) => ({
      'server/hub/job/a.ts': "import { b } from '../owner/deep/b.ts'\n",
      'server/hub/owner/deep/b.ts': '',
      'server/hub/owner/c.ts': last,
      'server/hub/job/d.ts': '',
    })
    expect(violationsOf(rooms("import { d } from '../job/d.ts'\n"))).toEqual([
      'server/hub/job → server/hub/owner → server/hub/job: is a circle',
    ])
    expect(violationsOf(rooms("import type { D } from '../job/d.ts'\n"))).toEqual([])
    // A folder and a room of it are not two rooms.
    expect(violationsOf(rooms("import './deep/b.ts'\nimport '../e.ts'\n"))).toEqual([
      'server/hub/owner/c.ts: imports server/hub/e.ts, which is not there',
    ])
  })

  test('two ways to one file are no circle', () => {
    expect(
      violationsOf({
        'shared/a.ts': "import './b.ts'\nimport './c.ts'\n",
        'shared/b.ts': "import './d.ts'\n",
        'shared/c.ts': "import './d.ts'\n",
        'shared/d.ts': '',
      }),
    ).toEqual([])
  })
})

describe('findViolations: runtimes', () => {
  test('a runtime is named at its own doors alone', () => {
    const naming = "import { readFile } from 'node:fs/promises'\nexport const a = [Bun.version, readFile]\n"
    for (const part of ['shared', 'client', 'server', 'server/hub', 'server/routes', 'server/services']) {
      const path = `${part}/a.ts`
      expect(violationsOf({ [path]: naming }).filter((sentence) => sentence.includes('names a runtime'))).toEqual([
        `${path}: names a runtime: Bun`,
        `${path}: names a runtime: node:fs/promises`,
      ])
    }
    for (const part of ['engines', 'entries', 'cli'])
      expect(violationsOf({ [`server/${part}/a.ts`]: naming })).toEqual([])
  })
})

describe('findViolations: sizes and names', () => {
  test('a file of 400 lines is not too long, and one of 401 is', () => {
    expect(violationsOf({ 'shared/a.ts': '//\n'.repeat(400) })).toEqual([])
    expect(violationsOf({ 'client/a.css': 'a {}\n'.repeat(401) })).toEqual([
      'client/a.css: has 401 lines, more than 400',
    ])
  })

  test('a folder of 16 files is not full, and one of 17 is', () => {
    const files = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`shared/${n}.ts`, '']))
    expect(violationsOf({ ...files(16), 'shared/wire/a.ts': '' })).toEqual([])
    expect(violationsOf(files(17))).toEqual(['shared: has 17 files, more than 16: give some a folder of their own'])
  })

  test('a stranger at the top is found, and dotfiles are none', () => {
    expect(
      violationsOf({ 'notes.md': '', 'src/a.ts': '', 'src/b.ts': '', '.gitignore': '', '.ci/run': '', LICENSE: '' }),
    ).toEqual(['notes.md: does not belong at the top', 'src: does not belong at the top'])
  })
})

describe('runtimeNamesOf', () => {
  const names = (text: string) => runtimeNamesOf({ path: 'shared/a.tsx', text })

  test('runtimeNamesOf finds globals, through globalThis too, and modules', () => {
    expect(names('export const a = Bun.version')).toEqual(['Bun'])
    expect(names('export const a = globalThis.process?.env')).toEqual(['process'])
    expect(names(`export const a = \`\${Deno.pid}\``)).toEqual(['Deno'])
    expect(names("export const a = [Buffer.from('a'), require('fs'), __dirname, __filename]")).toEqual([
      'Buffer',
      'require',
      '__dirname',
      '__filename',
    ])
    for (const module of ['node:fs', 'bun:sqlite', 'cloudflare:workers', 'bun'])
      expect(names(`import type { A } from '${module}'\n`)).toEqual([module])
  })

  test('runtimeNamesOf finds none in words, comments and names of properties', () => {
    expect(names("// Bun\n/* Deno.pid */\nexport const a = 'process.env'")).toEqual([])
    expect(names('export const A = () => <p>Bun and Deno process</p>')).toEqual([])
    expect(names('export const a = (process: { process: number }) => process.process')).toEqual([])
  })
})

describe('importsOf', () => {
  const specifiers = (text: string) =>
    importsOf(text).map(({ specifier, typeOnly }) => (typeOnly ? `type ${specifier}` : specifier))

  test('importsOf finds every form', () => {
    expect(
      specifiers(
        [
          "import a from 'a'",
          "import { b } from 'b'",
          "import * as c from 'c'",
          "import d, { e } from 'd'",
          "import 'e'",
          'import {\n  type F,\n  f,\n} from "f"',
          "import type { G } from 'g'",
          "import type H from 'h'",
          "export { i } from 'i'",
          "export * from 'j'",
          "export * as k from 'k'",
          "export type { L } from 'l'",
          "const m = await import('m')",
          "type N = import('n').N",
        ].join('\n'),
      ),
    ).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'type g', 'type h', 'i', 'j', 'k', 'type l', 'm', 'n'])
  })

  test('importsOf finds none in comments, and none where only the words are', () => {
    expect(specifiers("// import 'a'\n/**\n * import { b } from 'b'\n */\nconst c = \"import 'd'\"\n")).toEqual([])
    expect(specifiers("export const from = 'a'\nexport interface B {\n  from: 'b'\n}\n")).toEqual([])
  })
})

describe('layerOf', () => {
  test('layerOf is the folder, and the core for what lies in server itself', () => {
    expect(
      [
        'shared/a.ts',
        'client/dashboard/b.tsx',
        'client/queues/a.ts',
        'server/app.ts',
        'server/hub/hub.ts',
        'server/generated/a.ts',
        'server/x/a.ts',
        'tests/a.ts',
      ].map(layerOf),
    ).toEqual(['shared', 'client', 'queues', 'core', 'hub', 'generated', undefined, undefined])
  })
})
