import type { Context } from 'hono'
import type { Grant } from '../auth/access.ts'
import { problems, refuse } from '../errors.ts'
import type { View } from '../jobs/engine.ts'

/** The requested view, limited by the grant of a job token. */
export const viewFor = (asked: View, grant: Grant | undefined): View => (grant?.parts === 'header' ? 'header' : asked)

/** The view of `?parts=`. @throws ProblemError 422 for an unknown one */
export function viewOf(c: Context): View {
  const parts = c.req.query('parts')
  if (parts === undefined || parts === 'all') return 'all'
  if (parts === 'header') return 'header'
  throw refuse(problems.invalid([{ field: 'parts', detail: 'must be "header" or "all"' }]))
}
