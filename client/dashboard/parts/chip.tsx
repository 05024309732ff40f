import { stateIcons } from '../../element/icons.ts'
import type { JobWords } from '../../text/words.ts'
import { Icon } from './icon.tsx'

/** The state of a job: an icon, a word and a colour. A job that can't be seen has none. */
export function Chip({ words }: { words: JobWords }) {
  if (words.chip === undefined) return null
  return (
    <span class={`chip ${words.tone}`}>
      <Icon icon={stateIcons[words.state]} />
      {words.chip}
    </span>
  )
}
