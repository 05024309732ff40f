import { afterAll, beforeAll, describe, expect, setDefaultTimeout } from 'bun:test'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { browserTest, openPage } from '../e2e/browser.ts'
import { blocks } from '../examples/blocks.ts'
import { pack, run } from '../package/project.ts'
import { ApiClient } from '../support/api-client.ts'
import { freePort } from '../support/free-port.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'

/** Installing and building take their time. */
setDefaultTimeout(240_000)

const INSTALL = ['npm', 'install', '--prefer-offline', '--no-audit', '--no-fund']
const DOCUMENT = 'server/docs/frameworks.md'

let folder: string
let server: ServerProcess
let api: ApiClient
let env: Record<string, string | undefined>
const ports = { next: freePort(), astro: freePort(), preview: freePort(), development: freePort() }
let tarball: string
const path = (name: string) => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'milepost-frameworks-'))
  await cp(join(import.meta.dir, 'app'), folder, { recursive: true })
  tarball = (await pack(folder)).path
  await run([...INSTALL, '--no-save', tarball], folder)
  const module = (await blocks(DOCUMENT, 'js')).find((code) => code.includes('readExport')) ?? ''
  const jsx = await blocks(DOCUMENT, 'jsx')
  const having = (text: string) => jsx.find((code) => code.includes(text)) ?? ''
  await Promise.all([
    Bun.write(path('next/read-export.js'), module),
    Bun.write(path('next/app/exports/[id]/page.jsx'), having('function Page')),
    Bun.write(path('next/app/exports/[id]/export.jsx'), having("'use client'")),
    Bun.write(path('astro/src/read-export.js'), module),
    Bun.write(path('astro/src/pages/exports/[id].astro'), (await blocks(DOCUMENT, 'astro'))[0] ?? ''),
  ])
  const origins = Object.values(ports).map((port) => `http://127.0.0.1:${port}`)
  server = await ServerProcess.start({ MILEPOST_ORIGINS: origins.join(',') })
  const token = await accessToken('ada')
  api = new ApiClient(server.url, token)
  env = {
    PATH: process.env.PATH,
    HOME: path('home'),
    NODE_ENV: 'production',
    NEXT_TELEMETRY_DISABLED: '1',
    ASTRO_TELEMETRY_DISABLED: '1',
    MILEPOST_URL: server.url,
    MILEPOST_TOKEN: token,
  }
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

const node = (...command: string[]) => [path('node_modules/node/bin/node'), ...command]

/** Runs a command to its end. @throws Error with what it said when it fails */
async function build(...command: string[]): Promise<void> {
  const child = Bun.spawn(node(...command), { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const [out, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  if ((await child.exited) !== 0) throw new Error(`${command.join(' ')}:\n${out}${errors}`)
}

/** A server of pages, once it answers. */
async function start(port: number, ...command: string[]): Promise<AsyncDisposable> {
  const own = { ...env, HOST: '127.0.0.1', PORT: `${port}` }
  const child = Bun.spawn(node(...command), { cwd: folder, env: own, stdio: ['ignore', 'ignore', 'inherit'] })
  const answers = () =>
    fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    )
  while (!(await answers())) {
    if (child.exitCode !== null) throw new Error(`${command.join(' ')} ended with ${child.exitCode}`)
    await Bun.sleep(50)
  }
  return {
    async [Symbol.asyncDispose]() {
      child.kill()
      await child.exited
    },
  }
}

describe('an app that renders on a server', () => {
  browserTest('Next renders a job, hydrates, and goes on from its version', async () => {
    await build('node_modules/next/dist/bin/next', 'build', 'next')
    await using _ = await start(ports.next, 'node_modules/next/dist/bin/next', 'start', 'next', '-p', `${ports.next}`)
    await expectHydration(ports.next)
  })

  browserTest('Astro renders a job, and its page goes on from its version', async () => {
    await build('node_modules/astro/bin/astro.mjs', 'build', '--root', 'astro')
    await using _ = await start(ports.astro, 'astro/dist/server/entry.mjs')
    await expectHydration(ports.astro)
  })
})

/** What stands in the place of `src/app.tsx`. */
const APP = `
import { useJobProgress } from 'milepost/client'

export function App() {
  const { id = '', baseUrl, token } = Object.fromEntries(new URLSearchParams(location.search))
  const { job, percent } = useJobProgress(id, { baseUrl, token })
  return (
    <p>
      {job.value?.title}: {percent.value?.toFixed(0)} %
    </p>
  )
}
`

describe('a new app of create-vite', () => {
  browserTest('useJobProgress renders live progress as it is developed, and as it is built, types too', async () => {
    await build('node_modules/create-vite/index.js', 'vite-app', '--template', 'preact-ts', '--no-interactive')
    await Bun.write(path('vite-app/src/app.tsx'), APP)
    await run([...INSTALL, '--ignore-scripts', tarball], path('vite-app'))
    const vite = ['vite-app/node_modules/vite/bin/vite.js']
    const address = (port: number) => ['vite-app', '--host', '127.0.0.1', '--port', `${port}`, '--strictPort']
    await using _ = await start(ports.development, ...vite, ...address(ports.development))
    await expectProgress(ports.development)
    await run(['npm', 'run', 'build'], path('vite-app'))
    await using __ = await start(ports.preview, ...vite, 'preview', ...address(ports.preview))
    await expectProgress(ports.preview)
  })
})

/** A job that runs, 13 of 100. */
async function startJob(): Promise<string> {
  const { id } = await api.create({ title: 'Yearly export' })
  await api.publish(id, { type: 'status', status: 'running' }, { type: 'progress', done: 13, total: 100 })
  return id
}

async function expectProgress(port: number): Promise<void> {
  const id = await startJob()
  const { token } = await api.share(id)
  const page = await openPage()
  const errors: string[] = []
  page.on('pageerror', (error) => errors.push(`${error}`))
  await page.goto(`http://127.0.0.1:${port}/?${new URLSearchParams({ id, baseUrl: server.url, token })}`)
  await page.getByText('Yearly export: 13 %').waitFor()
  await api.publish(id, { type: 'progress', done: 14 })
  await page.getByText('Yearly export: 14 %').waitFor()
  expect(errors).toEqual([])
}

async function expectHydration(port: number): Promise<void> {
  const id = await startJob()
  const { epoch, version } = await api.read(id)
  const url = `http://127.0.0.1:${port}/exports/${id}`
  const html = await (await fetch(url)).text()
  expect(html.replaceAll('<!-- -->', '')).toContain('>Yearly export: 13 %</p>')

  const page = await openPage()
  const said: string[] = []
  const streams: string[] = []
  page.on('console', (message) => said.push(message.text()))
  page.on('pageerror', (error) => said.push(`${error}`))
  page.on('request', (request) => request.url().includes('/api/progress') && streams.push(request.url()))
  await page.goto(url)
  await page.getByText('Yearly export: 13 %').waitFor()
  await api.publish(id, { type: 'progress', done: 14 })
  await page.getByText('Yearly export: 14 %').waitFor()
  expect(streams.map((stream) => new URL(stream).searchParams.get('job'))).toEqual([`${id}@${epoch}-${version}`])
  expect(said.filter((text) => !text.includes('favicon'))).toEqual([])
}
