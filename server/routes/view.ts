import type { Context } from 'hono'
import type { View } from '../engine.ts'
import { problems, refuse } from '../errors.ts'

/** The view that `?parts=` asks for. @throws ProblemError 422 for one that there isn't */
export function viewOf(c: Context): View {
  const parts = c.req.query('parts')
  if (parts === undefined || parts === 'all') return 'all'
  if (parts === 'header') return 'header'
  throw refuse(problems.invalid([{ field: 'parts', detail: 'must be "header" or left out' }]))
}
