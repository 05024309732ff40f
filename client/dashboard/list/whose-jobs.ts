import { computed, effect, signal } from '@preact/signals'
import { route } from '../navigation.ts'

/** Whose jobs the list shows. */
export type Whose = 'mine' | 'everyone'

const KEY = 'milepost whose'

/** Whether the reader may see the jobs of others: the server has written it into the page. */
export const seesEveryone = document.getElementById('app')?.dataset.seesEveryone === 'true'

/** What the reader chose, remembered from one visit to the next. */
export const whose = signal<Whose>(seesEveryone && remembered() === 'everyone' ? 'everyone' : 'mine')

/** The one owner whose jobs the list shows; empty for none. Only those who see everyone's jobs may choose one. */
export const owner = computed(() => (seesEveryone && route.value.page === 'jobs' ? route.value.owner : ''))

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
