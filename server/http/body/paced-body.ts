import type { Clock } from '../../../shared/time/clock.ts'
import { type ProblemError, problems, refuse } from '../../errors.ts'

/** How long a body may stand still, and how long it may take at any speed: milliseconds. */
const PATIENCE_MS = 10_000
/** Least average speed of a body that takes longer: bytes per second. */
const MIN_BYTES_PER_SECOND = 16 * 1_024

/**
 * The chunks of a body. Its reader may hold memory and a place that others wait for, so a client that sends half a body, or a byte now and
 * then, is refused. Only the time that is spent waiting for the client counts.
 *
 * @throws ProblemError 400 for an incomplete body, 408 for one that is too slow
 */
export async function* pacedBody(
  body: ReadableStream<Uint8Array<ArrayBuffer>> | null,
  clock: Pick<Clock, 'monotonic' | 'setTimeout' | 'clearTimeout'>,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
  const reader = body?.getReader()
  if (!reader) return
  let bytes = 0
  let waited = 0
  try {
    for (;;) {
      const start = clock.monotonic()
      const left = Math.max(0, timeFor(bytes) - waited)
      const { value: chunk } = await within(Math.min(PATIENCE_MS, left), clock, reader.read())
      if (!chunk) return
      waited += clock.monotonic() - start
      bytes += chunk.length
      yield chunk
    }
  } finally {
    // Not cancelled: workerd then sometimes never sends the response.
    reader.releaseLock()
  }
}

/** How long so many bytes may take: milliseconds. */
export const timeFor = (bytes: number): number => Math.max(PATIENCE_MS, (bytes / MIN_BYTES_PER_SECOND) * 1_000)

/** The result of a read of a body. @throws ProblemError 400 when it fails, 408 after `ms` milliseconds */
export function within<T>(
  ms: number,
  clock: Pick<Clock, 'setTimeout' | 'clearTimeout'>,
  reading: Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimeout(() => reject(tooSlow()), ms)
    const done = () => clock.clearTimeout(timer)
    reading.then(resolve, () => reject(incompleteBody())).finally(done)
  })
}

/** The refusal of an incomplete body. Its client is gone, but the refusal keeps the failure out of the server log. */
export const incompleteBody = (): ProblemError =>
  refuse(problems.malformed('The body is incomplete.', [{ field: 'body', detail: 'is incomplete' }]))

const tooSlow = () => refuse(problems.tooSlow(), { connection: 'close' })
