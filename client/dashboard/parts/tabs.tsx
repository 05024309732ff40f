import type { ComponentChildren } from 'preact'
import { useId, useRef } from 'preact/hooks'
import { moveFocus } from './move-focus.ts'

interface Tab<Id extends string> {
  id: Id
  label: ComponentChildren
}

interface TabsProps<Id extends string> {
  label: string
  tabs: readonly Tab<Id>[]
  selected: Id
  onSelect(id: Id): void
  /** What the selected tab shows. */
  children: ComponentChildren
}

/** Tabs and the panel of the selected one, by the ARIA practices: one stop for Tab, arrows between them. */
export function Tabs<Id extends string>({ label, tabs, selected, onSelect, children }: TabsProps<Id>) {
  const list = useRef<HTMLDivElement>(null)
  const base = useId()
  const onKeyDown = (event: KeyboardEvent) => {
    const index = tabs.findIndex(({ id }) => id === selected)
    const rightToLeft = list.current?.matches(':dir(rtl)') ?? false
    const next = moveFocus(event.key, index, tabs.length, { kind: 'tabs', rightToLeft })
    const tab = next === undefined ? undefined : tabs[next]
    if (!tab) return
    event.preventDefault()
    onSelect(tab.id)
    document.getElementById(`${base}-${tab.id}`)?.focus()
  }
  return (
    <>
      <div class="tabs" role="tablist" aria-label={label} ref={list} onKeyDown={onKeyDown}>
        {tabs.map((tab) => (
          <button
            key={tab.id}
            type="button"
            role="tab"
            id={`${base}-${tab.id}`}
            aria-selected={tab.id === selected}
            aria-controls={`${base}-panel`}
            tabIndex={tab.id === selected ? 0 : -1}
            onClick={() => onSelect(tab.id)}
          >
            {tab.label}
          </button>
        ))}
      </div>
      <div role="tabpanel" id={`${base}-panel`} aria-labelledby={`${base}-${selected}`}>
        {children}
      </div>
    </>
  )
}
