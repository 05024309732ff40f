import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import { cross } from '../../element/icons.ts'
import { text } from '../text.ts'
import { Icon } from './icon.tsx'

interface DialogProps {
  title: string
  /** Told when it is closed, by Escape too. */
  onClose(): void
  children: ComponentChildren
}

/** A modal dialog, open for as long as it is drawn. The browser keeps the focus inside, closes it by Escape and gives the focus back. */
export function Dialog({ title, onClose, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const titleId = useId()
  useEffect(() => {
    const { current } = dialog
    const before = document.activeElement
    current?.showModal()
    return () => {
      current?.close()
      if (before instanceof HTMLElement) before.focus()
    }
  }, [])
  return (
    <dialog ref={dialog} aria-labelledby={titleId} onClose={onClose}>
      <div class="dialog-head">
        <h2 id={titleId}>{title}</h2>
        <button type="button" class="quiet icon-only" aria-label={text.close} onClick={onClose}>
          <Icon icon={cross} />
        </button>
      </div>
      {children}
    </dialog>
  )
}
