import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'
import { run, tool } from './project.ts'

const MAX_MS = 240_000

/** What each client has done, and found. */
const expected = { version: 3, done: 13, isListed: true, cancelRequested: true, missing: 404 }

let folder: string
let server: ServerProcess
const binary = (name: string) => join(folder, 'node_modules/.bin', name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'milepost-clients-'))
  await cp(join(import.meta.dir, 'clients'), folder, { recursive: true })
  server = await ServerProcess.start()
  const install = run(['npm', 'ci', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'], folder)
  const description = await fetch(new URL('openapi.json', server.url))
  await Promise.all([install, Bun.write(join(folder, 'openapi.json'), description)])
}, MAX_MS)

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

describe('/openapi.json', () => {
  test(
    '/openapi.json has no error and no warning by the recommended rules of Redocly',
    async () => {
      const report = await run(
        [binary('redocly'), 'lint', '--extends=recommended', '--format=json', 'openapi.json'],
        folder,
      )
      const { totals } = JSON.parse(report.slice(report.indexOf('{'))) as { totals: Record<string, number> }
      expect(totals).toEqual({ errors: 0, warnings: 0, ignored: 0 })
    },
    MAX_MS,
  )

  test(
    '/openapi.json gives clients by openapi-typescript and @hey-api/openapi-ts, which compile and do a round trip',
    async () => {
      await Promise.all([
        run([binary('openapi-typescript'), 'openapi.json', '-o', 'types.ts'], folder),
        run(
          [binary('openapi-ts'), '-i', 'openapi.json', '-o', 'sdk', '-c', '@hey-api/client-fetch', '--no-log-file'],
          folder,
        ),
      ])
      const settings = { server: server.url.replace(/\/$/, ''), token: await accessToken('ada') }
      const lines = Object.entries(settings).map(([name, value]) => `export const ${name} = ${JSON.stringify(value)}\n`)
      await Bun.write(join(folder, 'settings.ts'), lines.join(''))
      await run([tool('tsc'), '-p', '.'], folder)
      const roundTrip = async (name: string) => JSON.parse(await run([process.execPath, name], folder))
      expect(await roundTrip('by-types.ts')).toEqual(expected)
      expect(await roundTrip('by-sdk.ts')).toEqual({ ...expected, followed: true })
    },
    MAX_MS,
  )
})
