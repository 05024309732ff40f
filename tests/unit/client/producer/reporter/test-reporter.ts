import { createReporter, type ReporterOptions } from '../../../../../client/producer/reporter.ts'
import { FakeEnvironment } from '../../../../fake-environment.ts'

/** A reporter whose requests a test answers. */
export function report(options: Partial<ReporterOptions> = {}) {
  const environment = new FakeEnvironment()
  const { clock, random } = environment
  const problems: string[] = []
  const reporter = createReporter({
    url: 'https://progress.example/',
    token: 't.t.t',
    fetch: (url, init) => environment.fetch(url, init),
    clock,
    random,
    onProblem: (problem) => problems.push(problem),
    ...options,
  })
  return { reporter, environment, problems, clock }
}

export const receipt = { version: 3, cancelRequested: false, pauseRequested: false, watched: false, flushMs: 5_000 }
