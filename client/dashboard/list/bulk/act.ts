import { jobPath } from '../../../../shared/wire/paths.ts'
import { base } from '../../navigation.ts'
import { type Refusal, refusalOf } from '../../refusal.ts'

/** What is done with many jobs. */
export type Act = 'cancel' | 'delete'

/** Requests at a time. */
const AT_ONCE = 6

/**
 * Cancels or deletes jobs, each by a request of its own. Requests go on when the page is closed. A job that has ended, or is gone, is no
 * failure: it is what was wanted.
 *
 * @returns the refusals, by id
 */
export async function actOnAll(act: Act, ids: readonly string[]): Promise<Map<string, Refusal>> {
  const refused = new Map<string, Refusal>()
  const queue = [...ids]
  const work = async () => {
    for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
      const [path, method] = act === 'cancel' ? [`${jobPath(id)}/cancel`, 'POST'] : [jobPath(id), 'DELETE']
      const response = await fetch(new URL(path, base), { method, redirect: 'error', keepalive: true }).catch(
        () => undefined,
      )
      const isDone = response?.ok || response?.status === (act === 'cancel' ? 409 : 404)
      if (!isDone) refused.set(id, refusalOf(response?.status ?? 0, (await response?.text().catch(() => '')) ?? ''))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return refused
}
