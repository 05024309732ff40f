import { zValidator } from '@hono/zod-validator'
import type { Context, MiddlewareHandler, ValidationTargets } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { z } from 'zod'
import { fieldErrors, ProblemError, problems, refuse } from '../../errors.ts'

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
    throw refuse(problems.unsupportedType('Content-Encoding', 'Send the body as it is, not compressed.'))
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

/** Middleware that refuses bodies that are too long. Reads a body without `Content-Length` into memory. */
export function atMost(maxSize: number): MiddlewareHandler {
  const refuseBody = () => {
    throw bodyTooLong(maxSize)
  }
  const limit = bodyLimit({ maxSize, onError: refuseBody })
  return async (c, next) => {
    // `bodyLimit` accesses the body first, which Bun then converts to a stream; that takes longer than reading it.
    const length = lengthOf(c)
    if (length !== undefined) return length > maxSize ? refuseBody() : next()
    // `bodyLimit` reads the body here. Failures of later handlers are not rejected through this promise.
    return limit(c, next).catch((error: unknown) => {
      throw error instanceof ProblemError ? error : incompleteBody()
    })
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })

/** Reads the body. @throws ProblemError 400 when it is incomplete */
export async function readBytes(c: Context): Promise<ArrayBuffer> {
  try {
    return await c.req.arrayBuffer()
  } catch {
    throw incompleteBody()
  }
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
export const onlyUtf8: MiddlewareHandler = async (c, next) => {
  textOf(await readBytes(c))
  await next()
}

/** The refusal of an incomplete body. Its client is gone, but the refusal keeps the failure out of the server log. */
export const incompleteBody = () =>
  refuse(problems.malformed('The body is incomplete.', [{ field: 'body', detail: 'is incomplete' }]))
