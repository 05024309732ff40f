import type { JobFacts } from '../../../../../../client/connection/job-facts.ts'
import { locateJob } from '../../../../../../client/connection/job-url.ts'
import { followHeader } from '../../../../../../client/connection/jobs/follow-header.ts'
import { newHeader } from '../../../../../arbitraries.ts'
import type { FakeEnvironment } from '../../../../../fake-environment.ts'
import { settle } from '../../../../../virtual-clock.ts'

/** Ends what a test began. Each file calls them after each of its tests: a hook here would be of one file alone. */
export const stops: (() => void)[] = []

export const AT = 'https://progress.example/app'

/** Follows a job, and answers with what was shown of it last. */
export function open(environment: FakeEnvironment, id: string, token: string | null = null): { shown: JobFacts } {
  const followed: { shown?: JobFacts } = {}
  stops.push(
    followHeader(locateJob(`${AT}/api/jobs/${id}`, token), environment, (facts) => {
      followed.shown = facts
    }),
  )
  const { shown } = followed
  if (!shown) throw new Error('Nothing was shown at once')
  return Object.assign(followed, { shown })
}

/** Time enough for jobs to be gathered into one stream. */
export const gather = (environment: FakeEnvironment) => environment.clock.advance(20)

/** The stream is refused; then each of its jobs is asked for by itself. */
export const refuse = (environment: FakeEnvironment) => {
  environment.source.refuse()
  return settle()
}

export const running = (id: string, version = 2) => newHeader({ id, version, status: 'running' })

export const send = (environment: FakeEnvironment, event: string, id: string, data: object) => {
  environment.source.send(event, { jobId: id, cursor: 'e-1', ...data })
  environment.draw()
}
