import { parseCursor } from '../../../shared/document/cursor.ts'
import type { Patch } from '../../../shared/document/job.ts'
import { isJob, isPatch } from '../../../shared/wire/answers.ts'
import type { EndData } from '../../../shared/wire/messages.ts'
import { createCredential } from '../access/credential.ts'
import { isThereForAll, tellOriginRefused } from '../access/origin-refusal.ts'
import { createConnection } from '../connection.ts'
import type { Environment } from '../environment.ts'
import type { JobLocation, ParsedAddress } from '../job-url.ts'
import { createTabConnection, type TabConnection, type Wants } from '../tabs/tab-connection.ts'
import { tabGroup } from '../tabs/tab-group.ts'
import { jobTransition } from './job-connection-state.ts'
import { createJobStream, type FollowedJob, type JobStream } from './job-stream.ts'

/** Jobs on one stream: servers accept 100 jobs and 16 KiB of URL, in which each job may have a token. */
const MAX_JOBS = 80
const MAX_WITH_TOKENS = 40

/** Every id of a job, qualified or not: for any other the server would refuse the whole stream. `shared/document/job.ts` has the exact rule. */
const JOB_ID = /^[\w.~:-]{1,194}$/

/** Streams in use, by environment and by what their jobs have in common. */
const streams = new WeakMap<Environment, Map<string, PageStream[]>>()

/** Adds a job to a stream that has room for it, of the same server, credentials and view. */
export function joinJobStream(
  job: FollowedJob,
  address: ParsedAddress,
  environment: Environment,
): Pick<JobStream, 'facts' | 'leave'> {
  const world = streams.get(environment) ?? new Map<string, PageStream[]>()
  streams.set(environment, world)
  const open = (world.get(address.streamKey) ?? []).filter(({ isIdle }) => !isIdle)
  world.set(address.streamKey, open)
  const known = open.find((stream) => stream.join(job))
  if (known) return known
  const made = new PageStream(address, environment, open.length)
  made.join(job)
  open.push(made)
  return made
}

/** A stream of this page's jobs and, where tabs share one, of the jobs of others. */
class PageStream {
  readonly #stream: JobStream
  readonly #jobs = new Map<string, SharedJob>()
  readonly #isRenewable: boolean
  #tellTabs: TabConnection['tell'] = () => {}

  /** @param index among the page's streams of the same jobs: tabs share the first, the second and so on */
  constructor({ location, parts, credential, viewer }: ParsedAddress, environment: Environment, index: number) {
    const hasBearer = credential.bearer !== undefined || credential.getToken !== undefined
    const group = tabGroup(viewer, location.base, [`jobs ${index}`, parts, hasBearer], environment)
    const { open, request, isRenewable } = createCredential(credential, environment, () => this.#stream.restart())
    this.#isRenewable = isRenewable
    this.#stream = createJobStream({
      base: location.base,
      parts,
      mostJobs: location.token === null ? MAX_JOBS : MAX_WITH_TOKENS,
      policy: jobTransition,
      connect: (options) => {
        if (!group) return createConnection(options)
        const connection = createTabConnection({
          ...options,
          ...group,
          wants: () => this.#wants(),
          follow: (tab, wants) => this.#follow(tab, wants, location),
        })
        this.#tellTabs = connection.tell
        return connection
      },
      open: (url, attempt) => {
        for (const { waiting } of this.#jobs.values()) waiting.clear()
        return open(url, attempt)
      },
      request,
      nameOf: (answer) => (isPatch(answer) ? 'patch' : isJob(answer) ? 'snapshot' : undefined),
      originRefusal: async () => ({ isThereForAll, tellOriginRefused }),
      environment,
    })
  }

  get isIdle(): boolean {
    return this.#jobs.size === 0
  }

  facts() {
    return this.#stream.facts()
  }

  /** Follows a job of this page, if there is room. */
  join(job: FollowedJob): boolean {
    const isKnown = this.#jobs.has(job.location.id)
    const shared = this.#open(job.location)
    shared?.own.add(job)
    // The stream begins again, with a snapshot for the new one.
    if (shared && isKnown) this.#stream.restart()
    return shared !== undefined
  }

  /** Leaves a job of this page. Without any, the page has no use for the connection, and another tab takes it over. */
  leave(job: FollowedJob): void {
    const shared = this.#jobs.get(job.location.id)
    if (!shared?.own.delete(job)) return
    this.#close(shared)
    if ([...this.#jobs.values()].some(({ own }) => own.size > 0)) return
    for (const { tabs } of this.#jobs.values()) tabs.clear()
    for (const other of this.#jobs.values()) this.#close(other)
  }

  #wants(): Wants {
    const own = [...this.#jobs.values()].filter(({ own, over }) => own.size > 0 && !over)
    return Object.fromEntries(own.map((job) => [job.location.id, (!job.isInDoubt && job.ownCursor) || '']))
  }

  /** Takes over what another tab follows. Returns whether there is room. */
  #follow(tab: string, wants: Wants = {}, { base, token }: JobLocation): boolean {
    let fits = true
    for (const [id, cursor] of Object.entries(wants)) {
      const shared = this.#open({ base, id, token })
      if (!shared) {
        fits = false
        continue
      }
      shared.tabs.set(tab, cursor)
      shared.waiting.add(tab)
    }
    for (const job of this.#jobs.values()) {
      if (fits && job.location.id in wants) continue
      if (job.tabs.delete(tab)) this.#close(job)
    }
    return fits
  }

  /** The job, followed from now on; `undefined` if there is no room. */
  #open(location: JobLocation): SharedJob | undefined {
    const known = this.#jobs.get(location.id)
    if (known && !known.over) return known
    const made = new SharedJob(location, this.#tellTabs, this.#isRenewable)
    if (!JOB_ID.test(location.id)) queueMicrotask(() => made.end('not-found'))
    else if (!this.#stream.join(made)) return undefined
    this.#jobs.set(location.id, made)
    return made
  }

  #close(job: SharedJob): void {
    if (job.own.size + job.tabs.size > 0) return
    this.#jobs.delete(job.location.id)
    this.#stream.leave(job)
  }
}

/** A job that this page or other tabs follow. */
class SharedJob implements FollowedJob {
  readonly location: JobLocation
  readonly own = new Set<FollowedJob>()
  /** The cursors of other tabs: `''` for those that need a snapshot. */
  readonly tabs = new Map<string, string>()
  /** Those that take no message before the next stream, which begins at their cursors. */
  readonly waiting = new Set<string>()
  over?: FollowedJob['over']
  isInDoubt?: boolean
  isRefused?: boolean | undefined

  readonly #tellTabs: TabConnection['tell']

  /** Whether the end of a token is no end: the next stream has another. */
  readonly #isRenewable: boolean

  constructor(location: JobLocation, tellTabs: TabConnection['tell'], isRenewable: boolean) {
    this.location = location
    this.#tellTabs = tellTabs
    this.#isRenewable = isRenewable
  }

  /** The oldest of all; none if any lacks one or they are of different histories. */
  get cursor(): string | undefined {
    return oldest([...this.#ownCursors(), ...this.tabs.values()])
  }

  get ownCursor(): string | undefined {
    return oldest(this.#ownCursors())
  }

  #ownCursors(): string[] {
    return [...this.own].map(({ cursor }) => cursor ?? '')
  }

  receive(name: string, data: unknown) {
    const { jobId, cursor } = data as { jobId?: string; cursor?: string }
    // The leader alone polls.
    if (!jobId && name !== 'ping') this.#tellTabs(name, { ...(data as object), jobId: this.location.id })
    if (cursor) for (const tab of this.tabs.keys()) if (!this.waiting.has(tab)) this.tabs.set(tab, cursor)
    if (this.#isRenewable && (data as EndData).reason === 'token-expired') return {}
    if (name === 'end' && this.own.size === 0) return { ended: (data as EndData).reason }
    // One that has just joined waits for the snapshot.
    const isFirst = name === 'snapshot' || name === 'end' || (data as Partial<Patch>).from === 0
    const all = [...this.own].filter(({ cursor }) => cursor || isFirst).map((job) => job.receive(name, data))
    return all.some(({ gap }) => gap) ? { gap: true } : { ended: all.find(({ ended }) => ended)?.ended }
  }

  end(over: FollowedJob['over']): void {
    this.over = over
    this.changed()
  }

  changed(): void {
    // A refusal is no message of the stream. That of a token is this tab's alone.
    if (this.over === 'not-found') this.#tellTabs('end', { jobId: this.location.id, reason: 'deleted' })
    for (const job of this.own) {
      job.over = this.over
      job.changed()
    }
  }
}

function oldest(texts: readonly string[]): string | undefined {
  const cursors = texts.map((text) => ({ text, ...parseCursor(text) }))
  const [first, ...more] = cursors
  if (!first?.epoch) return undefined
  const isOne = more.every(({ epoch, generation }) => epoch === first.epoch && generation === first.generation)
  if (!isOne) return undefined
  return cursors.reduce((a, b) => ((a.version ?? 0) <= (b.version ?? 0) ? a : b)).text
}
