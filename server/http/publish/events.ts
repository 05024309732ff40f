import type { Context, MiddlewareHandler } from 'hono'
import { isEpoch } from '../../../shared/document/cursor.ts'
import type { ProducerEvent } from '../../../shared/document/events.ts'
import type { Receipt } from '../../../shared/wire/api.ts'
import { createRequestSchemas } from '../../../shared/wire/api.ts'
import { fullName, type Principal } from '../../auth/access.ts'
import { problems, refuse } from '../../errors.ts'
import { EventParser, LARGE_TEXT, lastOf } from '../body/event-parser.ts'
import { atMost, lengthOf, readBytes, requireType, textOf } from '../body/validation.ts'
import type { App, Env, RouteContext } from '../request/context.ts'
import { identify, identifyCached } from '../request/identify.ts'
import { idempotencyKey } from '../request/request-parameters.ts'
import { rethrowFailure } from './direct.ts'
import { answerEach, BATCHES_IN_BODY, publishEach } from './publish-each.ts'

const JSON_TYPE = 'application/json'
const NDJSON_TYPE = 'application/x-ndjson'

/** A no-op `next()`. */
const noNext = async () => {}

/**
 * The routes to publish events: of one job, and of several.
 *
 * They are the most frequent requests, and each middleware would cost as much as the validation. So one handler does everything, registered
 * before the middleware of the other routes.
 */
export function eventRoutes(app: App, context: RouteContext): void {
  const { auth, clock, digestOf, jobs, limits, metrics, onEach, rates, turns } = context
  const parser = new EventParser(limits)
  const schemas = createRequestSchemas(limits)
  const { bodyBytes } = limits
  const limitBody = atMost(bodyBytes, clock)
  const limitBatches = atMost(BATCHES_IN_BODY * bodyBytes, clock)

  app.post('/api/jobs/:id/events', async (c) => {
    const start = clock.monotonic()
    const { principal, type, text, bytes } = await read(c, bodyBytes, limitBody, [JSON_TYPE, NDJSON_TYPE])
    const steps = type === NDJSON_TYPE ? parser.lines(text, bytes) : parser.json(text, bytes)
    const who = fullName(principal)
    const receipt =
      turns && text.length > LARGE_TEXT
        ? await turns.runHeavy(who, bytes, async () => {
            const events = await turns.runSteps(who, steps)
            return publish(c, principal, events, bytes, (toDigest) => turns.run(who, toDigest))
          })
        : await publish(c, principal, lastOf(steps), bytes)
    metrics.timePublish(clock.monotonic() - start)
    return c.json(receipt)
  })

  app.post('/api/events', async (c) => {
    const start = clock.monotonic()
    const { principal, text, bytes } = await read(c, BATCHES_IN_BODY * bodyBytes, limitBatches, [JSON_TYPE])
    const who = fullName(principal)
    const steps = parser.batches(text)
    const publishAll = async () => {
      const batches = turns ? await turns.runSteps(who, steps) : lastOf(steps)
      if (batches.length > 1) rates.takePublish(principal, undefined, batches.length - 1)
      return publishEach(context, principal, batches)
    }
    const answers = await (turns && text.length > LARGE_TEXT ? turns.runHeavy(who, bytes, publishAll) : publishAll())
    metrics.timePublish(clock.monotonic() - start)
    return answerEach(c, context, answers)
  })

  /** Identifies the principal, counts against its rates, and reads the body. @throws ProblemError 400, 401, 408, 413, 415, 429 */
  async function read(c: Context<Env>, mostBytes: number, limitBody: MiddlewareHandler, types: readonly string[]) {
    await onEach(c, noNext)
    const principal = identifyCached(c, auth) ?? (await identify(c, context))
    rethrowFailure(c)
    const length = lengthOf(c)
    // Counts at most the limit: a client can claim any length, and a guest's request counts against the maker of the token.
    rates.takePublish(principal, length === undefined ? undefined : Math.min(length, mostBytes))
    if (length === undefined || length > mostBytes) await limitBody(c, noNext)
    const type = requireType(c, types)
    const body = await readBytes(c, length, clock)
    const bytes = body.byteLength
    if (length === undefined) rates.takePublishBytes(principal, bytes)
    return { principal, type, text: textOf(body), bytes }
  }

  async function publish(
    c: Context,
    principal: Principal,
    events: ProducerEvent[],
    bytes: number,
    inTurn: <T>(work: () => T) => T | Promise<T> = (work) => work(),
  ): Promise<Receipt> {
    const name = idempotencyKey(c.req.header('idempotency-key'), schemas.idempotencyKey)
    const epoch = epochOf(c)
    const key = name === undefined ? undefined : { key: name, digest: await inTurn(() => digestOf(events)) }
    return jobs.publish(principal, c.req.param('id') ?? '', events, key, epoch, bytes)
  }
}

/** The `?epoch=` of a request, if any. @throws ProblemError 422 if it is not in the form of an epoch */
function epochOf(c: Context): string | undefined {
  const epoch = c.req.query('epoch')
  if (epoch === undefined || isEpoch(epoch)) return epoch
  throw refuse(problems.invalid([{ field: 'epoch', detail: 'must be the epoch of a job' }]))
}
