import { qualify } from '../../../shared/document/tenant.ts'
import { fullName } from '../../auth/access.ts'
import { problems, refuse } from '../../errors.ts'
import type { View } from '../../jobs/engine.ts'
import type { Viewer } from './event-stream.ts'

/** Limits of open streams in this process. */
export interface StreamLimits {
  /** Per principal. */
  streams: number
  /** Per job, of streams opened with its watch tokens. */
  jobStreams: number
}

/**
 * What a stream shows: whole jobs, headers of jobs, a list of jobs, or the figures of the operator's page; or the connection of a producer, which
 * counts as a stream.
 */
export type StreamView = View | 'list' | 'operator' | 'report'

/** Open streams by view. */
export type StreamsByView = Record<StreamView, number>

/** The accounts with the most streams. */
export interface BusiestStreams extends StreamsByView {
  principals: ({ sub: string } & StreamsByView)[]
  guests: ({ job: string } & StreamsByView)[]
  /** Principals and jobs that are not among them. */
  others: number
}

/**
 * Counts open streams per principal; those opened with watch tokens, per job. Otherwise guests could use up the limit of the principal that
 * made the token.
 */
export class StreamCounts {
  readonly #limits: StreamLimits
  readonly #ofPrincipal = new Map<string, StreamsByView>()
  readonly #ofJob = new Map<string, StreamsByView>()
  readonly #all = none()

  constructor(limits: StreamLimits) {
    this.#limits = limits
  }

  /** Counts a stream. @throws ProblemError 429 when a limit is reached */
  add(viewer: Viewer, view: StreamView): void {
    const { tenant, jobs } = viewer
    const { streams, jobStreams } = this.#limits
    if (!jobs) {
      const who = fullName(viewer)
      const open = sum(this.#ofPrincipal.get(who))
      if (open >= streams)
        throw refuse(problems.tooMany('streams', `You have ${open} streams open. Close some, then try again.`))
      increment(this.#ofPrincipal, who, view)
    }
    for (const job of jobs ?? []) {
      const open = sum(this.#ofJob.get(qualify(tenant, job)))
      if (open < jobStreams) continue
      throw refuse(
        problems.tooMany('jobStreams', `Its tokens have ${open} streams of job ${job} open. Try again later.`),
      )
    }
    for (const job of jobs ?? []) increment(this.#ofJob, qualify(tenant, job), view)
    this.#all[view] += 1
  }

  /** Uncounts a stream that ended. */
  remove(viewer: Viewer, view: StreamView): void {
    const { tenant, jobs } = viewer
    this.#all[view] -= 1
    if (!jobs) decrement(this.#ofPrincipal, fullName(viewer), view)
    else for (const job of jobs) decrement(this.#ofJob, qualify(tenant, job), view)
  }

  /** Open streams by view. */
  get all(): StreamsByView {
    return { ...this.#all }
  }

  /** Who has the most streams. @param most of principals, and of jobs */
  busiest(most: number): BusiestStreams {
    const principals = busiestOf(this.#ofPrincipal, most).map(([sub, counts]) => ({ sub, ...counts }))
    const guests = busiestOf(this.#ofJob, most).map(([job, counts]) => ({ job, ...counts }))
    const others = this.#ofPrincipal.size - principals.length + this.#ofJob.size - guests.length
    return { ...this.#all, principals, guests, others }
  }
}

const none = (): StreamsByView => ({ all: 0, header: 0, list: 0, operator: 0, report: 0 })
const sum = ({ all, header, list, operator, report } = none()) => all + header + list + operator + report

function increment(counts: Map<string, StreamsByView>, key: string, view: StreamView): void {
  const open = counts.get(key) ?? none()
  counts.set(key, open)
  open[view] += 1
}

function decrement(counts: Map<string, StreamsByView>, key: string, view: StreamView): void {
  const open = counts.get(key)
  if (!open) return
  open[view] -= 1
  if (sum(open) <= 0) counts.delete(key)
}

/** The entries with the most streams, in one pass: there may be very many. */
function busiestOf(counts: Map<string, StreamsByView>, most: number): [string, StreamsByView][] {
  let busiest: [string, StreamsByView][] = []
  let least = 0
  for (const entry of counts) {
    if (busiest.length >= most && sum(entry[1]) <= least) continue
    busiest.push(entry)
    if (busiest.length < 2 * most) continue
    busiest = busiest.sort(byStreams).slice(0, most)
    least = sum(busiest.at(-1)?.[1])
  }
  return busiest.sort(byStreams).slice(0, most)
}

const byStreams = ([, a]: [string, StreamsByView], [, b]: [string, StreamsByView]) => sum(b) - sum(a)
