import { zValidator } from '@hono/zod-validator'
import type { Context, MiddlewareHandler, ValidationTargets } from 'hono'
import type { z } from 'zod'
import type { Clock } from '../../../shared/time/clock.ts'
import { fieldErrors, type ProblemError, problems, refuse } from '../../errors.ts'
import { incompleteBody, pacedBody, timeFor, within } from './paced-body.ts'

/** Middleware that validates a part of the request. @throws ProblemError 422 with the names of the wrong fields */
export function valid<T extends z.ZodType, Target extends keyof ValidationTargets>(target: Target, schema: T) {
  return zValidator(target, schema, (result) => {
    if (!result.success) throw refuse(problems.invalid(fieldErrors(result.error)))
  })
}

/** A media type without its parameters. */
function mediaType(contentType: string | undefined): string {
  return contentType?.split(';')[0]?.trim().toLowerCase() ?? ''
}

/**
 * Checks the media type of a body and returns it. The validator would treat a body of another type as empty and report missing fields.
 *
 * A request without a body passes: the schema decides whether fields are required.
 *
 * @throws ProblemError 415
 */
export function requireType(c: Context, types: readonly string[]): string {
  const contentType = c.req.header('content-type')
  const type = mediaType(contentType)
  const isEmpty = contentType === undefined && !hasBody(c.req.raw)
  if (!isEmpty && !types.includes(type)) {
    throw refuse(problems.unsupportedType('Content-Type', `Send the body as ${types.join(' or ')}.`))
  }
  // Never decompressed: a few bytes could become gigabytes.
  if ((c.req.header('content-encoding') ?? 'identity').toLowerCase() !== 'identity') {
    throw refuse(problems.unsupportedType('Content-Encoding', 'Send the body uncompressed.'))
  }
  return type
}

/** Middleware that refuses bodies of other types. */
export function onlyTypes(...types: string[]): MiddlewareHandler {
  return async (c, next) => {
    requireType(c, types)
    await next()
  }
}

function hasBody({ headers, body }: Request): boolean {
  return (headers.get('content-length') ?? (body ? '1' : '0')) !== '0'
}

/** The `Content-Length` of a body: bytes. `undefined` if the body does not declare it. */
export function lengthOf(c: Context): number | undefined {
  const length = c.req.header('content-length')
  if (length === undefined || c.req.header('transfer-encoding') !== undefined) return undefined
  return Number(length) >= 0 ? Number(length) : undefined
}

/** The refusal of a body of more than `most` bytes. */
export const bodyTooLong = (most: number): ProblemError =>
  refuse(problems.tooLarge(`The body may have at most ${most} bytes.`, [{ field: 'body', detail: 'is too long' }]))

/** Middleware that refuses a `Content-Length` above the limit. The reader has to count the bytes of other bodies. */
export function saysAtMost(most: number): MiddlewareHandler {
  return async (c, next) => {
    if ((lengthOf(c) ?? 0) > most) throw bodyTooLong(most)
    await next()
  }
}

/** Middleware that refuses bodies that are too long. Reads a body without `Content-Length` into memory. @throws ProblemError 400, 408, 413 */
export function atMost(most: number, clock: Clock): MiddlewareHandler {
  return async (c, next) => {
    const length = lengthOf(c)
    if (length !== undefined) {
      if (length > most) throw bodyTooLong(most)
      return next()
    }
    if (hasBody(c.req.raw)) {
      const chunks: Uint8Array<ArrayBuffer>[] = []
      let bytes = 0
      for await (const chunk of pacedBody(c.req.raw.body, clock)) {
        bytes += chunk.length
        if (bytes > most) throw bodyTooLong(most)
        chunks.push(chunk)
      }
      c.req.raw = new Request(c.req.raw, { body: new Blob(chunks) })
    }
    return next()
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })

/** Length from which a body has to keep a pace, because it takes memory: bytes. For a smaller one a timer costs as much as reading it. */
const PACED_BYTES = 16 * 1_024

/** Reads the body. @param length its `Content-Length`, if any. @throws ProblemError 400 when it is incomplete, 408 when it is too slow */
export function readBytes(c: Context, length: number | undefined, clock: Clock): Promise<ArrayBuffer> {
  const reading = c.req.arrayBuffer()
  if (length !== undefined && length > PACED_BYTES) return within(timeFor(length), clock, reading)
  return reading.catch(() => {
    throw incompleteBody()
  })
}

/** Decodes a body as UTF-8. @throws ProblemError 400 when it is invalid */
export function textOf(bytes: ArrayBuffer): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw refuse(problems.malformed('The body is not valid UTF-8.', [{ field: 'body', detail: 'is not valid UTF-8' }]))
  }
}

/** Middleware that refuses bodies that are not UTF-8. */
export function onlyUtf8(clock: Clock): MiddlewareHandler {
  return async (c, next) => {
    textOf(await readBytes(c, lengthOf(c), clock))
    await next()
  }
}
