/**
 * Cuts the power of a SQLite engine thousands of times: `bun tests/faults/power-cut/main.ts --images 10000 --seed 1`. With
 * `--only WORDS` of those recordings alone whose names have them. Prints how many disks it checked, and what was wrong with which.
 */
import { parseArgs } from 'node:util'
import { checkRecording, cutPower, type Violation } from './cuts.ts'
import { recipes } from './recipes.ts'
import { missing } from './recording.ts'

/** Images of one recording: then another is made, for the same story takes another course each time. */
const IMAGES_A_RECORDING = 100

const { values } = parseArgs({
  options: {
    images: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
  },
})
if (missing) throw new Error(missing)
const chosen = Object.entries(recipes).filter(([name]) => name.includes(values.only))
if (chosen.length === 0) throw new Error(`No recording has "${values.only}" in its name`)
const wanted = Number(values.images)
const seed = Number(values.seed)
let images = 0
let wrong = 0
for (let round = 0; images < wanted; round++) {
  for (const [name, recipe] of chosen) {
    const count = Math.min(IMAGES_A_RECORDING, wanted - images)
    if (count === 0) break
    const recording = await recipe.record(seed + round)
    checkRecording(recording)
    const { afterFailure } = recipe
    const violations = await cutPower(recording, { images: count, seed: seed + round, afterFailure })
    images += count
    wrong += violations.length
    console.log(`${images} of ${wanted}: ${name}, ${count} images, ${violations.length} wrong`)
    for (const [message, times] of tally(violations)) console.log(`  ${times} × ${message}`)
  }
}
console.log(`${images} images checked, ${wrong} wrong`)
process.exit(wrong > 0 ? 1 : 0)

/** What was wrong how often, whatever the numbers in it. */
function tally(violations: readonly Violation[]): Map<string, number> {
  const times = new Map<string, number>()
  for (const { message } of violations) {
    const kind = message
      .replaceAll(/\S*milepost-image-\w+\//g, '')
      .replaceAll(/\d+/g, 'N')
      .slice(0, 160)
    times.set(kind, (times.get(kind) ?? 0) + 1)
  }
  return times
}
