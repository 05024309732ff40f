import { computed, signal } from '@preact/signals'
import { useEffect, useMemo } from 'preact/hooks'
import { createAnnouncer } from '../element/announcer.ts'
import { say } from '../element/live-region.ts'
import type { ConnectionSignals } from '../signals/connection-signals.ts'
import { createJobListSignal, type JobListSignal } from '../signals/job-list-signal.ts'
import { createFormat } from '../text/format.ts'
import { english } from '../text/language.ts'
import type { JobWords } from '../text/words.ts'
import { owner, whose } from './list/whose-jobs.ts'
import { base, viewer } from './navigation.ts'
import { text } from './text.ts'

/** The number and date formats of the page: English texts, with the reader's region. */
const region = navigator.language.startsWith('en') ? { locale: navigator.language } : {}
export const format = createFormat(english, region)

/** Two digits of each, so that lines below each other are aligned. */
const clock = { hour: '2-digit', minute: '2-digit', second: '2-digit' } as const
const day = { year: 'numeric', month: 'short', day: '2-digit' } as const
const [timeOfDay, dayAndTime] = [clock, { ...day, ...clock }].map(
  (options) => new Intl.DateTimeFormat(region.locale ?? 'en', options),
)

/** A moment to the second, written as the other times of the page are: with its date when that is not today's. */
export function toTheSecond(moment: number): string {
  const isToday = new Date(moment).toDateString() === new Date().toDateString()
  return (isToday ? timeOfDay : dayAndTime)?.format(moment) ?? ''
}

const lists = {
  mine: createJobListSignal({ baseUrl: base.href, viewer }),
  everyone: createJobListSignal({ baseUrl: base.href, viewer, owner: '*' }),
}

/** The jobs that the reader chose to see: one stream, whichever page shows them. */
export const jobList = computed(() => (owner.value === '' ? lists[whose.value] : listOf(owner.value)))

/** The list of the owner who was chosen last: the way back to it loads nothing. */
let chosen: { owner: string; list: JobListSignal } | undefined

function listOf(owner: string): JobListSignal {
  if (chosen?.owner !== owner) chosen = { owner, list: createJobListSignal({ baseUrl: base.href, viewer, owner }) }
  return chosen.list
}

/** How often the page's connection has come back after it was lost. */
export const returns = signal(0)

/** The connection of the operator's page, once its code is there: it has none for an administrator of one tenant. */
export const operatorConnection = signal<ConnectionSignals>()

/** Announces the progress of the page's job to screen readers. */
export function useAnnouncements(words: JobWords, title: string | undefined): void {
  const announcer = useMemo(() => createAnnouncer(say), [])
  useEffect(() => announcer(words, title, format))
}

/** Sets the title of the document. */
export function useTitle(page: string): void {
  useEffect(() => {
    document.title = text.title(page)
  }, [page])
}

const RING = 'fill="none" stroke-width="4" cx="9" cy="9" r="7"'
/** Colours that can be told from light and dark tabs. */
const ICON_COLORS = { running: '#5b7cf5', done: '#1f9d61', failed: '#e0484d', attention: '#c98a1b', neutral: '#8a8f9c' }

/** Shows the progress of the page's job in the icon of its tab. */
export function useProgressIcon(words: JobWords | undefined): void {
  // An icon that changes with each event costs more than anyone sees.
  const share = words && Math.floor((words.percent ?? 100) / 5) * 5
  const color = words && ICON_COLORS[words.tone]
  useEffect(() => {
    const link = document.querySelector<HTMLLinkElement>('link[rel="icon"]')
    if (!link || color === undefined) return
    const before = link.href
    const ring = `<circle ${RING} stroke="#8884"/><circle ${RING} stroke="${color}" pathLength="100" stroke-dasharray="${share} 100" transform="rotate(-90 9 9)"/>`
    link.href = `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 18 18">${ring}</svg>`)}`
    return () => {
      link.href = before
    }
  }, [share, color])
}
