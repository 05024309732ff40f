import type { ComponentChildren } from 'preact'

/** A link within the page. A bare `#id` would be relative to `<base>`. */
export function ContentsLink({ id, children }: { id: string; children: ComponentChildren }) {
  const go = (event: MouseEvent) => {
    const target = document.getElementById(id)
    if (!target) return
    event.preventDefault()
    target.scrollIntoView()
    target.focus({ preventScroll: true })
  }
  return (
    <a href={`docs/api#${id}`} onClick={go}>
      {children}
    </a>
  )
}
