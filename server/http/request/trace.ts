import type { Context } from 'hono'
import type { Random } from '../../../shared/time/clock.ts'
import type { Env } from './context.ts'

/** The place of a request in a trace (W3C Trace Context). */
export interface Trace {
  /** 32 hexadecimal digits. */
  traceId: string
  /** The span of the caller: 16 hexadecimal digits. */
  parentSpanId: string
  /** The span of this request. */
  spanId: string
  /** Whether the caller may have recorded the trace. */
  sampled: boolean
}

/** Of any version but `ff`; only those after `00` may have more at the end (W3C Trace Context, 3.2 and 4.3). */
const TRACE_PARENT =
  /^(?!ff)(?!00.{53}.)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/

/** The trace of a request, if it has a valid `traceparent`. Its span is made on the first call. */
export function traceOf(c: Context<Env>, random: Random): Trace | undefined {
  const known = c.get('trace')
  if (known) return known
  const [, traceId, parentSpanId, flags] = TRACE_PARENT.exec(c.req.header('traceparent') ?? '') ?? []
  if (traceId === undefined || parentSpanId === undefined || flags === undefined) return undefined
  const trace = { traceId, parentSpanId, spanId: newSpanId(random), sampled: (Number.parseInt(flags, 16) & 1) === 1 }
  c.set('trace', trace)
  return trace
}

/** The `traceparent` of what this server asks of others for the request. */
export const traceparentOf = ({ traceId, spanId, sampled }: Trace): string =>
  `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`

/** A span id, which may not be all zeros. */
function newSpanId(random: Random): string {
  const id = Array.from(random.bytes(8), (byte) => byte.toString(16).padStart(2, '0')).join('')
  return /^0+$/.test(id) ? '0000000000000001' : id
}
