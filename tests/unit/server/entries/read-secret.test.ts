import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConfigError } from '../../../../server/config.ts'
import { readSecret, withSecrets } from '../../../../server/entries/read-secret.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'milepost-secret-'))
  await writeFile(join(folder, 'secret'), ' from a file\n')
  await writeFile(join(folder, 'empty'), '\n')
  await Bun.$`mkfifo ${join(folder, 'pipe')}`
})
afterAll(() => rm(folder, { recursive: true }))

const read = (environment: Record<string, string>) => readSecret(environment, 'MILEPOST_SECRET')

describe('readSecret', () => {
  test('readSecret takes what is set, or what is in the file, without the blanks around it', async () => {
    expect(await read({})).toBeUndefined()
    expect(await read({ MILEPOST_SECRET: ' ', MILEPOST_SECRET_FILE: '' })).toBeUndefined()
    expect(await read({ MILEPOST_SECRET: ' set ' })).toBe('set')
    expect(await read({ MILEPOST_SECRET_FILE: join(folder, 'secret') })).toBe('from a file')
  })

  test('withSecrets reads every setting that can be in a file', async () => {
    const file = join(folder, 'secret')
    const read = await withSecrets({ PORT: '1', MILEPOST_SECRET: 'set', MILEPOST_ENGINE_FILE: file })
    expect(read).toMatchObject({ PORT: '1', MILEPOST_SECRET: 'set', MILEPOST_ENGINE: 'from a file' })
    expect(read.MILEPOST_ENGINE_FILE).toBeUndefined()
  })

  test('readSecret refuses a file that says nothing, and says why', async () => {
    const missing = join(folder, 'missing')
    const cases = [
      [{ MILEPOST_SECRET_FILE: missing }, `MILEPOST_SECRET_FILE is "${missing}", which can't be read (ENOENT).`],
      [{ MILEPOST_SECRET_FILE: join(folder, 'empty') }, 'which is empty'],
      [{ MILEPOST_SECRET_FILE: join(folder, 'pipe') }, 'which is not a regular file. Name one that is.'],
      [{ MILEPOST_SECRET_FILE: '/dev/zero' }, 'which is not a regular file. Name one that is.'],
      [{ MILEPOST_SECRET_FILE: folder }, 'which is not a regular file. Name one that is.'],
      [{ MILEPOST_SECRET: 'x', MILEPOST_SECRET_FILE: missing }, 'and MILEPOST_SECRET is set too'],
    ] as const
    for (const [environment, message] of cases) {
      const failure = await read(environment).catch((error: unknown) => error)
      expect([failure instanceof ConfigError, String(failure)]).toEqual([true, expect.stringContaining(message)])
    }
  })
})
