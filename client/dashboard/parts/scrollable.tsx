import type { ComponentChildren, Ref } from 'preact'

interface ScrollableProps {
  label: string
  class: string
  box?: Ref<HTMLElement>
  onScroll?(): void
  children: ComponentChildren
}

/** A scrolling region without focusable content needs a tab stop, or a keyboard can't scroll it (WCAG 2.1.1). */
const keyboardStop = { tabIndex: 0 }

/** A scrollable region, by keyboard too. */
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
