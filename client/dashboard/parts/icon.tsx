import type { Icon as Shape } from '../../element/icons.ts'

/** An icon beside a word, or in a control that has a name: hidden from screen readers. */
export function Icon({ icon }: { icon: Shape }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={icon.path} stroke-width={icon.stroke} />
    </svg>
  )
}
