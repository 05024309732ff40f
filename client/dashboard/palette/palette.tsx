import { useEffect, useId, useState } from 'preact/hooks'
import { describeJob } from '../../text/words.ts'
import { base, isOperator, navigate } from '../navigation.ts'
import { format, jobList } from '../page.ts'
import { Dialog } from '../parts/dialog.tsx'
import { moveFocus } from '../parts/move-focus.ts'
import { ALL_JOBS, type Filter, toHref } from '../route.ts'
import { text } from '../text.ts'
import { findEntries, type PaletteEntry } from './entries.ts'
import { paletteText } from './palette-text.ts'

const filters: readonly Filter[] = ['running', 'done', 'failed', 'cancelled']

const places: readonly PaletteEntry[] = [
  { label: text.toJobs, href: toHref(ALL_JOBS) },
  ...filters.map((filter) => ({
    label: paletteText.only(text.filters[filter]),
    href: toHref({ ...ALL_JOBS, filter }),
  })),
  ...(isOperator ? [{ label: text.operator, href: 'operator' }] : []),
  { label: text.docs, href: 'docs' },
  { label: text.api.title, href: 'docs/api' },
]

/** Goes anywhere by keyboard: a combobox of pages and jobs, by the ARIA practices. */
export function Palette({ onClose }: { onClose(): void }) {
  const id = useId()
  const [search, setSearch] = useState('')
  const [active, setActive] = useState(0)
  const list = jobList.value
  const entries = findEntries(search, places, list.rows.value, ({ job, rate, timeLeft }) => {
    const words = describeJob({ job, connection: 'live', now: list.now.value, rate, timeLeft }, format)
    return { label: job.title, hint: words.chip, href: toHref({ page: 'job', id: job.id }) }
  })
  const current = Math.min(active, entries.length - 1)
  useEffect(() => {
    document.getElementById(`${id}-${current}`)?.scrollIntoView({ block: 'nearest' })
  }, [current])

  const go = ({ href }: PaletteEntry) => {
    onClose()
    // The documents are pages of the server.
    if (href === 'docs') location.assign(new URL(href, base))
    else navigate(href)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const entry = entries[current]
    if (event.key === 'Enter' && entry) go(entry)
    // Home and End are the text's.
    const isMove = /^(Arrow(Up|Down)|Page(Up|Down))$/.test(event.key)
    const next = isMove ? moveFocus(event.key, current, entries.length, { kind: 'rows', page: 8 }) : undefined
    if (next === undefined) return
    event.preventDefault()
    setActive(next)
  }
  return (
    <Dialog title={paletteText.title} onClose={onClose}>
      <input
        class="palette-input"
        role="combobox"
        aria-expanded="true"
        aria-autocomplete="list"
        aria-controls={id}
        aria-activedescendant={current < 0 ? undefined : `${id}-${current}`}
        aria-label={paletteText.input}
        placeholder={paletteText.input}
        autocomplete="off"
        // The dialog was opened to type.
        ref={(input) => input?.focus()}
        value={search}
        onInput={(event) => {
          setSearch(event.currentTarget.value)
          setActive(0)
        }}
        onKeyDown={onKeyDown}
      />
      {entries.length === 0 && <p class="muted">{text.nothingFound(search)}</p>}
      <div class="palette" role="listbox" id={id} aria-label={paletteText.title} hidden={entries.length === 0}>
        {entries.map((entry, index) => (
          <div
            key={entry.href}
            id={`${id}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === current}
            onClick={() => go(entry)}
            onKeyDown={onKeyDown}
          >
            <span dir="auto">{entry.label}</span>
            {entry.hint !== undefined && <small class="muted">{entry.hint}</small>}
          </div>
        ))}
      </div>
    </Dialog>
  )
}
