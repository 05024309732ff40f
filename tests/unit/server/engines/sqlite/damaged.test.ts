import { expect, spyOn, test } from 'bun:test'
import { SqliteEngine } from '../../../../../server/engines/sqlite/engine.ts'
import { DAMAGED } from '../../../../../server/engines/sqlite/plan.ts'
import { ProblemError, problems } from '../../../../../server/errors.ts'
import { batchOf, newJob, publish } from '../../../../conformance/fixtures.ts'
import { withPath } from '../sqlite-fixtures.ts'

const PAGE = 4_096

/** Garbles the second half of a file, as a disk does. In a process of its own: closing the file here would release SQLite's locks. */
function garble(path: string): void {
  const code = `
    const { closeSync, fsyncSync, openSync, statSync, utimesSync, writeSync } = require('node:fs')
    const { size, atime, mtime } = statSync(${JSON.stringify(path)})
    const file = openSync(${JSON.stringify(path)}, 'r+')
    for (let at = Math.floor(size / ${2 * PAGE}) * ${PAGE}; at < size; at += ${PAGE}) writeSync(file, Buffer.alloc(200, 0x77), 0, 200, at)
    fsyncSync(file); closeSync(file); utimesSync(${JSON.stringify(path)}, atime, mtime)`
  expect(Bun.spawnSync([process.execPath, '-e', code]).exitCode).toBe(0)
}

test('a page that turns out to be damaged stops reads and writes with a sentence, and the log names the file once', async () => {
  await withPath(async (path) => {
    let engine = await SqliteEngine.open(path)
    await engine.create(newJob({ id: 'job' }))
    for (let batch = 0; batch < 20; batch++)
      await publish(
        engine,
        'job',
        Array.from({ length: 50 }, (_, index) => ({
          type: 'item' as const,
          id: `${batch}.${index}`,
          message: 'x'.repeat(500),
        })),
      )
    await engine.close()
    engine = await SqliteEngine.open(path)
    const log = spyOn(console, 'error').mockImplementation(() => {})
    try {
      garble(path)
      const read = () => engine.changesSince('job', undefined, { view: 'all', maxBytes: 10_000_000 })
      const refusal = (work: () => Promise<unknown>) =>
        work().then(
          () => 'nothing',
          (error) => (error instanceof ProblemError ? error.problem : error),
        )
      expect(await refusal(read)).toEqual(problems.unavailable(DAMAGED))
      expect(await refusal(read)).toEqual(problems.unavailable(DAMAGED))
      expect(await refusal(() => engine.check())).toEqual(problems.unavailable(DAMAGED))
      expect(await engine.apply('job', batchOf([{ type: 'progress', done: 1 }]))).toEqual({
        refused: problems.unavailable(DAMAGED),
      })
      expect(log.mock.calls).toEqual([[`${path}: ${DAMAGED}`]])
    } finally {
      log.mockRestore()
      await engine.close()
    }
  })
})
