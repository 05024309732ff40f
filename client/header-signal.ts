import { batch, computed, type ReadonlySignal, signal } from '@preact/signals-core'
import {
  addSample,
  coarseTimeLeft,
  type Estimate,
  emptyEstimate,
  getRate,
  getTimeLeft,
  sampleOf,
} from '../shared/estimate.ts'
import type { JobHeader } from '../shared/job.ts'
import { type Environment, systemEnvironment } from './environment.ts'
import { type Followed, HeaderLine } from './header-line.ts'
import type { LineSignals } from './signal-line.ts'
import { Ticker } from './ticker.ts'
import { whileWatched } from './while-watched.ts'

/** A job without its rows, as signals. It is followed while any of them is watched, and a moment longer. */
export interface HeaderSignal extends LineSignals {
  readonly job: ReadonlySignal<JobHeader | undefined>
  /** Units per second; `undefined` until it can be trusted. */
  readonly rate: ReadonlySignal<number | undefined>
  /** Seconds, in coarse steps; `undefined` until it can be trusted. */
  readonly timeLeft: ReadonlySignal<number | undefined>
}

/** Where a job is, and by what right it is seen. */
export interface HeaderAddress {
  /** `/api/jobs/ID`, or its stream, `…/progress?token=…`, as `POST …/tokens` gives it. */
  url: string
  /** A watch token. */
  token?: string | undefined
  environment?: Environment | undefined
}

const SECOND = 1_000
const MINUTE = 60 * SECOND

/** The header of a job as signals. All that a page shows of one server share a connection. */
export function createHeaderSignal({ url, token, environment = usualEnvironment() }: HeaderAddress): HeaderSignal {
  const { clock } = environment
  const address = new URL(url, globalThis.document?.baseURI)
  const [, path, id] = /^(.*)\/api\/jobs\/([^/]+)/.exec(address.pathname) ?? []
  const right = token ?? address.searchParams.get('token') ?? undefined
  let line: HeaderLine | undefined
  let estimate: Estimate = emptyEstimate
  let callOff: (() => void) | undefined

  const followed: Followed = {
    id: id ?? '',
    token: right,
    header: undefined,
    over: undefined,
    refusals: 0,
    changed() {
      const { header } = followed
      if (header && header !== newest) estimate = addSample(estimate, sampleOf(header))
      newest = header
      callOff ??= environment.frame(show)
    },
  }
  let newest: JobHeader | undefined
  const ticker = new Ticker(clock, () => (followed.over ? MINUTE : SECOND), show)
  const lifetime = whileWatched(clock, {
    open() {
      line = findLine(address.origin + path, right !== undefined, environment)
      line.join(followed)
      ticker.start()
    },
    close() {
      line?.leave(followed)
      ticker.stop()
      callOff?.()
      callOff = undefined
    },
  })
  const known = signal<{ job: JobHeader | undefined; estimate: Estimate }>({ job: undefined, estimate }, lifetime)
  const connection = signal<LineSignals['connection']['value']>('connecting', lifetime)
  const lastSeen = signal<number | undefined>(undefined, lifetime)
  const now = signal(clock.now(), lifetime)
  let told: number | undefined

  function show(): void {
    callOff?.()
    callOff = undefined
    batch(() => {
      if (known.peek().job !== newest) known.value = { job: newest, estimate }
      connection.value = followed.over ?? line?.status ?? 'connecting'
      lastSeen.value = line?.lastSeen
      now.value = line?.serverClock.now() ?? clock.now()
    })
  }
  return {
    job: computed(() => known.value.job),
    rate: computed(() => getRate(known.value.estimate, now.value)),
    timeLeft: computed(() => {
      told = coarseTimeLeft(getTimeLeft(known.value.estimate, now.value), told)
      return told
    }),
    connection,
    lastSeen,
    now,
  }
}

let usual: Environment | undefined

function usualEnvironment(): Environment {
  usual ??= systemEnvironment()
  return usual
}

/** By environment; then by server and kind of right, for a request that names tokens speaks for nobody else. */
const lines = new WeakMap<Environment, Map<string, HeaderLine[]>>()

/** A line to a server with room for another job. */
function findLine(base: string, hasToken: boolean, environment: Environment): HeaderLine {
  let known = lines.get(environment)
  if (!known) {
    known = new Map()
    lines.set(environment, known)
  }
  const key = `${base} ${hasToken}`
  const there = known.get(key) ?? []
  known.set(key, there)
  let line = there.find(({ hasRoom }) => hasRoom)
  if (!line) {
    line = new HeaderLine(base, environment)
    there.push(line)
  }
  return line
}
