import { usualEnvironment } from '../connection/environment.ts'
import { parseJobAddress } from '../connection/job-url.ts'
import { createJobSignal, type JobSignal, type JobSignalOptions } from './job-signal.ts'
import { SharedSignals } from './shared.ts'

const shared = new SharedSignals<JobSignal>()

/**
 * The signals of a job, shared by all callers with the same job and credentials, so a page folds its messages once. Keep a reference to
 * the whole object, not only to one signal.
 */
export function getJobSignal(options: JobSignalOptions): JobSignal {
  const { environment = usualEnvironment() } = options
  // A server renders for one reader after another: none may see what another has brought.
  if (options.initial && !environment.page?.document) return createJobSignal(options)
  return shared.get(environment, parseJobAddress(options).key, () => createJobSignal(options))
}
