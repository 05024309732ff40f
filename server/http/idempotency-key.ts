import type { Context } from 'hono'
import type { z } from 'zod'
import { problems, refuse } from '../errors.ts'

/** The `Idempotency-Key` of a request, if it has one. @throws ProblemError 422 for one that is not valid */
export function idempotencyKey(c: Context, schema: z.ZodType<string>): string | undefined {
  const value = c.req.header('idempotency-key')
  if (value === undefined) return undefined
  const key = schema.safeParse(value)
  if (key.success) return key.data
  const detail = key.error.issues[0]?.message ?? 'is not valid'
  throw refuse(problems.invalid([{ field: 'Idempotency-Key', detail }]))
}
