import { describe, expect, test } from 'bun:test'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEngine } from '../../../../server/engines/open.ts'
import { defaultLimits } from '../../../../shared/document/limits.ts'

const limits = { ...defaultLimits, items: 7 }

describe('openEngine', () => {
  test('openEngine opens the engine before the colon, at the place after it', async () => {
    const memory = await openEngine('memory:', limits)
    expect(memory.name).toBe('memory')
    const folder = await mkdtemp(join(tmpdir(), 'milepost-'))
    const sqlite = await openEngine(`sqlite:${join(folder, 'a:b.db')}`, limits)
    expect(sqlite.name).toBe('sqlite')
    expect(await readdir(folder)).toContain('a:b.db')
    await sqlite.close()
    await rm(folder, { recursive: true })
  })

  test('openEngine hands place and limits to an engine that only this runtime has', async () => {
    const asked: unknown[] = []
    const special = {
      form: 'special:PATH',
      open: (...args: unknown[]) => {
        asked.push(...args)
        return openEngine('memory:', limits)
      },
    }
    expect((await openEngine('special:a:b/c', limits, { special })).name).toBe('memory')
    expect(asked).toEqual(['a:b/c', limits])
    const message = 'MILEPOST_ENGINE is "special:". Here it can be sqlite:PATH or memory: or special:PATH.'
    await expect(openEngine('special:', limits, { special })).rejects.toThrow(message)
  })

  test('openEngine refuses what names no engine, or no place for one, and says what would do', async () => {
    for (const setting of ['', 'sqlite', 'sqlite:', 'redis://here', 'constructor:x', '__proto__:', ':memory:']) {
      const message = `MILEPOST_ENGINE is "${setting}". Here it can be sqlite:PATH or memory:.`
      await expect(openEngine(setting, limits)).rejects.toThrow(message)
    }
  })
})
