import { describe, expect, test } from 'bun:test'
import { SeededRandom } from '../../../seeded-random.ts'
import { PAGE, SECTOR } from './cached-file.ts'
import { Disk, type DiskOptions } from './disk.ts'
import { imageOf, type Leftover } from './image.ts'
import type { Traced } from './trace.ts'

const FILE = '/data/a'
const bytes = (value: number, length: number) => new Uint8Array(length).fill(value)
const open = (path = FILE): Traced => ({ kind: 'open', path, truncates: false })
const write = (value: number, offset = 0, length = PAGE): Traced => {
  return { kind: 'write', path: FILE, offset, data: bytes(value, length) }
}
let syncs = 0
function sync(path = FILE, isDone = true): Traced[] {
  syncs += 1
  return [
    { kind: 'sync', path, id: syncs },
    { kind: 'synced', id: syncs, isDone },
  ]
}

function diskAfter(traced: Traced[], options: DiskOptions = {}): Disk {
  const disk = new Disk(options)
  for (const one of traced) disk.take(one)
  return disk
}

/** All that the disk may hold, as texts of the first byte of each sector. */
function possible(disk: Disk, leftover?: Leftover): Set<string> {
  const random = new SeededRandom(1)
  const seen = new Set<string>()
  for (let count = 0; count < 300; count++) {
    const content = imageOf(disk, random, leftover).get('a')
    const sectors = content && Array.from({ length: Math.ceil(content.length / SECTOR) }, (_, n) => content[n * SECTOR])
    seen.add(sectors ? sectors.join('') : 'no file')
  }
  return seen
}

describe('Disk', () => {
  test('Disk keeps what was written before a sync that succeeded, and no more for certain', () => {
    const disk = diskAfter([open(), write(1), ...sync(), write(2)])
    expect(possible(disk, 'nothing')).toEqual(new Set(['11111111']))
    expect(possible(disk, 'everything')).toEqual(new Set(['22222222']))
    expect(possible(disk, 'any pages')).toEqual(new Set(['11111111', '22222222']))
  })

  test('Disk tears pages at their sectors, and nowhere else', () => {
    const torn = possible(diskAfter([open(), write(1), ...sync(), write(2), write(3, SECTOR, SECTOR)]), 'any sectors')
    expect(torn.size).toBeGreaterThan(100)
    for (const sectors of torn) expect(sectors).toMatch(/^[12][123][12]{6}$/)
  })

  test('Disk does not take a sync for what was written after it began', () => {
    const [begins, ends] = sync() as [Traced, Traced]
    const disk = diskAfter([open(), write(1), begins, write(2), ends])
    expect(possible(disk, 'any pages')).toEqual(new Set(['11111111', '22222222']))
  })

  test('Disk may have written one file and not another that came first', () => {
    const other: Traced = { kind: 'write', path: '/data/b', offset: 0, data: bytes(1, SECTOR) }
    const disk = diskAfter([open(), open('/data/b'), ...sync(), ...sync('/data/b'), write(1, 0, SECTOR), other])
    const random = new SeededRandom(1)
    const images = Array.from({ length: 300 }, () => imageOf(disk, random))
    const seen = new Set(images.map((image) => `${image.get('a')?.[0] ?? '-'}${image.get('b')?.[0] ?? '-'}`))
    for (const both of ['--', '11', '-1', '1-']) expect(seen).toContain(both)
  })

  test('Disk has the name of a new file for certain once the file or its folder was synced, and loses one only with its folder', () => {
    const removed: Traced = { kind: 'unlink', path: FILE }
    expect(possible(diskAfter([open()]))).toContain('no file')
    for (const path of [FILE, '/data']) expect(possible(diskAfter([open(), ...sync(path)]))).not.toContain('no file')
    expect(possible(diskAfter([open(), ...sync(), removed]))).toEqual(new Set(['', 'no file']))
    expect(possible(diskAfter([open(), ...sync(), removed, ...sync('/data')]))).toEqual(new Set(['no file']))
  })

  test('Disk has the name of a file for certain that took the place of one whose removal was never synced', () => {
    const again: Traced[] = [{ kind: 'unlink', path: FILE }, open(), write(2), ...sync()]
    const disk = diskAfter([open(), write(1), ...sync(), ...again])
    expect(possible(disk)).toEqual(new Set(['22222222']))
    for (const one of sync('/data')) disk.take(one)
    expect(possible(disk)).toEqual(new Set(['22222222']))
  })

  test('Disk brings back nothing behind the end of a truncated file', () => {
    const truncate: Traced = { kind: 'truncate', path: FILE, size: 0 }
    const disk = diskAfter([open(), write(1, 0, 2 * PAGE), ...sync(), truncate, write(2)])
    for (const sectors of possible(disk)) expect(sectors).toMatch(/^(1{16}|[02]{0,8})$/)
  })

  test('Disk writes pages of a failed sync with the next one when they stay dirty', () => {
    const disk = diskAfter([open(), ...sync(), write(1), ...sync(FILE, false), ...sync()], { afterFailure: 'dirty' })
    expect(possible(disk)).toEqual(new Set(['11111111']))
  })

  test('Disk may lose pages of a failed sync, whatever is synced later, when they are taken for clean', () => {
    const failed = [open(), write(1), ...sync(), write(2), ...sync(FILE, false)]
    const lost = diskAfter([...failed, ...sync()], { afterFailure: 'clean' })
    expect(possible(lost, 'any pages')).toEqual(new Set(['11111111', '22222222']))
    const again = diskAfter([...failed, write(3, 0, 1), ...sync()], { afterFailure: 'clean' })
    expect(possible(again)).toEqual(new Set(['32222222']))
  })

  test('Disk takes no note of syncs that it is to ignore', () => {
    const disk = diskAfter([open(), ...sync('/data'), write(1), ...sync()], { ignoresSyncOf: (path) => path === FILE })
    expect(possible(disk, 'nothing')).toEqual(new Set(['']))
  })
})
