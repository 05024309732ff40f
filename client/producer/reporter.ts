import { failureOf } from '../../shared/producer/http-sender.ts'
import { Outbox } from '../../shared/producer/outbox.ts'
import { backOff } from '../../shared/time/backoff.ts'
import { type Clock, type Random, randomId, systemClock, systemRandom } from '../../shared/time/clock.ts'
import { shareTimers } from '../../shared/time/shared-timers.ts'
import { isProblem, isReceipt } from '../../shared/wire/answers.ts'
import { reportPath } from '../../shared/wire/paths.ts'
import type { GetToken } from '../connection/access/token-source.ts'
import { HEARTBEAT_SECONDS, HttpJobReporter, type JobPort } from './http-job-reporter.ts'
import type { JobReporter, NewJob } from './job-reporter.ts'
import type { ReportChannel } from './report-channel.ts'
import { accessServer } from './server-access.ts'

/** The server, and the token to report with. */
export interface ReporterOptions {
  /** The address of the server: `https://progress.example`. */
  url: string
  /** A JWT with the scope `jobs:write`, or a job's publish token; a function is a `getToken`. May be left out with that. */
  token?: string | GetToken | undefined
  /** Gives a token: asked for the first, for another before the end, and after a refusal. Events wait for it, as while the server is away. */
  getToken?: GetToken | undefined
  /**
   * Called with a sentence about what was refused or lost and why; once a job, when its queue begins to drop events; once, when the server
   * can't be reached or its address redirects. Nothing is ever thrown.
   */
  onProblem?: ((problem: string) => void) | undefined
  /** Sends all requests; without it the reporter also opens a WebSocket, where the runtime has one that can send the token. */
  fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined
  clock?: Clock | undefined
  random?: Random | undefined
}

/** Reports on any number of jobs to one server. */
export interface Reporter {
  /**
   * Creates a job, together with its first batch. Without an id one is made here, so there is nothing to wait for; without `heartbeatSeconds`
   * the job has 60. While it is running and says nothing, the reporter repeats its status by itself.
   */
  create(job: NewJob): JobReporter
  /** Reports on a job that was created elsewhere. */
  job(id: string): JobReporter
  /** Sends the queued events of every job. Never rejects. */
  flush(): Promise<void>
  /** Sends queued events, retrying for five seconds at most, and releases everything. Never rejects. */
  close(): Promise<void>
}

/**
 * A clock whose timers do not keep the process alive, so that it can end while the server is away.
 */
const unobtrusiveClock: Clock = {
  ...systemClock,
  setTimeout(run, ms) {
    // Timers of browsers are numbers.
    const timer = systemClock.setTimeout(run, ms) as { unref?(): void }
    timer.unref?.()
    return timer
  },
}

/**
 * Reports on jobs over HTTP, from any process.
 *
 * Without a reachable server the reported work runs as before. Call `close` at its end, so that the last events are sent.
 *
 * @example
 * ```ts
 * const reporter = createReporter({ url: 'https://progress.example', token })
 * const job = reporter.create({ kind: 'import', title: 'Contacts' })
 * job.status({ status: 'running' })
 * for (const [done, row] of rows.entries()) {
 *   if (job.cancelRequested) break
 *   await store(row)
 *   job.progress({ done: done + 1, total: rows.length, unit: 'rows' })
 * }
 * job.status({ status: job.cancelRequested ? 'cancelled' : 'completed' })
 * await reporter.close()
 * ```
 */
export function createReporter(options: ReporterOptions): Reporter {
  const clock = shareTimers(options.clock ?? unobtrusiveClock)
  const access = accessServer(options, clock)
  const { post, tell } = access
  const random = options.random ?? systemRandom
  const outbox = new Outbox(post)
  const jobs = new Set<HttpJobReporter>()
  let channel: ReportChannel | undefined
  // Pages can't send the token in a handshake.
  let mayConnect = !options.fetch && typeof WebSocket === 'function' && typeof document === 'undefined'
  let isClosed = false
  /** Loads the channel when there is a server and work that takes a while. */
  const load = async () => {
    mayConnect = false
    const { ReportChannel } = await import('./report-channel.ts')
    if (isClosed) return
    channel = new ReportChannel({
      ...{ backOff, failureOf, isProblem, isReceipt },
      // Types know no headers here.
      WebSocket: WebSocket as never,
      url: `${access.url.replace('http', 'ws')}/${reportPath}`,
      token: access.token,
      jobs,
      takeActivity() {
        const { isActive } = port
        port.isActive = false
        return isActive
      },
      post: (batch) => outbox.send(batch),
      clock,
      random,
    })
    channel.wake()
  }
  const port: JobPort = {
    post,
    send: (batch) => channel?.send(batch) ?? outbox.send(batch),
    onReceipt: () => {
      channel?.wake()
      // A bundler's file may be gone.
      if (mayConnect) load().catch(() => {})
    },
    onCreated: (job) => {
      channel?.follow(job)
      port.onReceipt()
    },
    get isPushed() {
      return channel?.isOpen === true
    },
    isActive: false,
    create: (job) => reporter.create(job),
    resume: (job) => jobs.add(job),
    clock,
    closingClock: options.clock ?? systemClock,
    random,
    tell,
  }
  const add = (id: string, job?: NewJob) => {
    const reporter = new HttpJobReporter(port, id, job, () => {
      jobs.delete(reporter)
      channel?.rest()
    })
    jobs.add(reporter)
    return reporter
  }
  const all = async (run: (job: HttpJobReporter) => Promise<void>) => {
    await Promise.all([...jobs].map(run))
  }
  const reporter: Reporter = {
    create: ({ id = randomId(random, 26), ...job }) => add(id, { heartbeatSeconds: HEARTBEAT_SECONDS, ...job, id }),
    job: (id) => add(id),
    flush: () => all((job) => job.flush()),
    close: async () => {
      await all((job) => job.close())
      isClosed = true
      channel?.close()
    },
  }
  return reporter
}
