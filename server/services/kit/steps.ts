import { emitStep, type JobControl } from '../../jobs/emitter.ts'

/** Announces the steps of a job, by their ids, before the first begins: a watcher sees the whole way ahead. */
export function announceSteps(jobId: string, labels: Readonly<Record<string, string>>): void {
  for (const [id, label] of Object.entries(labels)) emitStep(jobId, { id, label, status: 'pending' })
}

/** Does what one step stands for, or several that run side by side, and reports how it went. */
export async function runSteps<T>(
  jobId: string,
  ids: readonly string[],
  control: JobControl,
  work: () => Promise<T>,
): Promise<T> {
  const report = (status: 'running' | 'succeeded' | 'failed' | 'skipped') => {
    for (const id of ids) emitStep(jobId, { id, status })
  }
  report('running')
  try {
    const result = await work()
    report('succeeded')
    return result
  } catch (error) {
    report(control.signal.aborted ? 'skipped' : 'failed')
    throw error
  }
}
