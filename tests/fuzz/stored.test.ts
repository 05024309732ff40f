import { describe, expect, test } from 'bun:test'
import { fuzzStored } from './stored.ts'

describe('fuzz of what is stored', () => {
  test('fuzz: whatever is wrong in a file, the server refuses it, or answers with a problem, and shows nobody what is another’s', async () => {
    const { statuses } = await fuzzStored({ seed: 1, files: 20 })
    expect(statuses.get(200)).toBeGreaterThan(0)
  }, 120_000)
})
