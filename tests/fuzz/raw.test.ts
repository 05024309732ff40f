import { describe, expect, test } from 'bun:test'
import { fuzzConnections } from './raw.ts'

describe('fuzz of connections', () => {
  test('fuzz: whatever bytes a connection brings, the server answers or closes it, keeps nothing of it, and goes on', async () => {
    const seen = await fuzzConnections({ seed: 1, connections: 3_000 })
    expect([...seen.keys()]).toEqual(expect.arrayContaining(['200', '400', '401', '404', '413', '415', '422']))
  }, 120_000)
})
