import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { SeededRandom } from '../../seeded-random.ts'
import { check } from './check/check.ts'
import { History, mustBe } from './check/history.ts'
import { Known } from './check/known.ts'
import { Disk, type DiskOptions } from './disk/disk.ts'
import { imageOf, type Leftover } from './disk/image.ts'
import { type Earlier, type Recording, SCRATCH, writeFiles } from './recording.ts'
import type { Said } from './workload/said.ts'

export interface CutOptions extends DiskOptions {
  images: number
  seed: number
  /** What every power cut leaves. By default anything. */
  leftover?: Leftover
}

/** An image that is not as it should be. */
export interface Violation {
  /** How much of the recording had happened, of how much. */
  at: number
  of: number
  message: string
}

/** Cuts the power at random moments of a recording, and checks what the disk may then hold. */
export async function cutPower(recording: Recording, options: CutOptions): Promise<Violation[]> {
  const { images, seed, leftover } = options
  const random = new SeededRandom(seed)
  const playback = new Playback(recording, options)
  const violations: Violation[] = []
  for (const at of momentsOf(recording, images, random)) {
    const folder = await mkdtemp(join(SCRATCH, 'milepost-image-'))
    try {
      playback.goTo(at)
      await writeFiles(folder, imageOf(playback.disk, random, leftover))
      await check(folder, playback.known, jobsOf(recording))
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      violations.push({ at, of: recording.traced.length, message })
    } finally {
      await rm(folder, { recursive: true })
    }
  }
  return violations
}

/** What a random power cut leaves, to go on with. */
export function cutOnce(recording: Recording, seed: number, options: DiskOptions = {}): Earlier {
  const random = new SeededRandom(seed)
  const [at = 0] = momentsOf(recording, 1, random)
  const playback = new Playback(recording, options)
  playback.goTo(at)
  return { image: imageOf(playback.disk, random), said: playback.said }
}

/** Checks that a recording has everything: played back, it comes to the very files. */
export function checkRecording(recording: Recording): void {
  const { traced, files } = recording
  const { disk } = new Playback(recording, {}).goTo(traced.length)
  mustBe('The files of the recording', [...disk.files.keys()].sort(), [...files.keys()].sort())
  for (const [path, file] of disk.files)
    if (Buffer.compare(file.content, files.get(path) ?? new Uint8Array(0)) !== 0)
      throw new Error(`The recording of ${path} is not what the file holds`)
}

/** A recording up to a moment: what the disk may hold, and what was known. */
class Playback {
  readonly disk: Disk
  readonly known = new Known(new History())
  readonly said: Said[] = []
  readonly #recording: Recording
  #at = 0

  constructor(recording: Recording, options: DiskOptions) {
    this.#recording = recording
    this.disk = new Disk(options, recording.base)
    for (const said of recording.before) this.#take(said)
  }

  goTo(at: number): this {
    for (const one of this.#recording.traced.slice(this.#at, at)) {
      this.#at += 1
      this.disk.take(one)
      if (one.kind === 'said') this.#take(one.said)
    }
    return this
  }

  #take(said: Said): void {
    this.said.push(said)
    this.known.take(said)
  }
}

function jobsOf({ before, traced }: Recording): string[] {
  const said = [...before, ...traced.flatMap((one) => (one.kind === 'said' ? one.said : []))]
  return [...new Set(said.flatMap((one) => (one.say === 'create' ? one.job : [])))]
}

/** In order. Half of them right after something was said, when there is most to lose; the others anywhere. */
function momentsOf({ traced }: Recording, count: number, random: SeededRandom): number[] {
  const said = traced.flatMap((one, index) => (one.kind === 'said' ? index + 1 : []))
  const anywhere = () => random.below(traced.length + 1)
  const moments = Array.from({ length: count }, () =>
    random.chance(0.5) ? (said[random.below(said.length)] ?? anywhere()) : anywhere(),
  )
  return moments.sort((one, other) => one - other)
}
