import { text } from '../text.ts'
import { seesEveryone, type Whose, whose } from './whose-jobs.ts'

const order: readonly Whose[] = ['mine', 'everyone']

/** Whose jobs the list shows, for those who may choose. */
export function WhoseSwitch() {
  if (!seesEveryone) return null
  return (
    <fieldset class="segments">
      <legend class="unseen">{text.whoseLabel}</legend>
      {order.map((choice) => (
        <button
          key={choice}
          type="button"
          aria-pressed={choice === whose.value}
          onClick={() => {
            whose.value = choice
          }}
        >
          {text.whose[choice]}
        </button>
      ))}
    </fieldset>
  )
}
