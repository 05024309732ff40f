import type { IconShape } from '../../element/icons.ts'
import { stateIcons } from '../../element/icons.ts'
import type { JobWords } from '../../text/words.ts'
import { text } from '../text.ts'

/** An icon beside a word, or in a control that has a name: hidden from screen readers. */
export function Icon({ icon }: { icon: IconShape }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={icon.path} stroke-width={icon.stroke} />
    </svg>
  )
}

/** The state of a job: an icon, a word and a colour. A job that can't be seen has none. */
export function Chip({ words, isPausing = false }: { words: JobWords; isPausing?: boolean }) {
  if (words.chip === undefined) return null
  return (
    <span class={`chip ${words.tone}`}>
      <Icon icon={stateIcons[words.state]} />
      {isPausing ? text.job.pausing : words.chip}
    </span>
  )
}
