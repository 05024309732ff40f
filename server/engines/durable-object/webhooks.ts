import { systemClock, systemRandom } from '../../../shared/time/clock.ts'
import type { Delivery } from '../../jobs/background/deliveries.ts'
import type { StoredJob } from '../../jobs/engine.ts'
import { parseRange } from '../../support/ip-address.ts'
import { type AttemptParts, attempt } from '../../webhooks/attempt.ts'
import { Sender } from '../../webhooks/sender.ts'
import { fetchTransport, type WebhookTransport } from '../../webhooks/transport.ts'
import { Undelivered } from '../../webhooks/undelivered.ts'
import { type ObjectBindings, objectNotes } from './calls.ts'

/** How Workers send: Cloudflare connects them to the public internet only. A local `wrangler dev` reaches more by name. */
export const workerTransport: WebhookTransport = { ...fetchTransport, reachesPublicOnly: true }

/** Attempts at once: a request may have six connections open. */
const AT_ONCE = 4

const listOf = (text: unknown) => (typeof text === 'string' && text.trim() !== '' ? text.split(',') : [])

/** The URLs in the settings, which an object finds in its environment. */
export function webhookUrlsIn(env: object): string[] {
  return listOf(Reflect.get(env, 'MILEPOST_WEBHOOK_URLS')).map((url) => url.trim())
}

/** Makes the attempts that are due of a job. Its object knows the secret and the networks by the settings in its environment. */
export async function deliverDue(
  { marks, header }: StoredJob,
  env: ObjectBindings,
  apply: AttemptParts['apply'],
): Promise<void> {
  const due = (marks.deliveries ?? []).filter(({ at }) => at <= systemClock.now())
  if (due.length === 0) return
  const secrets = listOf(Reflect.get(env, 'MILEPOST_SECRET')).map((secret) => secret.trim())
  const networks = listOf(Reflect.get(env, 'MILEPOST_WEBHOOK_NETWORKS')).flatMap(
    (text) => parseRange(text.trim()) ?? [],
  )
  const clock = systemClock
  const sender = new Sender({ secrets, networks, clock, transport: workerTransport })
  const undelivered = new Undelivered({ notes: objectNotes(env), clock, random: systemRandom })
  const parts: AttemptParts = { apply, sender, undelivered, clock, random: systemRandom }
  for (let at = 0; at < due.length; at += AT_ONCE) {
    const slice = due.slice(at, at + AT_ONCE)
    await Promise.all(slice.map((delivery: Delivery) => attempt({ marks, header }, delivery, parts)))
  }
}
