import { describe, expect, test } from 'bun:test'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EngineConfig, openEngine } from '../../../../server/engines/open.ts'
import { defaultLimits } from '../../../../shared/document/limits.ts'

const config: EngineConfig = { limits: { ...defaultLimits, items: 7 }, acknowledge: undefined }

describe('openEngine', () => {
  test('openEngine opens the engine before the colon, at the place after it', async () => {
    const memory = await openEngine('memory:', config)
    expect(memory.name).toBe('memory')
    const folder = await mkdtemp(join(tmpdir(), 'milepost-'))
    const sqlite = await openEngine(`sqlite:${join(folder, 'a:b.db')}`, config)
    expect(sqlite.name).toBe('sqlite')
    expect(await readdir(folder)).toContain('a:b.db')
    await sqlite.close()
    await rm(folder, { recursive: true })
  })

  test('openEngine hands place and settings to an engine that only this runtime has', async () => {
    const asked: unknown[] = []
    const special = {
      form: 'special:PATH',
      open: (...args: unknown[]) => {
        asked.push(...args)
        return openEngine('memory:', config)
      },
    }
    expect((await openEngine('special:a:b/c', config, { special })).name).toBe('memory')
    expect(asked).toEqual(['a:b/c', config])
    const message =
      'MILEPOST_ENGINE is "special:". Here it can be sqlite:PATH or memory: or redis://HOST or special:PATH.'
    await expect(openEngine('special:', config, { special })).rejects.toThrow(message)
  })

  test('openEngine refuses what names no engine, or no place for one, and says what would do', async () => {
    for (const setting of ['', 'sqlite', 'sqlite:', 'mysql://here', 'constructor:x', '__proto__:', ':memory:']) {
      const message = `MILEPOST_ENGINE is "${setting}". Here it can be sqlite:PATH or memory: or redis://HOST.`
      await expect(openEngine(setting, config)).rejects.toThrow(message)
    }
  })

  test('openEngine repeats no password', async () => {
    const message = 'MILEPOST_ENGINE is "reddis://…@host". Here it can be sqlite:PATH or memory: or redis://HOST.'
    await expect(openEngine('reddis://user:hush@hush@host', config)).rejects.toThrow(message)
  })

  test('openEngine refuses MILEPOST_ACKNOWLEDGE where it would change nothing', async () => {
    const message = 'MILEPOST_ACKNOWLEDGE is for redis://HOST, and MILEPOST_ENGINE is memory: unset one of them.'
    await expect(openEngine('memory:', { ...config, acknowledge: 'disk' })).rejects.toThrow(message)
  })
})
