import { describe, expect } from 'bun:test'
import { browserTest, openPage } from '../e2e/browser.ts'
import { ApiClient } from '../support/api-client.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'
import { Project, type Tarball, tool } from './project.ts'

const INDEX =
  '<!doctype html><html lang="en"><title>App</title><script type="module" src="preact-app.ts"></script></html>'

/** Apps that use the hook of the package. @param tarball what `npm pack` has made, once tests run */
export function describePreact(tarball: () => Tarball): void {
  // npm refuses versions that do not go together; Bun takes a fifth of its time.
  describe.each([
    ['the oldest Preact and signals that will do', 'npm', ['preact@10.25.0', '@preact/signals@2.3.0']],
    ['Preact 10', 'bun', ['preact@10']],
    ['Preact 11', 'bun', ['preact@11']],
  ] as const)('an app with %s', (_, manager, packages) => {
    browserTest('useJobProgress renders live progress in what vite builds of it', async () => {
      const project = await Project.create(manager, tarball().path, packages)
      try {
        for (const name of ['milepost', '@preact/signals']) expect(await mismatchesOf(project, name)).toEqual([])
        await project.write('index.html', INDEX)
        await project.run('node', tool('vite'), 'build', '--logLevel', 'warn')
        await using site = await serve(project)
        await using server = await ServerProcess.start({ MILEPOST_ORIGINS: site.origin })
        const api = new ApiClient(server.url, await accessToken('producer'))
        const { id } = await api.create()
        await api.publish(id, { type: 'status', status: 'running' }, { type: 'progress', done: 13, total: 100 })
        const page = await openPage()
        const query = new URLSearchParams({ job: id, server: server.url, token: (await api.share(id)).token })
        await page.goto(`${site.origin}/?${query}`)
        await page.getByText('running: 13 %').waitFor()
        await api.publish(id, { type: 'progress', done: 14 })
        await page.getByText('running: 14 %').waitFor()
        expect(await page.locator('output').count()).toBe(1)
      } finally {
        await project.remove()
      }
    })
  })
}

/** Its peers that are installed in versions that it does not take. */
async function mismatchesOf(project: Project, name: string): Promise<string[]> {
  const manifestOf = async (name: string) => JSON.parse(await project.read(`node_modules/${name}/package.json`))
  const { peerDependencies, peerDependenciesMeta = {} } = await manifestOf(name)
  const mismatches: string[] = []
  for (const [peer, range] of Object.entries<string>(peerDependencies)) {
    if (peerDependenciesMeta[peer]?.optional) continue
    const { version } = await manifestOf(peer)
    if (!Bun.semver.satisfies(version, range)) mismatches.push(`${name} needs ${peer} ${range}, and has ${version}`)
  }
  return mismatches
}

/** Serves what was built, on an origin of its own. */
async function serve(project: Project): Promise<AsyncDisposable & { origin: string }> {
  const fetch = async (request: Request) => {
    const { pathname } = new URL(request.url)
    const file = Bun.file(project.path(`dist${pathname === '/' ? '/index.html' : pathname}`))
    return (await file.exists()) ? new Response(file) : new Response(null, { status: 404 })
  }
  const site = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch })
  return { origin: site.url.origin, [Symbol.asyncDispose]: () => site.stop(true) }
}
