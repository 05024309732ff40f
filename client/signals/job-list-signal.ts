import { batch, computed, type ReadonlySignal, signal } from '@preact/signals-core'
import type { JobHeader } from '../../shared/document/job.ts'
import { getProgressPercent } from '../../shared/document/selectors.ts'
import { coarseTimeLeft, estimate } from '../../shared/time/estimate.ts'
import { isJob, readJson } from '../../shared/wire/answers.ts'
import type { JobList } from '../../shared/wire/api.ts'
import type { PingData } from '../../shared/wire/messages.ts'
import { jobsPath, progressPath, withoutSlash } from '../../shared/wire/paths.ts'
import { createCredential } from '../connection/access/credential.ts'
import { type ConnectionOptions, createConnection, eventOf } from '../connection/connection.ts'
import { type Environment, usualEnvironment } from '../connection/environment.ts'
import { type BearerOptions, viewerOfTabs } from '../connection/job-url.ts'
import { jobTransition } from '../connection/jobs/job-connection-state.ts'
import { JobListReplica, type ListMessage } from '../connection/jobs/job-list-replica.ts'
import { createServerClock } from '../connection/server-clock.ts'
import { createTabConnection } from '../connection/tabs/tab-connection.ts'
import { tabGroup } from '../connection/tabs/tab-group.ts'
import { POLL_TIMEOUT_MS } from '../connection/timeouts.ts'
import { createTransport } from '../connection/transport.ts'
import { type ConnectionSignals, watchConnection } from './connection-signals.ts'
import { errorOf, type JobError } from './job-signal.ts'
import { sameIfEqual } from './same-if-equal.ts'

/** A row of the list. The same object while nothing in it changes. */
export interface JobRow {
  readonly job: JobHeader
  /** 0 to 100; `undefined` while the total is unknown. */
  readonly percent: number | undefined
  /** Units per second; `undefined` until the estimate is reliable. */
  readonly rate: number | undefined
  /** Seconds, in coarse steps; `undefined` until the estimate is reliable. */
  readonly timeLeft: number | undefined
}

/** All jobs of the signed-in user, as signals. The connection is open while any of them is watched, and a moment longer. */
export interface JobListSignal extends ConnectionSignals {
  /** Newest first. */
  readonly rows: ReadonlySignal<readonly JobRow[]>
  /** The ids of {@link rows}, in the same order: changes only when a job comes or goes. */
  readonly ids: ReadonlySignal<readonly string[]>
  /** The row of one job: changes only when that row does. */
  row(id: string): ReadonlySignal<JobRow | undefined>
  readonly error: ReadonlySignal<JobError | undefined>
  /** Whether the newest jobs have been loaded. */
  readonly ready: ReadonlySignal<boolean>
  /** Whether there are older jobs to load. */
  readonly hasMore: ReadonlySignal<boolean>
  /** Whether older jobs are being loaded. */
  readonly loading: ReadonlySignal<boolean>
  /** Loads older jobs. Never rejects; a failure leaves `hasMore` as it is. */
  loadMore(): Promise<void>
}

/** Which jobs, and how to reach them. */
export interface JobListOptions extends BearerOptions {
  /** Where the server is mounted. Omitted: at the root of this origin. */
  baseUrl?: string | undefined
  /** Who reads: tabs of one viewer share a connection. See {@link JobSignalOptions}. */
  viewer?: string | undefined
  /** Only the children of this job. */
  parent?: string | undefined
  /** Whose jobs, by name, or `*` for everyone's: takes the scope `jobs:admin`. Omitted: one's own. */
  owner?: string | undefined
  environment?: Environment | undefined
}

/** Jobs of one page: as many ended ones as the stream starts with. */
const PAGE = 100

/** The list of jobs as signals: opens the connection when one of them is first watched, and closes it when none is. */
export function createJobListSignal(options: JobListOptions = {}): JobListSignal {
  const environment = options.environment ?? usualEnvironment()
  const base = withoutSlash(options.baseUrl ?? '')
  const credential = createCredential(options, environment, () => connection.again())
  const list = new JobListReplica()
  /** The cursor of the next page; `undefined` before the first. */
  let next: { cursor: string | undefined } | undefined
  let isReady = false

  const serverClock = createServerClock(environment.clock)
  let lastSeen: number | undefined

  const group = tabGroup(
    viewerOfTabs(options),
    base,
    ['list', options.owner, options.parent, options.bearer !== undefined || options.getToken !== undefined],
    environment,
  )

  function onOpen(): void {
    list.begin()
    // Only a page has the cursor of the next one; pings and polls make the list ready without it.
    if (!next) void loadPage()
  }
  function takePage(jobs: readonly JobHeader[]): void {
    list.replaceNewest(jobs)
    isReady = true
    source.showSoon()
  }
  const connectionOptions: ConnectionOptions = {
    environment,
    policy: jobTransition,
    // Lists have no cursor. Any value will do: an empty list sends no message before the first ping.
    cursor: 'list',
    ...createTransport({
      environment,
      streamUrl: () => `${base}/${progressPath}${query({ owner: options.owner, parent: options.parent })}`,
      pollUrl: () => pageUrl(undefined),
      requests: credential,
      onOpen,
      receivePoll(answer, date) {
        if (!isPage(answer)) return undefined
        serverClock.setRoughly(date)
        takePage(answer.jobs)
        tellTabs?.('page', answer)
        return {}
      },
    }),
    receive(event, data) {
      if (event === 'page') takePage((data as JobList).jobs)
      else if (event === 'ping') {
        serverClock.set((data as PingData).at)
        list.settle()
        isReady = true
        source.showSoon()
      } else {
        source.showSoon()
        return eventOf(list.receive({ event, data } as ListMessage), 'message')
      }
      return { type: 'message' }
    },
    onHeard() {
      lastSeen = serverClock.now()
    },
    onStatus: () => source.changed(),
  }
  const shared =
    group && createTabConnection({ ...connectionOptions, ...group, wants: () => ({}), follow: () => true, onOpen })
  const tellTabs = shared?.tell
  const connection = shared ?? createConnection(connectionOptions)
  const source = watchConnection({
    connection,
    times: () => ({ now: serverClock.now(), lastSeen }),
    show() {
      listed.value = list.jobs
      ready.value = isReady
    },
    environment,
  })
  const listed = signal<readonly JobHeader[]>([], source.lifetime)
  const ready = signal(false, source.lifetime)
  const hasMore = signal(false, source.lifetime)
  const loading = signal(false, source.lifetime)

  function pageUrl(cursor: string | undefined): string {
    return `${base}/${jobsPath}${query({ limit: `${PAGE}`, owner: options.owner, parent: options.parent, cursor })}`
  }

  /** Loads the next page. Returns whether it had new jobs, or `undefined` when it failed. */
  async function loadPage(): Promise<boolean | undefined> {
    const abort = new AbortController()
    const timer = environment.clock.setTimeout(() => abort.abort(), POLL_TIMEOUT_MS)
    try {
      const response = await environment.fetch(pageUrl(next?.cursor), {
        headers: { accept: 'application/json', ...(await credential.headers()) },
        signal: abort.signal,
      })
      if (!response.ok) return undefined
      const page = await readJson(response)
      if (!isPage(page)) return undefined
      next = { cursor: page.nextCursor }
      const isNews = list.add(page.jobs)
      isReady = true
      batch(() => {
        ready.value = true
        hasMore.value = page.nextCursor !== undefined
        listed.value = list.jobs
      })
      return isNews
    } catch {
      // The server is away: the stream shows that, and the caller may try again.
      return undefined
    } finally {
      environment.clock.clearTimeout(timer)
    }
  }

  const keep = keepRows()
  const rows = computed(() => keep(listed.value, source.now.value))
  const byId = computed(() => new Map(rows.value.map((row) => [row.job.id, row])))
  return {
    rows,
    ids: sameIfEqual(() => rows.value.map(({ job }) => job.id)),
    row: (id) => computed(() => byId.value.get(id)),
    error: computed(() => errorOf(source.connection.value, ready.value)),
    ready,
    hasMore,
    loading,
    connection: source.connection,
    lastSeen: source.lastSeen,
    now: source.now,
    async loadMore() {
      if (loading.peek()) return
      loading.value = true
      // The stream may have brought older jobs already: skip pages without new ones.
      let isNews: boolean | undefined = false
      while (isNews === false && (next === undefined || next.cursor !== undefined)) isNews = await loadPage()
      loading.value = false
    },
  }
}

/** Whether an answer is a page of jobs. */
function isPage(answer: unknown): answer is JobList {
  const { jobs } = Object(answer) as Partial<JobList>
  return Array.isArray(jobs) && jobs.every(isJob)
}

/** A query string: `?a=1&b=2`, of the fields that are there. */
function query(fields: Record<string, string | undefined>): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) search.set(name, value)
  return search.size === 0 ? '' : `?${search}`
}

/** Makes rows, reusing unchanged ones, and the whole array when nothing changed. */
function keepRows(): (jobs: readonly JobHeader[], now: number) => readonly JobRow[] {
  let kept = new Map<string, JobRow>()
  let array: readonly JobRow[] = []
  return (jobs, now) => {
    const before = kept
    kept = new Map()
    const rows = jobs.map((job) => {
      const known = before.get(job.id)
      const { rate, timeLeft: seconds } = estimate(job, now)
      const timeLeft = coarseTimeLeft(seconds, known?.timeLeft)
      const isSame = known?.job === job && known.rate === rate && known.timeLeft === timeLeft
      const row = isSame ? known : { job, percent: getProgressPercent(job), rate, timeLeft }
      kept.set(job.id, row)
      return row
    })
    if (rows.length !== array.length || rows.some((row, index) => row !== array[index])) array = rows
    return array
  }
}
