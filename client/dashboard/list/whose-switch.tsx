import { navigate } from '../navigation.ts'
import { type Route, toHref } from '../route.ts'
import { text } from '../text.ts'
import { owner, seesEveryone, type Whose, whose } from './whose-jobs.ts'

const order: readonly Whose[] = ['mine', 'everyone']

/** Whose jobs the list shows, for those who may choose. */
export function WhoseSwitch({ shown }: { shown: Extract<Route, { page: 'jobs' }> }) {
  if (!seesEveryone) return null
  return (
    <fieldset class="segments">
      <legend class="unseen">{text.whoseLabel}</legend>
      {order.map((choice) => (
        <button
          key={choice}
          type="button"
          aria-pressed={owner.value === '' && choice === whose.value}
          onClick={() => {
            whose.value = choice
            navigate(toHref({ ...shown, owner: '' }))
          }}
        >
          {text.whose[choice]}
        </button>
      ))}
      {owner.value !== '' && (
        <button type="button" class="owner" aria-pressed="true" dir="auto">
          {owner.value}
        </button>
      )}
    </fieldset>
  )
}
