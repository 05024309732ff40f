/** What a row of a loop of a million pays for `job.track` and for `job.progress`, on Bun and on Node: `bun tests/bench/ticks.ts`. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endAll } from '../support/at-end.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'
import { median } from './results.ts'

const LOOPS = join(import.meta.dir, 'load/ticks.ts')

const folder = await mkdtemp(join(tmpdir(), 'milepost-ticks-'))
const server = await ServerProcess.start()
try {
  const built = join(folder, 'ticks.mjs')
  await Bun.$`${process.execPath} build ${LOOPS} --target=node --outfile=${built}`.quiet()
  for (const [runtime, command] of [
    [`Bun ${Bun.version}`, [process.execPath, LOOPS]],
    [`Node ${(await Bun.$`node --version`.text()).trim()}`, ['node', built]],
  ] as const) {
    const costs: Record<string, number[]> = await Bun.$`${command} ${server.url} ${await accessToken('ada')}`.json()
    for (const [name, runs] of Object.entries(costs)) {
      const [middle, most] = [median(runs), Math.max(...runs)].map((ns) => ns.toFixed(0))
      console.log(`${runtime}, job.${name}: ${middle} ns a row, at most ${most}`)
    }
  }
} finally {
  await server[Symbol.asyncDispose]()
  await endAll()
  await rm(folder, { recursive: true })
}
