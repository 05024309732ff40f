import { describe, expect, test } from 'bun:test'
import { partitionIndex, partitionsFor, slotOf } from '../../../../../../server/engines/redis/cluster/partitions.ts'
import { SeededRandom } from '../../../../../seeded-random.ts'

describe('partitions', () => {
  test('slotOf computes the slot of a hash tag as servers do', () => {
    // From the Redis Cluster specification, and of "redis-cli cluster keyslot".
    expect([slotOf('123456789'), slotOf('foo'), slotOf('')]).toEqual([0x31c3, 12_182, 0])
  })

  test('partitionsFor a cluster gives one partition to each 64th of the slots', () => {
    const partitions = partitionsFor(true)
    expect(partitions.map(({ slot }) => slot >> 8)).toEqual(Array.from({ length: 64 }, (_, index) => index))
    expect(partitions.map(({ index }) => index)).toEqual(Array.from({ length: 64 }, (_, index) => index))
  })

  test('partitionsFor a server that is no cluster is one', () => {
    expect(partitionsFor(false)).toHaveLength(1)
  })

  test('partitionIndex spreads jobs evenly, and is the same for an id for ever', () => {
    expect(['job-1', 'export-7', '0', 'k3x9-42'].map((id) => partitionIndex(id, 64))).toEqual([22, 55, 47, 17])
    expect(partitionIndex('job-1', 1)).toBe(0)
    const random = new SeededRandom(1)
    const counts = Array.from({ length: 64 }, () => 0)
    for (let job = 0; job < 64_000; job++) {
      const index = partitionIndex(`${random.number()}`, 64)
      counts[index] = (counts[index] ?? 0) + 1
    }
    expect(Math.min(...counts)).toBeGreaterThan(800)
    expect(Math.max(...counts)).toBeLessThan(1_200)
  })
})
