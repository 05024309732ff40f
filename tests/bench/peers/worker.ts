import { readFileSync } from 'node:fs'
import { Workerd } from '../../conformance/workers/workerd.ts'
import { accessToken } from '../../support/tokens.ts'
import { processTree } from '../usage.ts'
import { type Peer, pin } from './peer.ts'

/**
 * Milepost in workerd.
 *
 * It has no peer there: what Hono's `streamSSE` writes to the stream of another request is lost on workerd, so it can't tell many of one.
 */
export const worker: Peer = {
  name: 'Milepost, workerd',
  missing: () => (Bun.which('node') ? undefined : 'node is not installed'),
  async start() {
    const token = await accessToken('bench')
    const workerd = await Workerd.start('wrangler.jsonc')
    const pid = processTree(process.pid).find(runsWorker)
    if (!pid) throw new Error('There is no workerd')
    pin('server', pid)
    const paths = { publishPath: '/api/jobs/{job}/events', watchPath: '/api/jobs/{job}/progress' }
    const port = Number(new URL(workerd.url).port)
    return { target: { ...paths, wire: 'milepost', token, pid, port }, stop: () => workerd.stop() }
  },
}

const runsWorker = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('bin/workerd')
