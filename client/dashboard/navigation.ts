import { computed, effect, signal } from '@preact/signals'
import { parseRoute, type Route } from './route.ts'

/** Where the app is mounted. */
export const base = new URL('.', document.baseURI)

/** Whether the reader is signed in: the server has written it into the page. */
export const isSignedIn = document.getElementById('app')?.dataset.isStranger !== 'true'

/** Whether the reader is an administrator, who has the operator's page. */
export const isOperator = document.getElementById('app')?.dataset.isAdmin === 'true'

/** Whose session the page is for: the server has written it into the page. Tabs of one session share their connections. */
export const viewer = document.getElementById('app')?.dataset.viewer || undefined

const address = signal(location.href)

/** The page that is shown. */
export const route = computed<Route>(() => parseRoute(new URL(address.value), base))

/** Goes to an address of the dashboard, relative to where it is mounted. `replace` leaves no step in the history. */
export function navigate(href: string, { replace = false } = {}): void {
  const url = new URL(href, base).href
  if (url === address.value) return
  if (replace) history.replaceState(null, '', url)
  else history.pushState(null, '', url)
  address.value = url
  if (!replace) scrollTo(0, 0)
}

/** Handles the history and links of the page without reloading it. */
export function startNavigation(): void {
  addEventListener('popstate', () => {
    address.value = location.href
  })
  // Without a session, links load the page, and the server asks to sign in.
  if (!isSignedIn) return
  document.addEventListener('click', (event) => {
    const href = hrefOfPlainClick(event)
    if (href === undefined) return
    event.preventDefault()
    navigate(href)
  })
  let shown: string | undefined
  effect(() => {
    const { value } = route
    const page = value.page === 'job' ? `job ${value.id}` : value.page
    // Another filter of the same list is not another page.
    isArriving = shown !== undefined && shown !== page
    shown = page
  })
  for (const name of ['keydown', 'pointerdown']) {
    addEventListener(name, () => {
      isArriving = false
    })
  }
}

/** Whether the reader has just arrived at another page, without any input since. */
let isArriving = false

/** Focuses the heading after a page change, as loading the page would. Called by headings when they are rendered. */
export function arriveAt(heading: HTMLElement): void {
  if (isArriving) heading.focus({ preventScroll: true })
}

/** The address of a plainly clicked link of the dashboard: not one to open elsewhere or to save. */
function hrefOfPlainClick(event: MouseEvent): string | undefined {
  if (event.defaultPrevented || event.button !== 0) return undefined
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return undefined
  const link = event.target instanceof Element ? event.target.closest<HTMLAnchorElement>('a[href]') : null
  if (link?.target !== '' || link.hasAttribute('download')) return undefined
  return parseRoute(new URL(link.href), base).page === 'missing' ? undefined : link.href
}
