import { useEffect, useRef } from 'preact/hooks'
import { search as searchIcon } from '../element/icons.ts'
import { navigate, route } from './navigation.ts'
import { Icon } from './parts/icon.tsx'
import { ALL_JOBS, toHref } from './route.ts'
import { text } from './text.ts'

/** Filters the list while typing; `/` focuses it from anywhere, Escape clears it. */
export function SearchBox() {
  const input = useRef<HTMLInputElement>(null)
  const { value } = route
  const search = value.page === 'jobs' ? value.search : ''
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return
      if (document.querySelector('dialog[open]')) return
      event.preventDefault()
      input.current?.focus()
      input.current?.select()
    }
    document.addEventListener('keydown', onKeyDown)
    return () => document.removeEventListener('keydown', onKeyDown)
  }, [])
  const show = (text: string) => {
    const shown = value.page === 'jobs' ? value : ALL_JOBS
    navigate(toHref({ ...shown, search: text }), { replace: value.page === 'jobs' })
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Escape') return
    if (search === '') input.current?.blur()
    else show('')
  }
  return (
    <search>
      <Icon icon={searchIcon} />
      <input
        ref={input}
        type="search"
        aria-label={text.search}
        aria-keyshortcuts="/"
        title={text.searchHint}
        placeholder={text.search}
        value={search}
        onInput={(event) => show(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      <span class="key" aria-hidden="true">
        /
      </span>
    </search>
  )
}

/** Whether the element takes text input. */
function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
}
