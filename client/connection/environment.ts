import { type Clock, type Random, systemClock } from '../../shared/time/clock.ts'
import type { TabPlatform } from './tabs/tab-connection.ts'

/** The part of EventSource that this client uses. */
export interface EventSourceLike {
  readonly readyState: number
  onopen: ((event: Event) => unknown) | null
  onerror: ((event: Event) => unknown) | null
  addEventListener(name: string, listener: (event: MessageEvent<string>) => void): void
  close(): void
}

/** The page, if there is one: its `online`, `offline`, `visibilitychange` and `pageshow` events. */
type BrowserPage = Pick<EventTarget, 'addEventListener'> & {
  readonly navigator?: { readonly onLine?: boolean }
  readonly document?: { readonly visibilityState: string }
  readonly location?: { readonly origin: string }
}

/** The client's dependencies on its environment, injectable for tests. */
export interface Environment {
  fetch(url: string, init?: RequestInit): Promise<Response>
  /** Omitted where there is none, as on servers; streams are then read with `fetch`. */
  EventSource?: (new (url: string) => EventSourceLike) | undefined
  clock: Clock
  random: Pick<Random, 'number'>
  page?: BrowserPage | undefined
  /** How tabs find each other, other than the page's own way. */
  tabs?: TabPlatform | undefined
  /** Calls `run` once, at the next frame. Returns a function that cancels it. */
  frame(run: () => void): () => void
}

/** The longest wait for a frame: hidden pages draw none. */
const FRAME_MAX_MS = 250
/** The length of a frame without a display. */
const FRAME_MS = 16

/** The runtime's own. */
export function systemEnvironment(): Environment {
  const { EventSource, addEventListener } = globalThis as Partial<typeof globalThis>
  return {
    fetch: (url, init) => fetch(url, init),
    EventSource,
    clock: systemClock,
    random: { number: Math.random },
    page: addEventListener && (globalThis as BrowserPage),
    frame: nextFrame,
  }
}

let usual: Environment | undefined

/** The runtime's own, always the same object: what has the same environment shares connections. */
export function usualEnvironment(): Environment {
  usual ??= systemEnvironment()
  return usual
}

function nextFrame(run: () => void): () => void {
  const { requestAnimationFrame } = globalThis as Partial<typeof globalThis>
  let isAwaited = true
  const stop = () => {
    isAwaited = false
    clearTimeout(timer)
  }
  const once = () => {
    if (!isAwaited) return
    stop()
    run()
  }
  const timer = setTimeout(once, requestAnimationFrame ? FRAME_MAX_MS : FRAME_MS)
  requestAnimationFrame?.(once)
  return stop
}
