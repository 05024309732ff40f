import { type Environment, usualEnvironment } from '../connection/environment.ts'
import { parseJobAddress } from '../connection/job-url.ts'
import { createJobSignal, type JobSignal, type JobSignalOptions } from './job-signal.ts'

/** By environment and job, held weakly. */
const shared = new WeakMap<Environment, Map<string, WeakRef<JobSignal>>>()

const forgotten = new FinalizationRegistry<{ jobs: Map<string, WeakRef<JobSignal>>; key: string }>(({ jobs, key }) => {
  if (jobs.get(key)?.deref() === undefined) jobs.delete(key)
})

/**
 * The signals of a job, shared by all callers with the same job and credentials, so a page folds its messages once. Keep a reference to
 * the whole object, not only to one signal.
 */
export function getJobSignal(options: JobSignalOptions): JobSignal {
  const world = options.environment ?? usualEnvironment()
  let jobs = shared.get(world)
  if (!jobs) {
    jobs = new Map()
    shared.set(world, jobs)
  }
  const { key } = parseJobAddress(options)
  const known = jobs.get(key)?.deref()
  if (known) return known
  const made = createJobSignal(options)
  jobs.set(key, new WeakRef(made))
  forgotten.register(made, { jobs, key })
  return made
}
