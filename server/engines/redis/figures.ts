import { type JobStatus, jobStatuses } from '../../../shared/document/job.ts'
import { MAX_CREATORS, MAX_KINDS, type StoreFigures } from '../../jobs/engine.ts'
import { BLOCK_BYTES } from '../../jobs/kept.ts'
import { parseInfo } from './connection/node.ts'
import { originalText } from './keys.ts'
import { scripts } from './scripts/scripts.ts'
import type { Place, RedisStore } from './store.ts'

type Reply = [byStatus: number[], kinds: string[], byKind: number[], creators: string[]]

/**
 * Counts what the store has, from the sizes of indexes. `bytes` is the memory of its servers, with what other programs have there.
 *
 * @param most highest number to count to
 */
export async function figuresOf(store: RedisStore, most: number): Promise<StoreFigures> {
  const replies = await Promise.all(store.places.map((place) => readPartition(store, place)))
  const byStatus: Partial<Record<JobStatus, number>> = {}
  for (const [index, status] of jobStatuses.entries())
    byStatus[status] = Math.min(most, sumOf(replies.map(([counts]) => counts[index] ?? 0)))
  const byKind = new Map<string, number>()
  for (const [, kinds, jobs] of replies)
    for (const [index, kind] of kinds.entries()) byKind.set(kind, (byKind.get(kind) ?? 0) + (jobs[index] ?? 0))
  return {
    bytes: await usedMemory(store),
    byStatus,
    // Each partition has its first kinds in the same order, so that of the first of all nothing is missing.
    byKind: [...byKind]
      .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      .slice(0, MAX_KINDS)
      .map(([kind, jobs]) => ({ kind: originalText(kind), jobs: Math.min(most, jobs) })),
    creators: await largest(store, [...new Set(replies.flatMap(([, , , names]) => names))].map(originalText), most),
  }
}

function readPartition({ nodes }: RedisStore, place: Place): Promise<Reply> {
  const { keys } = place
  const indexes = jobStatuses.map((status) => keys.list(undefined, 'status', status))
  const args = [keys.list(undefined, 'kind'), `${MAX_KINDS}`, `${MAX_CREATORS}`]
  return nodes.read<Reply>(place, scripts.figures, [keys.kinds, keys.creators, ...indexes], args)
}

/** The creators with the largest documents, among those with the largest ones in a partition. */
async function largest(store: RedisStore, subs: string[], most: number): Promise<StoreFigures['creators']> {
  const standings = await Promise.all(subs.map(async (sub) => ({ sub, ...(await store.standing(sub)) })))
  return standings
    .sort((a, b) => b.blocks - a.blocks || (a.sub < b.sub ? -1 : 1))
    .slice(0, MAX_CREATORS)
    .map(({ sub, live, jobs, blocks }) => ({ sub, live: Math.min(most, live), jobs, bytes: blocks * BLOCK_BYTES }))
}

async function usedMemory({ nodes, places }: RedisStore): Promise<number> {
  const byServer = new Map(places.map((place) => [nodes.home(place), place]))
  const texts = await Promise.all([...byServer.values()].map((place) => nodes.call<string>(place, ['INFO', 'memory'])))
  return sumOf(texts.map((text) => Number(parseInfo(text).used_memory)))
}

const sumOf = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0)
