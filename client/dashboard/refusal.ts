import { isProblem } from '../../shared/wire/answers.ts'
import type { ProblemDocument } from '../../shared/wire/api.ts'

/** A failed request. `status` is 0 without an answer of the server. */
export class Refusal extends Error {
  readonly status: number
  readonly problem: ProblemDocument | undefined

  constructor(status: number, problem?: ProblemDocument) {
    super(problem?.detail ?? `status ${status}`)
    this.status = status
    this.problem = problem
  }
}

/** The problem document of a body, if it is the server's: proxies answer with errors of their own. */
export function parseProblem(body: string): ProblemDocument | undefined {
  try {
    const parsed: unknown = JSON.parse(body)
    return isProblem(parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}

/** The refusal of a response with a body; one that is not the server's counts as no answer. */
export function refusalOf(status: number, body: string): Refusal {
  const problem = parseProblem(body)
  return new Refusal(problem ? status : 0, problem)
}
