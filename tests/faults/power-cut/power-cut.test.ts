import { expect, test } from 'bun:test'
import { checkRecording, cutPower } from './cuts.ts'
import { recipes } from './recipes.ts'
import { missing } from './recording.ts'

const IMAGES = 10

if (missing) test.skip(`SqliteEngine when the power is cut (${missing})`, () => {})
else
  test.each(Object.entries(recipes))(
    'SqliteEngine has all that anyone knew of when the power is cut %s',
    async (_, recipe) => {
      const recording = await recipe.record(1)
      checkRecording(recording)
      const { afterFailure, isLarge = false } = recipe
      expect(await cutPower(recording, { images: isLarge ? IMAGES / 2 : IMAGES, seed: 1, afterFailure })).toEqual([])
    },
    180_000,
  )
