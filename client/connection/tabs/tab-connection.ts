import type { Timer } from '../../../shared/time/clock.ts'
import { type Attempt, type ConnectionOptions, createConnection, type ServerConnection } from '../connection.ts'
import type { ConnectionStatus } from '../connection-state.ts'
import { SILENCE_MS } from '../timeouts.ts'

/** What a tab follows: cursors by job id; `''` for a job that starts with a snapshot. Empty on a stream without jobs. */
export type Wants = Readonly<Record<string, string>>

/** What tabs need to share a connection: secure pages of today's browsers have it. */
export interface TabPlatform {
  readonly locks: Pick<LockManager, 'request'>
  readonly BroadcastChannel: typeof BroadcastChannel
}

interface TabOptions extends ConnectionOptions {
  /** Equal in all tabs that may share: the same server, credential and kind of stream. */
  group: Promise<string>
  platform: TabPlatform
  /** What this tab follows. */
  wants(): Wants
  /** In the tab that connects: what another tab follows, `undefined` once it follows nothing. Returns whether there is room. */
  follow(tab: string, wants: Wants | undefined): boolean
  /** Called in the other tabs when a stream begins. */
  onOpen?(): void
}

/** A connection of many tabs, seen from one of them. */
export interface TabConnection extends ServerConnection {
  /** Gives a message to the other tabs, if this one connects. */
  tell(name: string, data: object): void
}

type TabMessage =
  /** What a tab follows: its `n`th statement. `isNew`: the stream has to begin again for it. */
  | { type: 'want'; tab: string; n: number; wants: Wants; isNew: boolean }
  | { type: 'bye'; tab: string }
  /** A tab asks who leads. */
  | { type: 'ask' }
  /** The leader says so, and with `asks` wants to know who is there. */
  | { type: 'lead'; leader: string; isHidden: boolean; status: ConnectionStatus; asks: boolean }
  /** A tab has to connect by itself. */
  | { type: 'full'; tab: string }
  /** A stream begins that takes these statements into account. */
  | { type: 'open'; leader: string; heard: Record<string, number> }
  | { type: 'message'; leader: string; name: string; data: string | object }

/** How long a tab waits for the leader's word before it takes the lead: milliseconds. */
const ANSWER_MS = 5_000
/** How long a new leader waits for what the others follow, and gathers what they change. */
const GATHER_MS = 30

/** The platform of this page; `undefined` where tabs can't share. */
export function tabPlatform(): TabPlatform | undefined {
  const { navigator, BroadcastChannel } = globalThis as Partial<typeof globalThis>
  return navigator?.locks && BroadcastChannel && { locks: navigator.locks, BroadcastChannel }
}

/**
 * One connection for all tabs of a group. A lock elects the leader, which connects and passes each message on; when its tab is gone, the next
 * takes over. A visible tab takes the lead from a hidden one, whose timers the browser slows down, and from one that does not answer.
 *
 * Every tab keeps its own documents. The others tell the leader what they follow, with their cursors; the stream begins again from the oldest, and
 * until then they take no message. So a tab that joins or falls behind gets what it lacks in the same way as after a lost connection.
 */
export function createTabConnection(options: TabOptions): TabConnection {
  const { environment, platform } = options
  const { clock, page } = environment
  const tab = crypto.randomUUID()
  const others = new Map<string, { n: number; isThere: boolean }>()
  let status: ConnectionStatus = 'connecting'
  let channel: BroadcastChannel | undefined
  /** Ends the present membership: its lock or its place in the queue, and its listeners. */
  let membership: AbortController | undefined
  let resign: (() => void) | undefined
  /** Of the leader, or of a tab that connects by itself. */
  let own: ServerConnection | undefined
  let leader: string | undefined
  let n = 0
  /** Whether the stream takes this tab's newest statement into account. */
  let isServed = false
  /** Whether this tab waits for the lock. */
  let isQueued = false
  let watchdog: Timer | undefined
  let gathering: Timer | undefined

  const isHidden = () => page?.document?.visibilityState === 'hidden'
  const post = (message: TabMessage) => channel?.postMessage(message)
  const leads = () => resign !== undefined
  const say = (asks = false) => post({ type: 'lead', leader: tab, isHidden: isHidden(), status, asks })

  function setStatus(next: ConnectionStatus): void {
    if (status === next) return
    status = next
    options.onStatus(next)
  }

  /** Says what this tab follows. */
  function want(isNew: boolean): void {
    if (isNew) {
      n += 1
      isServed = false
      expectWord(ANSWER_MS)
    }
    post({ type: 'want', tab, n, wants: options.wants(), isNew })
  }

  /** Takes the lead if the leader says nothing for a while; after a long silence it is asked first. */
  function expectWord(ms: number): void {
    clock.clearTimeout(watchdog)
    if (own) return
    watchdog = clock.setTimeout(() => {
      if (isHidden()) return
      if (ms === ANSWER_MS) elect(true)
      else ask()
    }, ms)
  }
  function ask(): void {
    post({ type: 'ask' })
    expectWord(ANSWER_MS)
  }

  /** Waits for the lead, or takes it. */
  function elect(steal = false): void {
    const { signal } = membership ?? {}
    if (!signal || (isQueued && !steal)) return
    isQueued ||= !steal
    const lead = () =>
      new Promise<void>((resolve) => {
        if (!steal) isQueued = false
        if (signal.aborted || own) return resolve()
        resign = resolve
        startToLead()
      })
    void options.group
      .then((group) => platform.locks.request(group, steal ? { steal } : { signal }, lead))
      .catch(() => {
        // Another tab has taken the lead.
        if (signal.aborted || !leads()) return
        stopToLead()
        leader = undefined
        elect()
        ask()
      })
  }

  function startToLead(): void {
    clock.clearTimeout(watchdog)
    leader = tab
    own = connect(true)
    say(true)
    gather(() => own?.start())
  }
  function stopToLead(): void {
    const before = own
    own = undefined
    resign?.()
    resign = undefined
    clock.clearTimeout(gathering)
    gathering = undefined
    for (const other of others.keys()) options.follow(other, undefined)
    others.clear()
    before?.stop()
  }

  function gather(run: () => void): void {
    gathering ??= clock.setTimeout(() => {
      gathering = undefined
      run()
    }, GATHER_MS)
  }

  /** @param isShared whether the other tabs hear what it hears */
  function connect(isShared: boolean): ServerConnection {
    const relay = (attempt: Attempt): Attempt => ({
      ...attempt,
      take(name, data) {
        if (attempt.signal.aborted) return
        // Others may have a token that has not ended: the next leader finds out.
        if (name !== 'end' || !data.includes('"token-expired"')) post({ type: 'message', leader: tab, name, data })
        attempt.take(name, data)
        if (name === 'ping') callRoll()
      },
    })
    const made = createConnection({
      ...options,
      open(cursor, attempt) {
        if (!isShared) return options.open(cursor, attempt)
        post({
          type: 'open',
          leader: tab,
          heard: Object.fromEntries([...others].map(([other, heard]) => [other, heard.n])),
        })
        return options.open(cursor, relay(attempt))
      },
      poll: (cursor, attempt) => options.poll(cursor, isShared ? relay(attempt) : attempt),
      onStatus(next) {
        if (own !== made) return
        setStatus(next)
        if (isShared) say()
      },
    })
    return made
  }

  /** Forgets the tabs that did not answer the last time, and asks again. */
  function callRoll(): void {
    for (const [other, heard] of others) {
      if (heard.isThere) heard.isThere = false
      else forget(other)
    }
    say(true)
  }
  function forget(other: string): void {
    if (others.delete(other)) options.follow(other, undefined)
  }

  function hear(message: TabMessage): void {
    if (leads()) hearAsLeader(message)
    else if (!own) hearAsFollower(message)
  }

  function hearAsLeader(message: TabMessage): void {
    // Another may have led before it was frozen, and not know yet.
    if (message.type === 'ask' || message.type === 'lead') say()
    if (message.type === 'bye') forget(message.tab)
    if (message.type !== 'want') return
    const { tab: other, n: newest, wants } = message
    const isKnown = others.get(other)?.n === newest
    others.set(other, { n: newest, isThere: true })
    if (isKnown) return
    if (options.follow(other, wants)) gather(() => own?.again())
    else {
      others.delete(other)
      post({ type: 'full', tab: other })
    }
  }

  function hearAsFollower(message: TabMessage): void {
    switch (message.type) {
      case 'lead':
        expectWord(SILENCE_MS)
        if (message.isHidden && !isHidden()) elect(true)
        else if (message.leader !== leader) {
          leader = message.leader
          want(true)
        } else if (message.asks) want(false)
        setStatus(message.status)
        break
      case 'open':
        if (message.leader !== leader || message.heard[tab] !== n) break
        isServed = true
        options.onOpen?.()
        break
      case 'message':
        // One that was frozen, and led before that, passes on old messages until it knows.
        if (!isServed || message.leader !== leader) break
        expectWord(SILENCE_MS)
        take(message.name, message.data)
        break
      case 'full':
        if (message.tab !== tab) break
        clock.clearTimeout(watchdog)
        own = connect(false)
        own.start()
    }
  }

  function take(name: string, data: string | object): void {
    try {
      options.receive(name, typeof data === 'string' ? JSON.parse(data) : data)
      options.onHeard()
    } catch {
      want(true)
    }
  }

  async function enter(): Promise<void> {
    const present = new AbortController()
    membership = present
    const { signal } = present
    const group = await options.group
    if (signal.aborted) return
    channel = new platform.BroadcastChannel(group)
    channel.onmessage = ({ data }: MessageEvent<TabMessage>) => {
      try {
        hear(data)
      } catch {
        // Any script of the origin may send anything.
      }
    }
    const seen = () => {
      if (leads()) say()
      else if (!own && !isHidden()) ask()
    }
    page?.addEventListener('visibilitychange', seen, { signal })
    elect()
    want(true)
  }

  function leave(): void {
    membership?.abort()
    membership = undefined
    isQueued = false
    clock.clearTimeout(watchdog)
    post({ type: 'bye', tab })
    stopToLead()
    channel?.close()
    channel = undefined
    leader = undefined
  }

  /** From `start` to `stop`. */
  let life: AbortController | undefined
  function start(): void {
    if (life) return
    life = new AbortController()
    const { signal } = life
    // A page in the back-forward cache must not lead: it is frozen.
    page?.addEventListener('pagehide', leave, { signal })
    page?.addEventListener('pageshow', () => void (membership || enter()), { signal })
    void enter()
  }

  return {
    get status() {
      return status
    },
    start,
    again() {
      if (!life) start()
      else if (own) own.again()
      else want(true)
    },
    stop() {
      if (!life) return
      life.abort()
      life = undefined
      leave()
      setStatus('connecting')
    },
    tell(name, data) {
      if (leads()) post({ type: 'message', leader: tab, name, data })
    },
  }
}
