import { useEffect, useRef } from 'preact/hooks'

/**
 * Calls `run` at once, and then at intervals while the page is visible; at once when it becomes visible again.
 *
 * @param ms the interval: milliseconds
 * @param key another key starts over
 */
export function useEvery(ms: number, run: () => void, key: string): void {
  const latest = useRef(run)
  latest.current = run
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const tick = () => {
      clearTimeout(timer)
      if (document.visibilityState !== 'visible') return
      latest.current()
      timer = setTimeout(tick, ms)
    }
    tick()
    document.addEventListener('visibilitychange', tick)
    return () => {
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', tick)
    }
  }, [key, ms])
}
