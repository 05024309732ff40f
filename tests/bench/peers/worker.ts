import { readFileSync } from 'node:fs'
import { Wrangler } from '../../conformance/workers/wrangler.ts'
import { accessToken } from '../../support/tokens.ts'
import { processTree } from '../usage.ts'
import { type Peer, pin } from './peer.ts'

/**
 * Milepost in workerd, as `wrangler dev` runs it. What is measured is the workerd that runs it, without the proxy in front.
 *
 * It has no peer there: what Hono's `streamSSE` writes to the stream of another request is lost on workerd, so it can't tell many of one.
 */
export const worker: Peer = {
  name: 'Milepost, workerd',
  missing: () => (Bun.which('node') ? undefined : 'node is not installed'),
  async start() {
    const token = await accessToken('bench')
    const wrangler = await Wrangler.start('wrangler.jsonc')
    const pid = processTree(process.pid).find(runsWorker)
    if (!pid) throw new Error('There is no workerd')
    pin('server', pid)
    const paths = { publishPath: '/api/jobs/{job}/events', watchPath: '/api/jobs/{job}/progress' }
    const port = Number(new URL(wrangler.url).port)
    return { target: { ...paths, wire: 'milepost', token, pid, port }, stop: () => wrangler.stop() }
  },
}

/** Of the two of a `wrangler dev` the one that can be inspected runs the Worker. */
const runsWorker = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('--inspector-addr')
