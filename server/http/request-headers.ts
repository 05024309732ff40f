import type { Context } from 'hono'
import type { z } from 'zod'
import { problems, refuse } from '../errors.ts'

/** Whether `If-None-Match` names an ETag. It compares weakly (RFC 9110, 13.1.2). */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  const strong = (tag: string) => tag.trim().replace(/^W\//, '')
  return header.trim() === '*' || header.split(',').some((tag) => strong(tag) === strong(etag))
}

/** The `Idempotency-Key` of a request, if any. @throws ProblemError 422 if it is invalid */
export function idempotencyKey(c: Context, schema: z.ZodType<string>): string | undefined {
  const value = c.req.header('idempotency-key')
  if (value === undefined) return undefined
  const key = schema.safeParse(value)
  if (key.success) return key.data
  const detail = key.error.issues[0]?.message ?? 'is not valid'
  throw refuse(problems.invalid([{ field: 'Idempotency-Key', detail }]))
}
