import { describe, expect, test } from 'bun:test'
import { readFile } from 'node:fs/promises'
import packageJson from '../../package.json' with { type: 'json' }
import { ServerProcess } from '../support/server-process.ts'

const UNIT = 'server/deploy/milepost.service'
/** What `systemd-analyze security` may come to, of 10. */
const MAX_EXPOSURE = 2.5

const unit = await readFile(UNIT, 'utf8')
const containerfile = await readFile('server/deploy/Containerfile', 'utf8')

async function run(command: string[], env: Record<string, string> = {}) {
  const child = Bun.spawn(command, { env: { PATH: process.env.PATH, ...env }, stdout: 'pipe', stderr: 'pipe' })
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  return { out, err, code: await child.exited }
}

describe('milepost.service', () => {
  test('milepost.service leaves the process little but its sockets and its own folder', () => {
    const directives = [
      'LoadCredential=secret:/etc/milepost.secret',
      'Environment=MILEPOST_SECRET_FILE=%d/secret',
      'DynamicUser=yes',
      'UMask=0077',
      'StateDirectoryMode=0700',
      'MemoryMax=1G',
      'CapabilityBoundingSet=',
      'NoNewPrivileges=yes',
      'ProtectSystem=strict',
      'ProtectHome=yes',
      'PrivateDevices=yes',
      'PrivateUsers=yes',
      'RestrictNamespaces=yes',
      'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX',
      'SystemCallFilter=@system-service',
      'SystemCallFilter=~@privileged @resources',
    ]
    expect(unit.split('\n')).toEqual(expect.arrayContaining(directives))
  })

  const isMissing = Bun.which('systemd-analyze') === null
  test.skipIf(isMissing)('systemd-analyze finds little exposure in milepost.service', async () => {
    const { out } = await run(['systemd-analyze', 'security', '--offline=true', '--no-pager', UNIT])
    expect(Number(/Overall exposure level for \S+ ([\d.]+)/.exec(out)?.[1])).toBeLessThan(MAX_EXPOSURE)
  })
})

describe('Containerfile', () => {
  /** The arguments of an instruction. */
  const argumentsOf = (name: string) => new RegExp(`^${name} (.+)$`, 'm').exec(containerfile)?.[1] ?? ''
  const env = Object.fromEntries(
    argumentsOf('ENV')
      .split(' ')
      .map((pair) => pair.split('=', 2) as [string, string]),
  )

  test('Containerfile is made from one image for good, and runs as nobody in particular', () => {
    expect(argumentsOf('FROM')).toMatch(/^\S+:\d+\.\d+-slim@sha256:[0-9a-f]{64}$/)
    expect([argumentsOf('USER'), argumentsOf('VOLUME')]).toEqual(['65532:65532', '/data'])
    expect(env).toMatchObject({ MILEPOST_ENGINE: 'sqlite:/data/jobs.db', HOST: '0.0.0.0' })
  })

  test('Containerfile says truly that without its secret it does not start', async () => {
    const { err, code } = await run([process.execPath, 'server/cli/main.ts', 'serve'], { ...env, PORT: '0' })
    expect([err, code]).toEqual([expect.stringContaining(`MILEPOST_SECRET_FILE is "${env.MILEPOST_SECRET_FILE}"`), 1])
  })

  test('Containerfile tells by its health check whether the server is ready', async () => {
    const command: string[] = JSON.parse(/^HEALTHCHECK .* CMD (\[.+\])$/m.exec(containerfile)?.[1] ?? '[]')
    await using server = await ServerProcess.start()
    const { port } = new URL(server.url)
    expect(await run(command, { PORT: port })).toEqual({ out: '', err: '', code: 0 })
    await server.kill()
    expect((await run(command, { PORT: port })).code).not.toBe(0)
  })
})

test('npm scripts hand no secret on as an argument', () => {
  expect(Object.values(packageJson.scripts).filter((script) => /\$\{?MILEPOST_SECRET/.test(script))).toEqual([])
})

describe('npm run sbom', () => {
  test('npm run sbom lists what is shipped, without a network', async () => {
    const { out } = await run(['npm', 'run', '--silent', 'sbom'], { npm_config_offline: 'true' })
    const { components } = JSON.parse(out) as { components: { name: string }[] }
    const names = components.map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(['hono', 'preact', 'zod']))
    expect(names).not.toContain('typescript')
  })
})
