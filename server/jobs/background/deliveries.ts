import type { AppliedEvent } from '../../../shared/document/events.ts'
import type { JobHeader } from '../../../shared/document/job.ts'
import type { WebhookType } from '../../../shared/wire/webhooks.ts'

/** A webhook that is still to be sent: an event of a job, to one URL. Stored with the job, in the commit of the event. */
export interface Delivery {
  url: string
  /** The URL is from the server's settings. Omitted: from the job's `notify`. */
  ofServer?: true
  type: WebhookType
  /** Of `job.asked`: the id of the ask. */
  ask?: string
  /** The version of the event. */
  version: number
  /** When the event was applied: ISO 8601. */
  occurredAt: string
  /** When to try next: milliseconds since the Unix epoch. */
  at: number
  /** Attempts so far. */
  tries: number
}

/** What the server stores of a job's webhooks. */
export interface WebhookMarks {
  /** The URLs that the job was created with. */
  notify?: readonly string[]
  /** Omitted: none. */
  deliveries?: readonly Delivery[]
}

/**
 * Replaces one delivery of a job, unless it has changed meanwhile. Without `from` adds one; without `to` removes one.
 *
 * The process that counts an attempt in this way is the one that makes it.
 */
export interface DeliveryChange {
  from?: Delivery
  to?: Delivery
  /** The receiver is gone for good: this job sends it nothing more. */
  isGone?: true
}

/** Most asks of a job that are still to be delivered to one URL; the oldest are dropped. */
const MAX_ASKED = 20

/** The webhook that an event causes, if any. An ask that is asked again is not told again. */
function webhookTypeOf(before: JobHeader, event: AppliedEvent): WebhookType | undefined {
  if (event.type === 'ask') return before.asks?.some(({ id }) => id === event.id) ? undefined : 'job.asked'
  if (event.type !== 'status') return undefined
  const { status } = event
  return status === 'completed' || status === 'failed' || status === 'cancelled' ? `job.${status}` : undefined
}

/** Adds the deliveries that an event causes. @param before the job without the event. @param serverUrls from the server's settings */
export function addDeliveries(
  marks: WebhookMarks,
  before: JobHeader,
  event: AppliedEvent,
  serverUrls: readonly string[] = [],
): void {
  const { notify = [], deliveries = [] } = marks
  if (notify.length === 0 && serverUrls.length === 0) return
  const type = webhookTypeOf(before, event)
  if (type === undefined) return
  const { version, at: occurredAt } = event
  const ask = event.type === 'ask' ? { ask: event.id } : {}
  const delivery = { type, ...ask, version, occurredAt, at: Date.parse(occurredAt), tries: 0 }
  // A URL that is named twice is told once.
  const ofServer = [...new Set(serverUrls)].map((url): Delivery => ({ url, ofServer: true, ...delivery }))
  const ofJob = [...new Set(notify)].filter((url) => !serverUrls.includes(url))
  const isOldAsk = ({ type, url }: Delivery, index: number) =>
    type === 'job.asked' &&
    deliveries.slice(index).filter((other) => other.type === type && other.url === url).length >= MAX_ASKED
  const kept = type === 'job.asked' ? deliveries.filter((one, index) => !isOldAsk(one, index)) : deliveries
  marks.deliveries = [...kept, ...ofServer, ...ofJob.map((url): Delivery => ({ url, ...delivery }))]
}

/** The marks after a change; `undefined` if the delivery has changed meanwhile. */
export function changeDelivery<M extends WebhookMarks>(marks: M, { from, to, isGone }: DeliveryChange): M | undefined {
  const { deliveries = [], notify } = marks
  const known = deliveries.find((one) => isSameDelivery(one, from ?? to))
  if (from ? known?.tries !== from.tries : known !== undefined) return undefined
  const others = deliveries.filter((one) => one !== known && !(isGone && one.url === from?.url && !one.ofServer))
  const changed: M = { ...marks, deliveries: to ? [...others, to] : others }
  if (changed.deliveries?.length === 0) delete changed.deliveries
  if (isGone && !from?.ofServer && notify) changed.notify = notify.filter((url) => url !== from?.url)
  return changed
}

/** Whether these are of one event, to one URL. */
const isSameDelivery = (one: Delivery, other: Delivery | undefined): boolean =>
  one.version === other?.version && one.url === other.url

/** When the first delivery is due: milliseconds since the Unix epoch. `undefined` without deliveries. */
export function nextDeliveryAt({ deliveries = [] }: WebhookMarks): number | undefined {
  return deliveries.length === 0 ? undefined : Math.min(...deliveries.map(({ at }) => at))
}
