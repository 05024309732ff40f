import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import vue from '@vitejs/plugin-vue'
import type { Hono } from 'hono'
import { build } from 'vite'
import solid from 'vite-plugin-solid'
import { browserTest, openPage } from '../e2e/browser.ts'
import { ApiClient } from '../support/api-client.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'
import { blocks } from './blocks.ts'

const DOCUMENT = 'server/docs/frameworks.md'
const [callback = '', iterable = '', signals = ''] = await blocks(DOCUMENT, 'js')
const [react = ''] = await blocks(DOCUMENT, 'tsx')
const [vueFile = ''] = await blocks(DOCUMENT, 'vue')
const [svelteFile = ''] = await blocks(DOCUMENT, 'svelte')
const [solidFile = ''] = await blocks(DOCUMENT, 'jsx')
const [html = ''] = await blocks(DOCUMENT, 'html')
const [htmx = ''] = await blocks(DOCUMENT, 'ts')

/** Shows one job with each of the examples, each in an element of its own. */
const MAIN = `
import { mount } from 'svelte'
import { createComponent, render } from 'solid-js/web'
import { createElement } from 'react'
import { createRoot } from 'react-dom/client'
import { createApp } from 'vue'
import { showExport } from './callback.js'
import { followExport } from './iterable.js'
import { showPercent } from './signals.js'
import { Export as InReact } from './react.tsx'
import InSvelte from './Export.svelte'
import { Export as InSolid } from './solid.jsx'
import InVue from './Export.vue'

const { id, baseUrl, token } = Object.fromEntries(new URLSearchParams(location.search))
const options = { jobId: id, baseUrl, token }
const props = { id, baseUrl, token }
const place = (name) => document.body.appendChild(Object.assign(document.createElement('section'), { id: name }))
showExport(place('callback'), options)
showPercent(place('signals'), options)
followExport(options).then(() => (place('iterable').textContent = 'over'))
createRoot(place('react')).render(createElement(InReact, props))
createApp(InVue, props).mount(place('vue'))
mount(InSvelte, { target: place('svelte'), props })
render(() => createComponent(InSolid, props), place('solid'))
`
const FRAMEWORKS = ['callback', 'react', 'vue', 'svelte', 'solid']

let folder: string
let server: ServerProcess
let site: Bun.Server<undefined>
let api: ApiClient
/** By their paths. */
const pages: Record<string, string> = {}
let htmxApp: Hono

beforeAll(async () => {
  folder = await mkdtemp(join(import.meta.dir, 'docs-'))
  site = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: serve })
  server = await ServerProcess.start({ MILEPOST_ORIGINS: site.url.origin })
  const token = await accessToken('ada')
  api = new ApiClient(server.url, token)
  const files = {
    'main.js': MAIN,
    'callback.js': callback,
    'iterable.js': iterable,
    'signals.js': signals,
    'react.tsx': react,
    'Export.vue': vueFile,
    'Export.svelte': svelteFile,
    'solid.jsx': solidFile,
    'htmx.ts': htmx,
  }
  for (const [name, code] of Object.entries(files)) await Bun.write(join(folder, name), code)
  pages['/app.js'] = await bundleExamples()
  Object.assign(process.env, { MILEPOST_URL: server.url, MILEPOST_TOKEN: token })
  htmxApp = (await import(join(folder, 'htmx.ts'))).default
  delete process.env.MILEPOST_URL
  delete process.env.MILEPOST_TOKEN
})

afterAll(async () => {
  await site?.stop(true)
  await server?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

/** One build of all, which is what takes time. */
async function bundleExamples(): Promise<string> {
  const built = await build({
    configFile: false,
    root: folder,
    logLevel: 'error',
    define: { 'process.env.NODE_ENV': '"production"' },
    oxc: { jsx: { runtime: 'automatic', importSource: 'react', development: false } },
    resolve: {
      alias: { 'milepost/watch': resolve('client/watch.ts'), 'milepost/react': resolve('client/react/index.ts') },
    },
    plugins: [vue(), svelte({ configFile: false }), solid({ include: /solid\.jsx$/ })],
    build: {
      write: false,
      minify: false,
      target: 'esnext',
      lib: { entry: 'main.js', formats: ['es'], fileName: 'app' },
    },
  })
  const [file] = [built].flat().flatMap((one) => ('output' in one ? one.output : []))
  return file && 'code' in file ? file.code : ''
}

async function serve(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url)
  const type = pathname.endsWith('.js') ? 'text/javascript' : 'text/html'
  if (pathname === '/htmx.min.js') return new Response(Bun.file('node_modules/htmx.org/dist/htmx.min.js'))
  if (pathname === '/sse.min.js') return new Response(Bun.file('node_modules/htmx-ext-sse/dist/sse.min.js'))
  if (pathname.startsWith('/exports/')) return htmxApp.fetch(request)
  return new Response(pages[pathname] ?? '', { headers: { 'content-type': `${type}; charset=utf-8` } })
}

/** A job that runs, 13 of 100. */
async function startJob(): Promise<string> {
  const { id } = await api.create({ title: 'Yearly export' })
  await api.publish(id, { type: 'status', status: 'running' }, { type: 'progress', done: 13, total: 100 })
  return id
}

describe('frameworks.md', () => {
  browserTest('its callback, iterable, signals, React, Vue, Svelte and Solid show a job, by one stream', async () => {
    const id = await startJob()
    const { token } = await api.share(id)
    pages['/'] = '<!doctype html><html lang="en"><title>App</title><body><script type="module" src="/app.js"></script>'
    const page = await openPage()
    const said: string[] = []
    const streams: string[] = []
    page.on('console', (message) => said.push(message.text()))
    page.on('pageerror', (error) => said.push(`${error}`))
    page.on('request', (request) => request.url().includes('/progress') && streams.push(request.url()))
    await page.goto(`${site.url.origin}/?${new URLSearchParams({ id, baseUrl: server.url, token })}`)
    const shows = async (percent: number) => {
      for (const name of FRAMEWORKS)
        await page.locator(`#${name}`, { hasText: `Yearly export: ${percent} %` }).waitFor()
      await page.locator('#signals', { hasText: `${percent} %` }).waitFor()
    }
    await shows(13)
    await api.publish(id, { type: 'progress', done: 14 })
    await shows(14)
    await api.publish(id, { type: 'status', status: 'completed' })
    await shows(100)
    await page.locator('#iterable', { hasText: 'over' }).waitFor()
    expect(said).toEqual(['running 13', 'running 14', 'completed 14'])
    expect(streams).toHaveLength(1)
  })

  browserTest('its plain page shows a job', async () => {
    const id = await startJob()
    const { token } = await api.share(id)
    pages['/plain'] = html
      .replaceAll('https://progress.example/', server.url)
      .replace('export-7', id)
      .replace('mpst_watch_…', token)
    const page = await openPage()
    await page.goto(`${site.url.origin}/plain`)
    await page.getByRole('progressbar', { name: 'Yearly export' }).waitFor()
    await page.waitForFunction(() => document.title === '13 of 100: Yearly export')
  })

  browserTest(
    'its app for htmx asks for each fragment when the job has changed, and closes the stream at the end',
    async () => {
      const id = await startJob()
      const page = await openPage()
      const fragments: string[] = []
      const errors: string[] = []
      page.on('pageerror', (error) => errors.push(`${error}`))
      page.on('response', async (response) => {
        if (response.url().endsWith(`/exports/${id}/progress`)) fragments.push(await response.text())
      })
      await page.goto(`${site.url.origin}/exports/${id}`)
      await page.locator('progress[value="13"]').waitFor()
      await api.publish(id, { type: 'progress', done: 14 })
      await page.locator('progress[value="14"]').waitFor()
      await page.evaluate(() =>
        document.addEventListener('htmx:sseClose', () => document.body.setAttribute('closed', '')),
      )
      await api.publish(id, { type: 'progress', done: 100 }, { type: 'status', status: 'completed' })
      await page.locator('body[closed] progress[value="100"]').waitFor()
      expect(fragments.length).toBeGreaterThan(2)
      expect(errors).toEqual([])
    },
  )
})

/** `tests/frameworks` runs the rest, which takes longer. */
test('frameworks.md has no example that is not run', async () => {
  const text = await Bun.file(DOCUMENT).text()
  const languages = [...text.matchAll(/^```(\w+)$/gm)].map(([, language]) => language)
  expect(languages).toEqual([
    'js',
    'js',
    'js',
    'tsx',
    'vue',
    'svelte',
    'jsx',
    'html',
    'ts',
    'js',
    'jsx',
    'jsx',
    'astro',
  ])
})
