import { expect, test } from 'bun:test'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { SeededRandom } from '../seeded-random.ts'
import { check } from './power-cut/check/check.ts'
import { History } from './power-cut/check/history.ts'
import { Known } from './power-cut/check/known.ts'
import { DATABASE, missing, publish, SCRATCH } from './power-cut/recording.ts'

interface Story {
  jobs: string[]
  kills: number
  /** The most that a publisher says before it is killed. */
  most: number
}

const small: Story = { jobs: ['mixed-a', 'mixed-b', 'progress-c'], kills: 10, most: 600 }
/** They fill the log again and again, so that some are killed while it is moved into the file. */
const large: Story = { jobs: ['large-a', 'large-b', 'progress-c'], kills: 8, most: 120 }

/**
 * Kills publisher after publisher of one file, and checks it now and then.
 *
 * @param early how likely one is killed while it opens the file, or recovers what the one before left
 * @returns how many batches were acknowledged
 */
async function killAgainAndAgain(
  folder: string,
  { jobs, kills, most }: Story,
  random: SeededRandom,
  early: number,
): Promise<number> {
  const known = new Known(new History())
  let acknowledged = 0
  for (let kill = 1; kill <= kills; kill++) {
    const when = random.chance(early) ? { killAt: 1 + random.below(40) } : { killAfter: 1 + random.below(most) }
    const said = await publish(join(folder, DATABASE), kill, { jobs, batches: 0, ...when })
    for (const one of said) {
      known.take(one)
      if (one.say === 'saw' && one.how === 'answer') acknowledged += 1
    }
    // Otherwise the next publisher finds the file as the killed one left it.
    if (kill === kills || random.chance(0.5)) await check(folder, known, jobs, false)
  }
  return acknowledged
}

if (missing) test.skip(`SqliteEngine after kill -9 (${missing})`, () => {})
else {
  test.each([
    ['among small batches', small],
    ['while two producers fill the log with large batches', large],
  ])(
    'SqliteEngine has all that anyone knew of, and no part of a batch, after kill -9 %s',
    async (_, story) => {
      const folder = await mkdtemp(join(SCRATCH, 'milepost-kill-'))
      const acknowledged = await killAgainAndAgain(folder, story, new SeededRandom(20_260_101), 0.3)
      expect(acknowledged).toBeGreaterThan(20)
      await rm(folder, { recursive: true })
    },
    180_000,
  )

  test('SqliteEngine opens a file whose maker was killed while it made it', async () => {
    const random = new SeededRandom(20_260_102)
    const top = await mkdtemp(join(SCRATCH, 'milepost-kill-'))
    for (let count = 0; count < 4; count++) {
      const folder = join(top, `${count}`)
      await mkdir(folder)
      await killAgainAndAgain(folder, { ...small, kills: 1 + random.below(3) }, random, 1)
    }
    await rm(top, { recursive: true })
  }, 180_000)
}
