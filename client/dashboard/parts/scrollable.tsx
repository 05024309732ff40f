import type { ComponentChildren, Ref } from 'preact'

interface ScrollableProps {
  label: string
  class: string
  box?: Ref<HTMLElement>
  onScroll?(): void
  children: ComponentChildren
}

/** What scrolls and holds nothing to be focused: without a stop of its own, a keyboard could not scroll it (WCAG 2.1.1). */
const keyboardStop = { tabIndex: 0 }

/** A region that scrolls by itself, by keyboard too. */
export function Scrollable({ label, class: name, box, onScroll, children }: ScrollableProps) {
  return (
    <section
      class={name}
      aria-label={label}
      {...keyboardStop}
      {...(box ? { ref: box } : {})}
      {...(onScroll ? { onScroll } : {})}
    >
      {children}
    </section>
  )
}
