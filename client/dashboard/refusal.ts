import type { ProblemDocument } from '../../shared/api.ts'

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
