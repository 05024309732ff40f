import { zValidator } from '@hono/zod-validator'
import type { Context, MiddlewareHandler, ValidationTargets } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { z } from 'zod'
import { type FieldError, ProblemError, problems, refuse } from '../../errors.ts'

/** Wrong fields that one answer names: a request can have a hundred thousand. */
export const ERRORS_NAMED = 20

/** The first fields that a schema found wrong, by their paths under `prefix`. */
export function fieldErrors(error: z.core.$ZodError, prefix = ''): FieldError[] {
  const errors = error.issues.slice(0, ERRORS_NAMED).flatMap((issue) => {
    const path = [prefix, ...issue.path.map(String)].filter((part) => part !== '')
    if (issue.code !== 'unrecognized_keys') return [{ field: path.join('.') || 'body', detail: issue.message }]
    return (
      issue.keys
        .slice(0, ERRORS_NAMED)
        // JSON may have a key without a character.
        .map((key) => ({ field: [...path, key || '""'].join('.'), detail: 'is not a known field' }))
    )
  })
  return errors.slice(0, ERRORS_NAMED)
}

/** Checks a part of the request against a schema, and answers 422 with the names of the fields that are wrong. */
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
 * The media type of a body, one of these. The validator would take others for empty ones, and complain of missing fields.
 *
 * No body at all passes: whether something has to be in it, its schema says.
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
  // Not unpacked here: a few bytes could become gigabytes.
  if ((c.req.header('content-encoding') ?? 'identity').toLowerCase() !== 'identity') {
    throw refuse(problems.unsupportedType('Content-Encoding', 'Send the body as it is, not compressed.'))
  }
  return type
}

/** Refuses bodies of other types. */
export function onlyTypes(...types: string[]): MiddlewareHandler {
  return async (c, next) => {
    requireType(c, types)
    await next()
  }
}

function hasBody({ headers, body }: Request): boolean {
  return (headers.get('content-length') ?? (body ? '1' : '0')) !== '0'
}

/** How long a body says that it is: bytes. Nothing when its end is to be seen in it. */
export function lengthOf(c: Context): number | undefined {
  const length = c.req.header('content-length')
  if (length === undefined || c.req.header('transfer-encoding') !== undefined) return undefined
  return Number(length) >= 0 ? Number(length) : undefined
}

/** The refusal of a body that is too long. @param most bytes */
export const bodyTooLong = (most: number): ProblemError =>
  refuse(problems.tooLarge(`The body may have ${most} bytes.`, [{ field: 'body', detail: 'is too long' }]))

/** Refuses bodies that say that they are too long. Whoever reads one that does not say has to count. */
export function saysAtMost(most: number): MiddlewareHandler {
  return async (c, next) => {
    if ((lengthOf(c) ?? 0) > most) throw bodyTooLong(most)
    await next()
  }
}

/** Refuses bodies that are too long before a handler has them: those that don't say how long they are it reads into memory. */
export function atMost(maxSize: number): MiddlewareHandler {
  const refuseIt = () => {
    throw bodyTooLong(maxSize)
  }
  const limit = bodyLimit({ maxSize, onError: refuseIt })
  return async (c, next) => {
    // The middleware looks at the body first, and Bun makes a stream of it then, which takes longer than reading it.
    const length = lengthOf(c)
    if (length !== undefined) return length > maxSize ? refuseIt() : next()
    // It reads bodies that don't say how long they are; what goes wrong in the handlers after it does not pass here.
    return limit(c, next).catch((error: unknown) => {
      throw error instanceof ProblemError ? error : brokenOff()
    })
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })

/** The body as it was sent. @throws ProblemError 400 when it breaks off */
export async function readBytes(c: Context): Promise<ArrayBuffer> {
  try {
    return await c.req.arrayBuffer()
  } catch {
    throw brokenOff()
  }
}

/** A body as text. @throws ProblemError 400 when it is not UTF-8, and would be read as something else */
export function textOf(bytes: ArrayBuffer): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw refuse(problems.malformed('The body is not valid UTF-8.', [{ field: 'body', detail: 'is not valid UTF-8' }]))
  }
}

/** Refuses bodies that are not UTF-8. */
export const onlyUtf8: MiddlewareHandler = async (c, next) => {
  textOf(await readBytes(c))
  await next()
}

/** Nobody reads this answer: who sent the body is gone. It keeps the failure out of the log. */
export const brokenOff = () =>
  refuse(problems.malformed('The body broke off.', [{ field: 'body', detail: 'broke off' }]))
