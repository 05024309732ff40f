import { effect } from '@preact/signals-core'
import { type Clock, systemClock } from '../../shared/time/clock.ts'

/** Thirty times as fast as the real one: those who wait for a server wait for less long. */
export const fastClock: Clock = {
  now: () => Date.now() * 30,
  monotonic: () => performance.now() * 30,
  setTimeout: (run, ms) => systemClock.setTimeout(run, ms / 30),
  clearTimeout: (timer) => systemClock.clearTimeout(timer),
}

/** Counts the answers that came to somebody. */
export function counted() {
  let answers = 0
  let heard = Promise.withResolvers<void>()
  return {
    async fetch(url: string, init?: RequestInit): Promise<Response> {
      const response = await fetch(url, init)
      answers += 1
      heard.resolve()
      return response
    },
    /** Resolves once that many more have come. */
    async more(count: number): Promise<void> {
      for (const goal = answers + count; answers < goal; heard = Promise.withResolvers()) await heard.promise
    },
  }
}

/** Resolves once a condition about signals holds. */
export function until(condition: () => boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const stop = effect(() => {
    if (condition()) resolve()
  })
  return promise.finally(stop)
}
