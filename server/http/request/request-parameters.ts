import type { Context } from 'hono'
import type { z } from 'zod'
import type { Grant } from '../../auth/access.ts'
import { problems, refuse } from '../../errors.ts'
import type { View } from '../../jobs/engine.ts'

/** Whether `If-None-Match` names an ETag. It compares weakly (RFC 9110, 13.1.2). */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  const strong = (tag: string) => tag.trim().replace(/^W\//, '')
  return header.trim() === '*' || header.split(',').some((tag) => strong(tag) === strong(etag))
}

/** The key in the header `Idempotency-Key` of a request, if any. @throws ProblemError 422 if it is invalid */
export function idempotencyKey(value: string | null | undefined, schema: z.ZodType<string>): string | undefined {
  if (value === null || value === undefined) return undefined
  const key = schema.safeParse(value)
  if (key.success) return key.data
  const detail = key.error.issues[0]?.message ?? 'is not valid'
  throw refuse(problems.invalid([{ field: 'Idempotency-Key', detail }]))
}

/** The requested view, limited by the grant of a job token. */
export const viewFor = (asked: View, grant: Grant | undefined): View => (grant?.parts === 'header' ? 'header' : asked)

/** The view of `?parts=`. @throws ProblemError 422 for an unknown one */
export function viewOf(c: Context): View {
  const parts = c.req.query('parts')
  if (parts === undefined || parts === 'all') return 'all'
  if (parts === 'header') return 'header'
  throw refuse(problems.invalid([{ field: 'parts', detail: 'must be "header" or "all"' }]))
}
