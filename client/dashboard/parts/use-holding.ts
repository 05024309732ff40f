import type { RefObject } from 'preact'
import { useEffect, useState } from 'preact/hooks'

/** Whether an element is hovered or has the focus inside. */
export function useHolding(area: RefObject<HTMLElement | null>): boolean {
  const [pointed, setPointed] = useState(false)
  const [focused, setFocused] = useState(false)
  useEffect(() => {
    const { current } = area
    if (!current) return
    const stop = new AbortController()
    const { signal } = stop
    current.addEventListener('pointerenter', () => setPointed(true), { signal })
    current.addEventListener('pointerleave', () => setPointed(false), { signal })
    current.addEventListener('focusin', () => setFocused(true), { signal })
    current.addEventListener('focusout', (event) => setFocused(current.contains(event.relatedTarget as Node | null)), {
      signal,
    })
    return () => stop.abort()
  }, [area])
  return pointed || focused
}
