import { emitStep, type JobControl } from '../../jobs/emitter.ts'

/** Reports all steps of a job, by id, before the first begins, so that watchers see what will come. */
export function announceSteps(jobId: string, labels: Readonly<Record<string, string>>): void {
  for (const [id, label] of Object.entries(labels)) emitStep(jobId, { id, label, status: 'pending' })
}

/** Runs the work of one step, or of several concurrent ones, and reports their status. */
export async function runSteps<T>(
  jobId: string,
  ids: readonly string[],
  control: JobControl,
  work: () => Promise<T>,
): Promise<T> {
  const report = (status: 'running' | 'succeeded' | 'failed') => {
    for (const id of ids) emitStep(jobId, { id, status })
  }
  report('running')
  try {
    const result = await work()
    report('succeeded')
    return result
  } catch (error) {
    // A step that its job's end interrupts was neither skipped nor did it fail: it stays as far as it was.
    if (!control.signal.aborted) report('failed')
    throw error
  }
}
