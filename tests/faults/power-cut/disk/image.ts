import { basename } from 'node:path'
import type { SeededRandom } from '../../../seeded-random.ts'
import { type CachedFile, PAGE, SECTOR } from './cached-file.ts'
import { type Disk, setName } from './disk.ts'

/** How much of what was not synced a power cut leaves. */
export const leftovers = [
  'nothing',
  'everything',
  'any sectors',
  'any pages',
  'all but a few sectors',
  'a few sectors alone',
  'what was there at a moment',
] as const
export type Leftover = (typeof leftovers)[number]

/**
 * What a disk may hold after a power cut now, by the names of the files.
 *
 * @param leftover one for all files; otherwise one for each, at random
 */
export function imageOf(disk: Disk, random: SeededRandom, leftover?: Leftover): Map<string, Uint8Array> {
  const choose = () => leftover ?? leftovers[random.below(leftovers.length)] ?? 'nothing'
  const names = new Map(disk.durable)
  const kept = choose()
  // As a journal has them: up to some moment. Or any of them.
  const until = momentBefore(disk.at, random)
  for (const { at, names: changed } of disk.changes) {
    const isThere =
      kept === 'everything' || (kept !== 'nothing' && (kept === 'any sectors' ? random.chance(0.5) : at <= until))
    if (isThere) for (const [path, file] of changed) setName(names, path, file)
  }
  return new Map([...names].map(([path, file]) => [basename(path), contentOf(file, disk.at, random, choose())]))
}

/** Most of what is not on the disk yet is of the last few changes. */
function momentBefore(now: number, random: SeededRandom): number {
  return now - random.below(Math.min(now, random.chance(0.5) ? 40 : 1_000) + 1)
}

function contentOf(file: CachedFile, now: number, random: SeededRandom, leftover: Leftover): Uint8Array {
  if (leftover === 'everything') return file.content
  const moment = momentBefore(now, random)
  const sizedAt =
    leftover === 'nothing' ? 0 : leftover === 'what was there at a moment' ? moment : momentBefore(now, random)
  const size = file.sizes.findLast(({ at }) => at <= sizedAt)?.size ?? file.durableSize
  const content = new Uint8Array(Math.ceil(size / PAGE) * PAGE)
  content.set(file.content.subarray(0, content.length))
  for (const [number, { durable, versions }] of file.loose) {
    if (number * PAGE >= size) continue
    const possible = [{ at: 0, bytes: durable }, ...versions].filter(({ at }) => isPossible(file, number, at, sizedAt))
    const states = possible.map(({ bytes }) => bytes)
    const any = () => random.below(states.length)
    const atMoment = possible.findLastIndex(({ at }) => at <= moment)
    const pageState = leftover === 'any pages' ? any() : Math.max(0, atMoment)
    for (let offset = 0; offset < PAGE; offset += SECTOR) {
      const state = stateOf(leftover, states.length, pageState, any, random)
      const sector = states[state]?.subarray(offset, offset + SECTOR)
      if (sector) content.set(sector, number * PAGE + offset)
    }
  }
  return content.subarray(0, size)
}

/** What lies behind the end of a truncated file is lost with the truncation, and what was written there later has to come after it. */
function isPossible({ truncations }: CachedFile, number: number, at: number, sizedAt: number): boolean {
  return truncations.every((truncation) => {
    if (truncation.size > number * PAGE) return true
    return truncation.at <= sizedAt ? at >= truncation.at : at < truncation.at
  })
}

function stateOf(leftover: Leftover, count: number, page: number, any: () => number, random: SeededRandom): number {
  switch (leftover) {
    case 'nothing':
      return 0
    case 'everything':
      return count - 1
    case 'any sectors':
      return any()
    case 'all but a few sectors':
      return random.chance(0.02) ? any() : count - 1
    case 'a few sectors alone':
      return random.chance(0.05) ? any() : 0
    case 'any pages':
    case 'what was there at a moment':
      return page
  }
}
