import type { Failure } from './ask.ts'
import type { ConnectionEvent, ConnectionStatus } from './connection-state.ts'
import type { Environment, EventSourceLike } from './environment.ts'
import {
  backOff,
  MUTE_MS,
  MUTE_STARTS,
  POLL_MS,
  POLL_TIMEOUT_MS,
  QUIET_MS,
  RETRY_AFTER_MOST_MS,
  RETRY_FIRST_MS,
  SILENCE_MS,
  SILENCE_SEEN_MS,
  STEADY_MS,
  STREAM_AGAIN_MS,
} from './patience.ts'

/** The answer to a poll. */
export type Polled = Extract<ConnectionEvent, { type: 'polled' }>

/** The options of the connection. */
export interface LineOptions {
  /** Opens the stream; `undefined` without EventSource, or with nothing to follow. */
  open(): EventSourceLike | undefined
  /** The names of its messages. */
  names: readonly string[]
  /** Takes a message: its name and its parsed data. */
  receive(name: string, data: unknown): void
  /** Polls for the same, when streams are mute. */
  poll(): Promise<Polled | Failure>
  onStatus(status: ConnectionStatus): void
  /** Called whenever the server was heard. */
  onHeard(): void
  environment: Environment
}

/** How a stream ended: `again` to reopen at once, mute, or failed. */
type End = 'again' | 'mute' | 'failed'

/** `EventSource.CLOSED`: it will not try again by itself. */
const CLOSED = 2
const FAILED: Failure = { type: 'failed' }

/**
 * Keeps a line to the server until it is let go of: by a stream, which is watched over; by polls, where streams are mute; and by another
 * try after each that failed.
 *
 * Same time-outs as `connection-state.ts`, but without cursors, gaps and ends, which belong to single jobs.
 *
 * @returns a function that disconnects
 */
export function keepLine({ environment, ...options }: LineOptions): () => void {
  const { clock, random, page } = environment
  const letGo = new AbortController()
  const { signal } = letGo
  let isOnline = page?.navigator?.onLine !== false
  let failures = 0
  let mutes = 0
  let pollUntil = 0
  /** Ends what is waited for, if it is time: someone looks at the page again, or, which is urgent, the network is back. */
  let wake: (isUrgent: boolean) => void = () => {}

  const lose = () => options.onStatus(isOnline ? 'reconnecting' : 'offline')

  const stream = () =>
    new Promise<End>((resolve) => {
      const source = options.open()
      const openedAt = clock.now()
      let heardAt: number | undefined
      let timer: unknown
      const end = (how: End) => {
        clock.clearTimeout(timer)
        source?.close()
        resolve(how)
      }
      const watch = (ms: number, onSilence: () => void) => {
        clock.clearTimeout(timer)
        timer = clock.setTimeout(onSilence, ms)
      }
      const endMute = () => end('mute')
      wake = (isUrgent) => {
        if (isUrgent || (heardAt && clock.now() - heardAt >= SILENCE_SEEN_MS)) end('again')
      }
      watch(MUTE_MS, endMute)
      if (!source) return
      let isOpen = false
      source.onopen = () => {
        isOpen = true
        options.onHeard()
        // After mute streams, an open one counts only once it delivers.
        if (mutes > 0) return
        if (isOnline) options.onStatus('live')
        watch(QUIET_MS, endMute)
      }
      source.onerror = () => {
        if (!isOpen) end(source.readyState === CLOSED ? 'mute' : 'failed')
        // A steady stream that closes is reopened at once; a short one counts as a failure, to avoid a hot loop.
        else end(heardAt && clock.now() - openedAt >= STEADY_MS ? 'again' : 'failed')
      }
      for (const name of options.names) {
        source.addEventListener(name, ({ data }) => {
          let message: unknown
          try {
            message = JSON.parse(data)
          } catch {
            // A malformed message: the stream can't be trusted.
            end('failed')
            return
          }
          heardAt = clock.now()
          // A message proves that there is a network, whatever the device reports: the server may be local.
          isOnline = true
          mutes = pollUntil = 0
          watch(SILENCE_MS, () => {
            lose()
            end('again')
          })
          // Before it is noted when: it may tell the time.
          options.receive(name, message)
          options.onHeard()
          options.onStatus('live')
        })
      }
    })

  /** @param least before this, only what is urgent ends it: milliseconds */
  const pause = (ms: number, least = 0) =>
    new Promise<void>((resolve) => {
      const begun = clock.now()
      const timer = clock.setTimeout(resolve, ms)
      wake = (isUrgent) => {
        if (!isUrgent && clock.now() - begun < least) return
        clock.clearTimeout(timer)
        resolve()
      }
    })

  const poll = async () => {
    const late = pause(POLL_TIMEOUT_MS, POLL_TIMEOUT_MS).then(() => FAILED)
    const answer = await Promise.race([options.poll(), late]).catch(() => FAILED)
    wake(true)
    return answer
  }

  /** A stream or a poll, and the wait before the next. */
  async function step(): Promise<void> {
    const end = clock.now() < pollUntil ? 'mute' : await stream()
    if (end === 'again') failures = 0
    if (end === 'again' || signal.aborted) return
    const answer = end === 'mute' ? await poll() : FAILED
    if (signal.aborted) return
    const asked = Math.min(RETRY_AFTER_MOST_MS, answer.retryAfterMs ?? 0)
    if (answer.type === 'failed') {
      failures += 1
      lose()
      await pause(asked + backOff(RETRY_FIRST_MS, asked > 0 ? 1 : failures, random.number()), asked)
      return
    }
    options.onHeard()
    failures = 0
    mutes += 1
    if (!isOnline) {
      isOnline = true
      lose()
    }
    if (mutes < MUTE_STARTS) return
    if (clock.now() >= pollUntil) pollUntil = clock.now() + STREAM_AGAIN_MS
    options.onStatus('polling')
    await pause((asked || POLL_MS) * (1 + random.number() / 4))
  }

  const hear = ({ type }: Event) => {
    const wasOnline = isOnline
    if (type === 'online') isOnline = true
    if (type === 'offline') isOnline = false
    if (isOnline !== wasOnline) lose()
    if (isOnline && !wasOnline) {
      // After a network change an open stream is most likely dead without an error.
      failures = pollUntil = 0
      wake(true)
    } else if (type !== 'offline' && page?.document?.visibilityState !== 'hidden') wake(false)
  }
  // `pageshow` is for a page that comes back from the back-forward cache: its streams were cut when it went there.
  for (const name of ['online', 'offline', 'visibilitychange', 'pageshow']) {
    page?.addEventListener(name, hear, { signal })
  }
  if (!isOnline) lose()
  const run = async () => {
    while (!signal.aborted) await step()
  }
  void run()
  return () => {
    letGo.abort()
    wake(true)
  }
}
