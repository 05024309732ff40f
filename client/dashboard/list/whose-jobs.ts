import { effect, signal } from '@preact/signals'

/** Whose jobs the list shows. */
export type Whose = 'mine' | 'everyone'

const KEY = 'milepost whose'

/** Whether the reader may see the jobs of others: the server has written it into the page. */
export const seesEveryone = document.getElementById('app')?.dataset.seesEveryone === 'true'

/** What the reader chose, remembered from one visit to the next. */
export const whose = signal<Whose>(seesEveryone && remembered() === 'everyone' ? 'everyone' : 'mine')

effect(() => {
  if (!seesEveryone) return
  try {
    localStorage.setItem(KEY, whose.value)
  } catch {
    // Storage is switched off: it is chosen again the next time.
  }
})

function remembered(): string | null {
  try {
    return localStorage.getItem(KEY)
  } catch {
    return null
  }
}
