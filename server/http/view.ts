import type { Context } from 'hono'
import type { Grant } from '../auth/access.ts'
import { problems, refuse } from '../errors.ts'
import type { View } from '../jobs/engine.ts'

/** The view that a token of a job allows of the one that was asked for. */
export const viewFor = (asked: View, grant: Grant | undefined): View => (grant?.parts === 'header' ? 'header' : asked)

/** The view that `?parts=` asks for. @throws ProblemError 422 for one that there isn't */
export function viewOf(c: Context): View {
  const parts = c.req.query('parts')
  if (parts === undefined || parts === 'all') return 'all'
  if (parts === 'header') return 'header'
  throw refuse(problems.invalid([{ field: 'parts', detail: 'must be "header" or "all"' }]))
}
