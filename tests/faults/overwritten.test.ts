import { expect, test } from 'bun:test'
import { linkSync, rmSync } from 'node:fs'
import { MOVED } from '../../server/engines/sqlite/plan.ts'
import { ApiClient } from '../support/api-client.ts'
import { onDeno } from '../support/on-deno.ts'
import { type Launch, onBun, ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'

const launches: Record<string, Launch> = { Bun: onBun, Deno: onDeno('sqlite') }

const item = (id: string) => ({ type: 'item', id, status: 'running' }) as const
const messageOf = (error: Error) => error.message
const countOf = (text: string, word: string) => text.split(word).length - 1

/** Runs with a server, and the path of its database. */
async function withServer(
  launch: Launch,
  use: (opened: { server: ServerProcess; api: ApiClient; path: string }) => Promise<void>,
): Promise<void> {
  let path = ''
  await using server = await ServerProcess.start(
    {},
    {
      command: launch.command,
      engine(folder) {
        path = launch.engine(folder).slice('sqlite:'.length)
        return launch.engine(folder)
      },
    },
  )
  await use({ server, api: new ApiClient(server.url, await accessToken('local')), path })
}

test.each(Object.entries(launches))(
  'a server on %s whose database is overwritten says so to all, and the next start says what to do',
  (_, launch) =>
    withServer(launch, async ({ server, api, path }) => {
      const { id } = await api.create({ id: 'job', kind: 'import', title: 'Contacts' })
      await api.publish(id, item('kept'))
      await server.kill('SIGTERM')
      expect(Bun.spawnSync(['cp', path, `${path}.copy`]).exitCode).toBe(0)
      await server.restart()
      await api.publish(id, item('lost'))

      expect(Bun.spawnSync(['cp', `${path}.copy`, path]).exitCode).toBe(0)
      const ask = async (...request: Parameters<ApiClient['request']>) => await api.json<object>(503, ...request)
      expect(await ask('POST', 'api/jobs/job/events', item('next'))).toMatchObject({ detail: MOVED })
      expect(await ask('GET', 'api/jobs/job')).toMatchObject({ detail: MOVED })
      for (let count = 0; count < 3; count++) expect(await ask('GET', 'readyz')).toMatchObject({ detail: MOVED })
      expect(countOf(server.output, `Events and new jobs are refused. The store failed: ${MOVED}`)).toBe(1)

      await server.kill('SIGTERM')
      expect(await server.restart().catch(messageOf)).toContain('was replaced while a server had it open')
      for (const suffix of ['-wal', '-shm']) rmSync(path + suffix)
      await server.restart()
      expect((await api.read(id)).items.map((row) => row.id)).toEqual(['kept'])
    }),
)

test('a server whose database gets a hard link warns once, and the next start says how to part them', () =>
  withServer(onBun, async ({ server, api, path }) => {
    const { id } = await api.create({ id: 'job', kind: 'import', title: 'Contacts' })
    linkSync(path, `${path}.snapshot`)
    for (let count = 0; count < 3; count++) await api.publish(id, item(`${count}`))
    await server.kill()
    expect(countOf(server.output, `${path} has a second hard link, so the next start will refuse it.`)).toBe(1)
    const sentence = await server.restart().catch(messageOf)
    const command = `cp -p ${path} ${path}.new && mv ${path}.new ${path}`
    expect(sentence).toContain(`or give ${path} a file of its own: ${command}`)
    expect(Bun.spawnSync(['sh', '-c', command]).exitCode).toBe(0)
    await server.restart()
    expect((await api.read(id)).items).toHaveLength(3)
  }))
