import { effect } from '@preact/signals-core'
import { createJobSignal, type JobSignal, type JobSignalOptions } from '../../../../../client/signals/job-signal.ts'
import { newDocument } from '../../../../arbitraries.ts'
import { FakeEnvironment } from '../../../../fake-environment.ts'

export const STREAM = '/api/progress?parts=all&job=job-1'

/** Ends what a test began. Each file calls them after each of its tests: a hook here would be of one file alone. */
export const stops: (() => void)[] = []

/** Time enough for jobs to be gathered into one stream. */
export const gather = (environment: FakeEnvironment) => environment.clock.advance(20)

/** Watches a signal for as long as the test runs, or until it says otherwise. Everything that it showed. */
export function watch<T>(signal: { readonly value: T }): { seen: T[]; stop(): void } {
  const seen: T[] = []
  const stop = effect(() => {
    seen.push(signal.value)
  })
  stops.push(stop)
  return { seen, stop }
}

export function open(options: Partial<JobSignalOptions> = {}, environment = new FakeEnvironment()) {
  const signals: JobSignal = createJobSignal({ jobId: 'job-1', environment, ...options } as JobSignalOptions)
  return { environment, signals }
}

export const running = newDocument({ status: 'running', startedAt: '2026-01-01T00:00:00.000Z' })
