import type { Environment } from './environment.ts'
import { createJobSignal, type JobSignal, type JobSignalOptions } from './job-signal.ts'
import { jobUrls } from './job-url.ts'

/** The environment of those who bring none. */
const usual = {}
/** By environment and job. Held weakly: a job that nobody holds is nobody's. */
const shared = new WeakMap<Environment | typeof usual, Map<string, WeakRef<JobSignal>>>()

const forgotten = new FinalizationRegistry<{ jobs: Map<string, WeakRef<JobSignal>>; key: string }>(({ jobs, key }) => {
  if (jobs.get(key)?.deref() === undefined) jobs.delete(key)
})

/**
 * The signals of a job, the same ones for all who ask for the same job by the same right: so a page has one connection a job, however many
 * of its parts show it. Hold on to the whole object, not to one signal of it.
 */
export function getJobSignal(options: JobSignalOptions): JobSignal {
  const world = options.environment ?? usual
  let jobs = shared.get(world)
  if (!jobs) {
    jobs = new Map()
    shared.set(world, jobs)
  }
  const { key } = jobUrls(options)
  const known = jobs.get(key)?.deref()
  if (known) return known
  const made = createJobSignal(options)
  jobs.set(key, new WeakRef(made))
  forgotten.register(made, { jobs, key })
  return made
}
