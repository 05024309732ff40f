import { afterAll, beforeAll, expect, test } from 'bun:test'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { SqliteEngine } from '../../../server/engines/sqlite/engine.ts'
import { backUp } from '../../../server/engines/sqlite/file/backup.ts'
import { documentOf, newJob, publish } from '../../conformance/fixtures.ts'
import { SeededRandom } from '../../seeded-random.ts'
import { Disk } from './disk/disk.ts'
import { imageOf } from './disk/image.ts'
import { TraceReader } from './disk/trace.ts'
import { DATABASE, missing, readFiles, SCRATCH, writeFiles } from './recording.ts'

const ID = 'cut'
const BACKED_UP = 3
const LOST = 5
const IMAGES = 6
const MODULE = join(import.meta.dir, '../../../server/engines/sqlite/file/replacement.ts')

let scratch = ''

beforeAll(() => {
  scratch = realpathSync(mkdtempSync(join(SCRATCH, 'milepost-restore-')))
})

afterAll(() => rmSync(scratch, { recursive: true }))

/** A folder with a database whose newer events are in the WAL, and the draft of its replacement. */
async function prepare(): Promise<string> {
  const [running, folder] = [join(scratch, 'running'), join(scratch, 'data')]
  mkdirSync(folder)
  const engine = await SqliteEngine.open(join(running, DATABASE))
  await engine.create(newJob({ id: ID }))
  for (let id = 0; id < BACKED_UP; id++) await publish(engine, ID, [{ type: 'item', id: `${id}` }])
  backUp(join(running, DATABASE), join(folder, `${DATABASE}-restored`))
  for (let id = 0; id < LOST; id++) await publish(engine, ID, [{ type: 'item', id: `lost ${id}` }])
  for (const name of [DATABASE, `${DATABASE}-wal`]) copyFileSync(join(running, name), join(folder, name))
  await engine.close()
  return folder
}

if (missing) test.skip(`restore when the power is cut (${missing})`, () => {})
else
  test('restore leaves the old database or the new one, whole, whenever the power is cut', async () => {
    const folder = await prepare()
    const base = readFiles(folder)
    const trace = join(scratch, 'trace')
    const script = `(await import('${MODULE}')).replaceByDraft('${join(folder, DATABASE)}')`
    const options = ['-f', '-qq', '-y', '-s', '16777216', '-o', trace, '--trace=fsync,rename,unlink']
    const { exitCode, stderr } = Bun.spawnSync(['strace', ...options, process.execPath, '-e', script])
    expect([exitCode, stderr.toString()]).toEqual([0, ''])
    const reader = new TraceReader(folder)
    for (const line of readFileSync(trace, 'latin1').trimEnd().split('\n')) reader.take(line)
    expect([...readFiles(folder).keys()]).toEqual([join(folder, DATABASE)])

    const random = new SeededRandom(20_261_129)
    const disk = new Disk({}, base)
    const versions = new Set<number>()
    for (const change of reader.traced) {
      disk.take(change)
      for (let count = 0; count < IMAGES; count++) {
        const image = join(scratch, 'image')
        await writeFiles(image, imageOf(disk, random))
        const engine = await SqliteEngine.open(join(image, DATABASE))
        const { version, items } = await documentOf(engine, ID)
        expect(items).toHaveLength(version - 1)
        versions.add(version)
        await engine.close()
        rmSync(image, { recursive: true })
      }
    }
    expect([...versions].sort()).toEqual([1 + BACKED_UP, 1 + BACKED_UP + LOST])
  }, 60_000)
