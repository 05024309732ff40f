import type { Context } from 'hono'
import type { Clock } from '../../../shared/time/clock.ts'
import { problems, refuse } from '../../errors.ts'
import { noControl } from '../../jobs/emitter.ts'
import { createCheckpoint } from '../../services/kit/checkpoint.ts'
import { type FormExcess, FormScanner, PART_HEADER_BYTES } from './form-scanner.ts'
import { pacedBody } from './paced-body.ts'
import { bodyTooLong } from './validation.ts'

/** Bytes scanned before the event loop may have a turn. */
const SLICE_BYTES = 64 * 1_024
/** A boundary, bare or in quotes (RFC 2046, section 5.1.1). */
const BOUNDARY = /;\s*boundary=(?:"([\w'()+,./:=? -]{0,69}[\w'()+,./:=?-])"|([\w'()+,./:=?-]{1,70}))\s*(?:;|$)/i

/** Limits of a form, and the clock that bounds the time of a turn of the event loop. */
interface FormReading {
  /** Most bytes of the body. */
  mostBytes: number
  /** Most fields and files. */
  mostParts: number
  clock: Clock
}

/**
 * Reads the body as a form into memory. Stops reading when a limit is exceeded.
 *
 * @throws ProblemError 400 for an invalid or incomplete form; 408 for one that comes too slowly; 413 for a body or headers that are too long, or too many parts
 */
export async function readForm(c: Context, reading: FormReading): Promise<FormData> {
  const [, quoted, bare] = BOUNDARY.exec(c.req.header('content-type') ?? '') ?? []
  const boundary = quoted ?? bare
  if (boundary === undefined) throw noForm()
  const bytes = await readScanned(c.req.raw.body, boundary, reading)
  // With the scanned boundary, so that the runtime splits the form at the counted places.
  const headers = { 'content-type': `multipart/form-data; boundary="${boundary}"` }
  return new Response(bytes, { headers }).formData().catch(() => {
    throw noForm()
  })
}

async function readScanned(
  body: ReadableStream<Uint8Array<ArrayBuffer>> | null,
  boundary: string,
  { mostBytes, mostParts, clock }: FormReading,
): Promise<Blob> {
  const scanner = new FormScanner(boundary, mostParts)
  const checkpoint = createCheckpoint(noControl, clock)
  const chunks: Uint8Array<ArrayBuffer>[] = []
  let bytes = 0
  for await (const chunk of pacedBody(body, clock)) {
    bytes += chunk.length
    if (bytes > mostBytes) throw bodyTooLong(mostBytes)
    for (let at = 0; at < chunk.length; at += SLICE_BYTES) {
      await checkpoint()
      const excess = scanner.scan(chunk.subarray(at, at + SLICE_BYTES))
      if (excess) throw tooMuch(excess, mostParts)
    }
    chunks.push(chunk)
  }
  return new Blob(chunks)
}

function tooMuch(excess: FormExcess, mostParts: number): Error {
  const [detail, remedy] = {
    parts: [`has more than ${mostParts} parts`, 'Send fewer files at once.'],
    headers: [
      `has headers of parts that are too long: ${PART_HEADER_BYTES} bytes is the most of one`,
      'Send fewer files at once, or shorter names.',
    ],
  }[excess]
  return refuse(problems.tooLarge(`The form ${detail}. ${remedy}`, [{ field: 'body', detail: `${detail}` }]))
}

const noForm = () => refuse(problems.malformed("The form can't be read.", [{ field: 'body', detail: 'is not a form' }]))
