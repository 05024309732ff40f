import { fullName } from '../../auth/access.ts'
import { ProblemError } from '../../errors.ts'
import { textDigest } from '../../support/digest.ts'
import { CloudEventParser, HEADER, type JobCloudEvent, refusalAsSent } from '../body/cloud-event.ts'
import { type JobBatch, lastOf } from '../body/event-parser.ts'
import { atMost, lengthOf, readBytes, requireType, textOf } from '../body/validation.ts'
import type { App, RouteContext } from '../request/context.ts'
import { answerEach, BATCHES_IN_BODY, publishEach } from './publish-each.ts'

const STRUCTURED = 'application/cloudevents+json'
const BATCH = 'application/cloudevents-batch+json'
const BINARY = 'application/json'

/** The route for producers that send CloudEvents. */
export function cloudEventRoutes(app: App, context: RouteContext): void {
  const { clock, digestOf, jobs, limits, metrics, rates, turns } = context
  const parser = new CloudEventParser(limits)
  const limitBody = atMost(BATCHES_IN_BODY * limits.bodyBytes, clock)

  app.post('/api/cloudevents', limitBody, async (c) => {
    const start = clock.monotonic()
    const principal = c.get('principal')
    const type = requireType(c, [STRUCTURED, BATCH, BINARY])
    const body = await readBytes(c, lengthOf(c), clock)
    rates.takePublish(principal, body.byteLength)
    const text = textOf(body)
    if (type !== BATCH) {
      const one = type === BINARY ? parser.binary(c.req.raw.headers, text) : parser.structured(text)
      const { job, events, key, length } = await batchOf(one)
      const known = { key, digest: await digestOf(events) }
      const receipt = await jobs.publish(principal, job, events, known, undefined, length).catch((error: unknown) => {
        if (!(error instanceof ProblemError)) throw error
        throw new ProblemError(refusalAsSent(error.problem, type === BINARY ? HEADER : ''), error.headers)
      })
      metrics.timePublish(clock.monotonic() - start)
      return c.json(receipt)
    }
    const who = fullName(principal)
    const steps = parser.batch(text)
    const publishAll = async () => {
      const parsed = turns ? await turns.runSteps(who, steps) : lastOf(steps)
      if (parsed.length > 1) rates.takePublish(principal, undefined, parsed.length - 1)
      const batches = parsed.map((one) => (one instanceof ProblemError ? one : batchOf(one)))
      const answers = await publishEach(context, principal, await Promise.all(batches))
      return answers.map((answer, index) =>
        'detail' in answer && !(parsed[index] instanceof ProblemError) ? refusalAsSent(answer) : answer,
      )
    }
    const answers = await (turns ? turns.runHeavy(who, body.byteLength, publishAll) : publishAll())
    metrics.timePublish(clock.monotonic() - start)
    return answerEach(c, context, answers)
  })
}

/** An event as a batch. Its id and its source are the idempotency key: together they name one event (CloudEvents, 3.1.1). */
async function batchOf({ job, source, id, event, length }: JobCloudEvent) {
  const key = `cloudevent-${await textDigest(JSON.stringify([source, id]))}`
  return { job, events: [event], key, length } satisfies JobBatch
}
