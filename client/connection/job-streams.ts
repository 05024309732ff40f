import { isJob, isPatch } from '../../shared/wire/answers.ts'
import type { Environment } from './environment.ts'
import { jobTransition } from './job-connection-state.ts'
import { createJobStream, type FollowedJob, type JobStream } from './job-stream.ts'
import type { ParsedAddress } from './job-url.ts'
import { openStream } from './transport.ts'

/** Jobs on one stream: servers accept 100 jobs and 16 KiB of URL, in which each job may have a token. */
const MOST_JOBS = 80
const MOST_WITH_TOKENS = 40

/** Open streams, by environment and by what their jobs have in common. */
const streams = new WeakMap<Environment, Map<string, JobStream[]>>()

/** Adds a job to a stream that has room for it, of the same server, credentials and view. */
export function joinJobStream(job: FollowedJob, address: ParsedAddress, environment: Environment): JobStream {
  const { location, parts, headers = {}, streamKey } = address
  const world = streams.get(environment) ?? new Map<string, JobStream[]>()
  streams.set(environment, world)
  const open = (world.get(streamKey) ?? []).filter(({ isIdle }) => !isIdle)
  world.set(streamKey, open)
  const known = open.find((stream) => stream.join(job))
  if (known) return known
  const made = createJobStream({
    base: location.base,
    parts,
    headers,
    mostJobs: location.token === null ? MOST_JOBS : MOST_WITH_TOKENS,
    policy: jobTransition,
    open: (url, attempt) => openStream(url, address.headers, environment, attempt),
    nameOf: (answer) => (isPatch(answer) ? 'patch' : isJob(answer) ? 'snapshot' : undefined),
    environment,
  })
  made.join(job)
  open.push(made)
  return made
}
