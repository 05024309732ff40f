import type { Context } from 'hono'
import { createRequestSchemas } from '../../../shared/wire/api.ts'
import type { Principal } from '../../auth/access.ts'
import { EventParser, LARGE_TEXT, lastOf } from '../body/event-parser.ts'
import { incompleteBody } from '../body/paced-body.ts'
import { textOf } from '../body/validation.ts'
import type { App, RouteContext } from '../request/context.ts'
import { rememberedPrincipal } from '../request/identify.ts'
import { idempotencyKey } from '../request/request-parameters.ts'
import { fixedHeaders, requestIdOf } from '../request/responses.ts'

/** The URL of a publish without a query, and its job. */
const PUBLISH_URL = /^https?:\/\/[^/?#]+\/api\/jobs\/([A-Za-z0-9._~-]+)\/events$/

/** Why requests that were begun here could not be answered here. */
const failures = new WeakMap<Request, unknown>()

/** Throws what a request has failed with before it came to its route, if it has. */
export function rethrowFailure(c: Context): void {
  if (failures.has(c.req.raw)) throw failures.get(c.req.raw)
}

/** A request that can be answered without its route. */
interface Usual {
  request: Request
  principal: Principal
  job: string
  /** Bytes of the body. */
  length: number
}

/**
 * Wraps an app's `fetch` to answer the usual publish before the router: one small batch of JSON, with a token that is cached.
 *
 * It is the most frequent request by far, and a server that does nothing else spends two fifths of its own time on the router, its context
 * and its header objects. Anything unusual about a request leaves it to its route, and so does a failure, because a refusal needs the context.
 */
export function answerDirectly(
  fetch: App['fetch'],
  { auth, clock, digestOf, jobs, limits, metrics, rates }: RouteContext,
  { hstsSeconds, origins = [] }: { hstsSeconds?: number | undefined; origins?: readonly string[] },
): App['fetch'] {
  const parser = new EventParser(limits)
  const schemas = createRequestSchemas(limits)
  const mostBytes = Math.min(limits.bodyBytes, LARGE_TEXT)
  const headers = {
    ...fixedHeaders(hstsSeconds),
    'content-type': 'application/json',
    ...(origins.length > 0 ? { vary: 'Origin' } : {}),
  }

  function usualOf(request: Request): Usual | undefined {
    if (request.method !== 'POST') return undefined
    const job = PUBLISH_URL.exec(request.url)?.[1]
    if (job === undefined) return undefined
    const sent = request.headers
    const length = Number(sent.get('content-length') ?? Number.NaN)
    if (!(length >= 0 && length <= mostBytes) || sent.get('content-type') !== 'application/json') return undefined
    if (sent.get('content-encoding') !== null || sent.get('transfer-encoding') !== null) return undefined
    if (origins.length > 0 && sent.get('origin') !== null) return undefined
    const principal = rememberedPrincipal(sent.get('authorization'), auth)
    return principal && { request, principal, job, length }
  }

  async function publish({ request, principal, job, length }: Usual): Promise<Response> {
    const start = clock.monotonic()
    rates.takePublish(principal, length)
    let body: ArrayBuffer
    try {
      body = await request.arrayBuffer()
    } catch {
      throw incompleteBody()
    }
    const events = lastOf(parser.json(textOf(body), body.byteLength))
    const name = idempotencyKey(request.headers.get('idempotency-key'), schemas.idempotencyKey)
    const key = name === undefined ? undefined : { key: name, digest: await digestOf(events) }
    const receipt = await jobs.publish(principal, job, events, key, undefined, body.byteLength)
    metrics.timePublish(clock.monotonic() - start)
    const id = requestIdOf(request.headers.get('x-request-id'))
    return new Response(JSON.stringify(receipt), { headers: { ...headers, 'x-request-id': id } })
  }

  const answer = async (usual: Usual, ...sent: Parameters<App['fetch']>): Promise<Response> => {
    try {
      return await publish(usual)
    } catch (failure) {
      failures.set(usual.request, failure)
      return fetch(...sent)
    }
  }
  return (...sent) => {
    const usual = usualOf(sent[0])
    return usual ? answer(usual, ...sent) : fetch(...sent)
  }
}
