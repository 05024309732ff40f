import { isProblem } from '../../shared/answers.ts'
import type { ProblemDocument } from '../../shared/api.ts'

/** An answer that is not what was asked for. `status` is 0 when there was none, or none of the server's. */
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

/** What an answer with a body says that is not what was asked for: what is not the server's counts as none. */
export function refusalOf(status: number, body: string): Refusal {
  const problem = readProblem(body)
  return new Refusal(problem ? status : 0, problem)
}
