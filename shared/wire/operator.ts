import { z } from 'zod'

const count = z.int().nonnegative()
const series = z.array(z.number())
const streamsByView = { all: count, header: count, list: count, operator: count, report: count }

/** The answer of `GET /api/operator`. Only `store` covers all processes on the store; the rest is of the process that answers. */
export const operatorSchema = z
  .object({
    at: z.iso.datetime(),
    /** The process that answers. */
    process: z.object({
      startedAt: z.iso.datetime(),
      version: z.string(),
      engine: z.string(),
    }),
    /** Open streams of this process: of whole jobs, of headers only, of lists, of these figures; and connections of producers. */
    streams: z.object({
      ...streamsByView,
      /** Those with the most streams. */
      principals: z.array(z.object({ sub: z.string(), ...streamsByView })),
      /** Jobs that are followed with watch tokens, by the most streams. */
      guests: z.array(z.object({ job: z.string(), ...streamsByView })),
      /** Principals and jobs that are not listed. */
      others: count,
    }),
    /** The last hour of this process, oldest first: rates per second. Omitted where no timer outlives a request. */
    history: z
      .object({
        /** Between two samples: seconds. */
        seconds: count,
        /** When the newest sample was taken. Omitted: none yet. */
        until: z.iso.datetime().optional(),
        events: series,
        publishes: series,
        deliveries: series,
        refusals: series,
        streams: series,
        /** Longest time that the event loop was busy: milliseconds. Omitted where it is not measured. */
        delayMs: series.optional(),
      })
      .optional(),
    /** What the store has. Omitted where it can't be counted from indexes. */
    store: z
      .object({
        /** The highest number of jobs that is counted to: a number as high may be more. */
        countedTo: count,
        bytes: count.optional(),
        byStatus: z.record(z.string(), count),
        byKind: z.array(z.object({ kind: z.string(), jobs: count })),
        /** Principals with the largest documents. */
        creators: z.array(z.object({ sub: z.string(), live: count, jobs: count, bytes: count })),
      })
      .optional(),
    /** Limits of one principal. */
    limits: z.object({ streams: count, liveJobs: count, keptJobs: count, keptBytes: count }),
  })
  .meta({ id: 'Operator' })
/** The figures of the operator's page. */
export type OperatorFigures = z.infer<typeof operatorSchema>
