import { owned, type Peer, pinned } from './peers/peer.ts'
import type { Contestant } from './row.ts'
import type { Figures, Options } from './target.ts'
import type { WorkloadName } from './workloads/index.ts'

/** A load generator that takes longer than this hangs: milliseconds. */
const PATIENCE_MS = 60_000

/** Servers that each are started anew for a workload, and asked by a load generator on a core of its own. */
export function underLoad(workload: WorkloadName, peers: readonly Peer[]): Contestant[] {
  return peers.map((peer) => ({
    name: peer.name,
    missing: () => peer.missing(),
    measure: (options) => measureUnderLoad(peer, workload, options),
  }))
}

/** Contestants that are measured when they are asked for. */
export const extra = (contestants: readonly Contestant[]): Contestant[] =>
  contestants.map((contestant) => ({ ...contestant, isExtra: true }))

/** One run of a workload against a server started for it. @throws Error when the load generator fails or hangs */
export async function measureUnderLoad(peer: Peer, workload: WorkloadName, options: Options): Promise<Figures> {
  const { target, stop } = await peer.start()
  try {
    const task = JSON.stringify({ workload, target, options })
    const child = owned(
      Bun.spawn(pinned('load', [process.execPath, 'tests/bench/load/main.ts', task]), {
        stdio: ['ignore', 'pipe', 'inherit'],
        timeout: PATIENCE_MS,
      }),
    )
    const output = await new Response(child.stdout).text()
    if ((await child.exited) !== 0) throw new Error(`The load generator failed at ${workload}`)
    return JSON.parse(output)
  } finally {
    await stop()
  }
}
