import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { build } from 'esbuild'
import { publint } from 'publint'
import packageJson from '../../package.json' with { type: 'json' }
import { assets } from '../../server/generated/assets.ts'
import { Workerd } from '../conformance/workers/workerd.ts'
import { ServerProcess } from '../support/server-process.ts'
import { describePreact } from './preact.ts'
import { Project, pack, root, run, type Tarball, tool } from './project.ts'

/** Packing, installing and type checkers take their time; the registry is asked for what is not at hand. */
setDefaultTimeout(180_000)

/** The most that may be published, in bytes. A fifth of it are the samples of the services. */
const TARBALL_BYTES = 900_000

/**
 * What a browser may be made to load for what it imports: bytes, gzip. A little more than it is now. It is all in one file, what the
 * reporter loads later too.
 */
const BUNDLES = {
  "export { useJobProgress } from 'milepost/client'": 21_300,
  "export { createJobSignal } from 'milepost/client'": 14_900,
  "export { createReporter } from 'milepost/client'": 7_800,
  "export { watchJob, jobUpdates } from 'milepost/watch'": 15_300,
  "export { useJobProgress } from 'milepost/react'": 15_300,
  "export * from 'milepost/client'": 32_600,
  "export { applyEvent, getProgressPercent } from 'milepost'": 2_550,
}

const names = Object.keys(packageJson.exports).map((name) => name.replace('.', 'milepost'))
/** Which of them a runtime can load. Types are checked for all. */
const loadable = {
  Node: names.filter((name) => !/sqlite|deno-kv|durable-object/.test(name)),
  Bun: names.filter((name) => !/deno-kv|durable-object/.test(name)),
  Deno: names.filter((name) => !/durable-object/.test(name)),
}

let folder: string
let tarball: Tarball
let project: Project
let bunProject: Project

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'milepost-tarball-'))
  tarball = await pack(folder)
  project = await Project.create('npm', tarball.path)
  bunProject = await Project.create('bun', tarball.path)
}, 240_000)

afterAll(async () => {
  await Promise.all([project.remove(), bunProject.remove(), rm(folder, { recursive: true })])
})

describe('the tarball', () => {
  test('the tarball has what is exported and what that needs, each with its types, and nothing else', () => {
    const modules = tarball.files.filter((path) => path.endsWith('.js'))
    const declarations = modules.map((path) => path.replace(/\.js$/, '.d.ts'))
    const others = ['LICENSE', 'README.md', 'package.json', packageJson.customElements]
    expect(tarball.files).toEqual([...others, ...modules, ...declarations].sort())
    for (const path of Object.values(packageJson.exports)) expect(modules).toContain(path.replace('./', ''))
    expect(modules).toContain(packageJson.bin.milepost)
    const rooms = new Set(modules.map((path) => path.split('/').slice(1, -1).slice(0, 2).join('/')))
    expect([...rooms].sort()).toEqual([
      ...[
        'client',
        'client/asks',
        'client/connection',
        'client/element',
        'client/producer',
        'client/queues',
        'client/react',
        'client/signals',
        'client/text',
      ],
      ...[
        '',
        '/auth',
        '/cli',
        '/engines',
        '/entries',
        '/generated',
        '/http',
        '/hub',
        '/jobs',
        '/services',
        '/support',
        '/webhooks',
      ].map((room) => `server${room}`),
      ...['shared', 'shared/document', 'shared/producer', 'shared/time', 'shared/wire'],
    ])
  })

  test('the tarball has neither builds nor the entries of those who deploy sources', () => {
    expect(tarball.files.filter((path) => /cli\/build|entries\/(deno|worker)/.test(path))).toEqual([])
  })

  test('the tarball is small', () => {
    expect(tarball.bytes).toBeLessThanOrEqual(TARBALL_BYTES)
  })

  test('npm would publish it', async () => {
    await run(['npm', 'publish', '--dry-run', '--offline', tarball.path], folder)
  })

  test('publint finds nothing', async () => {
    const pack = { tarball: await Bun.file(tarball.path).arrayBuffer() }
    const { messages } = await publint({ pack, strict: true })
    expect(messages).toEqual([])
  })
})

/** Has a runtime load the entries, and print the names of their values. */
async function valuesIn(project: Project, runtime: string[], entries: readonly string[]): Promise<object> {
  const lines = entries.map((entry, place) => `import * as entry${place} from '${entry}'`)
  const list = entries.map((entry, place) => `'${entry}': Object.keys(entry${place}).sort()`)
  const script = await project.write(
    'values.js',
    `${lines.join('\n')}\nconsole.log(JSON.stringify({${list.join(',')}}))`,
  )
  return JSON.parse(await project.run(...runtime, script))
}

/** The same of the sources. */
async function valuesOfSources(entries: readonly string[]): Promise<object> {
  const sources = entries.map(
    (entry) => packageJson.exports[entry.replace('milepost', '.') as keyof typeof packageJson.exports],
  )
  const modules = await Promise.all(
    sources.map((path) => import(join(root, path.replace('dist/', '').replace('.js', '.ts')))),
  )
  return Object.fromEntries(entries.map((entry, place) => [entry, Object.keys(modules[place]).sort()]))
}

/** A consumer as JavaScript, for a runtime that takes no types. */
async function strip(project: Project, name: string): Promise<string> {
  const code = new Bun.Transpiler({ loader: 'ts' }).transformSync(await project.read(`${name}.ts`))
  return project.write(`${name}.js`, code)
}

const ANYWHERE = {
  requests: [
    'POST https://progress.example/api/jobs',
    'POST https://progress.example/api/jobs/import-1/events?epoch=k3x9',
  ],
  percent: 13,
  unwatched: 'unknown',
  cursor: 'k3x9-42',
}

const SERVED = ['memory: version 2, 13 of 100', 'sqlite: version 2, 13 of 100', '']
const DENO = [tool('deno'), 'run', '--no-prompt', '--allow-env', '--allow-read', '--allow-write', '--unstable-kv']

describe('on Node', () => {
  test('every entry that needs no other runtime loads, with the values of its source', async () => {
    expect(await valuesIn(project, ['node'], loadable.Node)).toEqual(await valuesOfSources(loadable.Node))
  })

  test('document, client, element and reporter do their work', async () => {
    expect(JSON.parse(await project.run('node', await strip(project, 'anywhere')))).toEqual(ANYWHERE)
  })
})

describe('on Bun', () => {
  test('every entry that needs no other runtime loads, with the values of its source', async () => {
    expect(await valuesIn(bunProject, [process.execPath], loadable.Bun)).toEqual(await valuesOfSources(loadable.Bun))
  })

  test('document, client, element and reporter do their work', async () => {
    expect(JSON.parse(await bunProject.run(process.execPath, 'anywhere.ts'))).toEqual(ANYWHERE)
  })

  test('the server does its work, mounted in another app, on memory and on SQLite', async () => {
    expect((await bunProject.run(process.execPath, 'server.ts')).split('\n')).toEqual(SERVED)
  })

  test('the command serves, the built element too', async () => {
    const command = bunProject.path('node_modules/.bin/milepost')
    const engine = () => `sqlite:${bunProject.path('served.db')}`
    await using server = await ServerProcess.start({}, { command: () => [process.execPath, command, 'serve'], engine })
    expect(await (await fetch(`${server.url}widget.js`)).text()).toBe(assets['widget.js'])
  })
})

describe('on Deno', () => {
  test('every entry that needs no other runtime loads, with the values of its source', async () => {
    expect(await valuesIn(project, DENO, loadable.Deno)).toEqual(await valuesOfSources(loadable.Deno))
  })

  test('document, client, element and reporter do their work', async () => {
    expect(JSON.parse(await project.run(...DENO, 'anywhere.ts'))).toEqual(ANYWHERE)
  })

  test('the server does its work, on memory, SQLite and Deno KV', async () => {
    expect((await project.run(...DENO, 'server.ts')).split('\n')).toEqual(SERVED)
    expect(await project.run(...DENO, 'deno-kv.ts')).toBe('deno-kv: version 2, 13 of 100\n')
  })

  test('deno check finds nothing', async () => {
    await project.run(tool('deno'), 'check', '--unstable-kv', 'anywhere.ts', 'server.ts', 'deno-kv.ts')
  })

  test('deno publish takes the sources for JSR', async () => {
    // The schemas' types are inferred, as all of zod's are: JSR calls them slow.
    const flags = ['--dry-run', '--allow-dirty', '--allow-slow-types', '--config', join(root, 'deno.json')]
    // `npm run check:deno` checks the types.
    await project.run(tool('deno'), 'publish', '--no-check', ...flags)
  })
})

describe('on Workers', () => {
  test('the server does its work, on Durable Objects', async () => {
    const worker = await Workerd.start(relative(root, project.path('wrangler.json')))
    try {
      expect(await (await fetch(worker.url)).text()).toBe('durable-object: version 2, 13 of 100')
    } finally {
      await worker.stop()
    }
  })
})

describe('types', () => {
  const typesOf = (name: string) => join(root, 'node_modules', name)
  const anywhere = { files: ['anywhere.ts', 'report.ts'], types: [], lib: ['ES2024', 'DOM', 'DOM.Iterable'] }
  const onBun = { files: ['server.ts'], types: [typesOf('bun-types')], lib: ['ES2024', 'DOM', 'DOM.Iterable'] }
  // What Bun declares takes seconds to check, and has nothing to do with how modules are found.
  const bundledOnBun = { ...onBun, skipLibCheck: true }
  const inJsx = { ...anywhere, files: ['preact-jsx.tsx', 'react-jsx.tsx'], jsx: 'react-jsx' }
  const queues = { ...onBun, files: ['queues.ts'] }
  const onWorkers = { files: ['worker.ts'], types: [typesOf('@cloudflare/workers-types/latest')], lib: ['ES2024'] }

  test.each([
    ['anywhere', 'nodenext', anywhere],
    ['anywhere', 'bundler', anywhere],
    ['in JSX', 'bundler', inJsx],
    ['for Bun', 'nodenext', onBun],
    ['for Bun', 'bundler', bundledOnBun],
    ['with queues', 'nodenext', queues],
    ['with queues', 'bundler', queues],
    ['for Workers', 'bundler', onWorkers],
  ])(
    'tsc finds nothing %s, with %s resolution, in the declarations neither',
    async (_, moduleResolution, { files, ...rest }) => {
      const module = moduleResolution === 'bundler' ? 'preserve' : moduleResolution
      const strict = { strict: true, exactOptionalPropertyTypes: true, noEmit: true }
      // Those of the queues' packages are not ours.
      const skipLibCheck = files.includes('queues.ts')
      const compilerOptions = {
        ...strict,
        ...rest,
        skipLibCheck,
        target: 'ES2024',
        module,
        moduleResolution,
        allowImportingTsExtensions: true,
      }
      await project.write('tsconfig.json', { compilerOptions, files })
      await project.run(tool('tsc'), '--singleThreaded', '-p', '.')
    },
  )
})

describe('bundles', () => {
  test.each(Object.entries(BUNDLES))(
    'esbuild: %s: no zod, nothing of the server, at most %d bytes',
    async (code, most) => {
      const { metafile, outputFiles } = await build({
        stdin: { contents: code, resolveDir: project.folder },
        bundle: true,
        minify: true,
        format: 'esm',
        define: { 'process.env.NODE_ENV': '"production"' },
        external: ['react'],
        metafile: true,
        write: false,
        logLevel: 'silent',
      })
      const inputs = Object.values(metafile.outputs).flatMap((output) => Object.keys(output.inputs))
      expect(inputs.filter((path) => /node_modules\/(zod|hono|@hono)\/|milepost\/dist\/server\//.test(path))).toEqual(
        [],
      )
      expect(inputs.some((path) => path.includes('milepost/dist/'))).toBe(true)
      expect(
        Bun.gzipSync(outputFiles[0]?.contents.slice() ?? new Uint8Array(), { level: 9 }).length,
      ).toBeLessThanOrEqual(most)
    },
  )

  test('the element takes at most 11 KB, without what it loads on demand', async () => {
    const onDemand = { filter: /\/(more|full|origin-refusal)\.js$/ }
    const { metafile, outputFiles } = await build({
      stdin: { contents: "import 'milepost/element'", resolveDir: project.folder },
      ...{ bundle: true, minify: true, format: 'esm', write: false, metafile: true },
      plugins: [
        {
          name: 'on demand',
          setup: ({ onResolve }) =>
            onResolve(onDemand, ({ kind, path }) => (kind === 'dynamic-import' ? { path, external: true } : undefined)),
        },
      ],
    })
    expect(Object.keys(metafile.inputs).filter((path) => path.includes('/preact/'))).toEqual([])
    expect(Bun.gzipSync(outputFiles[0]?.contents.slice() ?? new Uint8Array(), { level: 9 }).length).toBeLessThanOrEqual(
      11_264,
    )
  })

  test('the reporter loads its WebSocket on demand', async () => {
    const { outputFiles } = await build({
      stdin: { contents: "export { createReporter } from 'milepost/client'", resolveDir: project.folder },
      ...{ bundle: true, splitting: true, outdir: 'out', minify: true, format: 'esm', write: false },
    })
    const sizeOf = (name: RegExp) =>
      outputFiles
        .filter(({ path }) => name.test(path))
        .map(({ contents }) => Bun.gzipSync(contents.slice(), { level: 9 }).length)
    expect(sizeOf(/stdin/)).toEqual([expect.any(Number)])
    expect(sizeOf(/report-channel/)).toEqual([expect.any(Number)])
    expect(sizeOf(/stdin/)[0]).toBeLessThanOrEqual(6_650)
    expect(sizeOf(/report-channel/)[0]).toBeLessThanOrEqual(1_550)
  })

  test('bun build makes as little of the client as esbuild does', async () => {
    const code = "export { useJobProgress } from 'milepost/client'"
    const entrypoint = bunProject.path(await bunProject.write('bundle.js', code))
    const define = { 'process.env.NODE_ENV': '"production"' }
    const { outputs } = await Bun.build({ entrypoints: [entrypoint], target: 'browser', minify: true, define })
    const bytes = (await outputs[0]?.arrayBuffer()) ?? new ArrayBuffer()
    expect(Bun.gzipSync(bytes, { level: 9 }).length).toBeLessThanOrEqual(BUNDLES[code])
  })
})

describePreact(() => tarball)
