import type { ProblemDocument } from '../../shared/api.ts'
import { base } from './navigation.ts'

/** An answer that is not what was asked for. `status` is 0 when there was none. */
export class Refusal extends Error {
  readonly status: number
  readonly problem: ProblemDocument | undefined

  constructor(status: number, problem?: ProblemDocument) {
    super(problem?.detail ?? `status ${status}`)
    this.status = status
    this.problem = problem
  }
}

/**
 * Asks the server, as whoever is signed in. The path is relative to where the app is mounted.
 *
 * @throws Refusal
 */
export async function call(path: string, method: 'GET' | 'POST' | 'DELETE' = 'GET', body?: unknown): Promise<Response> {
  const json = body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  const response = await fetch(new URL(path, base), { method, ...json }).catch(() => {
    throw new Refusal(0)
  })
  if (!response.ok) throw new Refusal(response.status, readProblem(await response.text().catch(() => '')))
  return response
}

/** The path of a job in the API. */
export function jobPath(id: string): string {
  return `api/jobs/${encodeURIComponent(id)}`
}

/** A problem document, if that is what a body is: what stands between here and the server answers in its own way. */
export function readProblem(body: string): ProblemDocument | undefined {
  try {
    const parsed: unknown = JSON.parse(body)
    return isProblem(parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}

function isProblem(value: unknown): value is ProblemDocument {
  return typeof value === 'object' && value !== null && 'detail' in value && typeof value.detail === 'string'
}
