import { useEffect, useState } from 'preact/hooks'
import { lazy } from './parts/lazy.tsx'

const Palette = lazy(() => import('./start/start.ts').then(({ Palette }) => Palette))

/** Opens the palette by Ctrl+K, or ⌘K. */
export function PaletteKey() {
  const [isOpen, setOpen] = useState(false)
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.key !== 'k' || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return
      event.preventDefault()
      if (!document.querySelector('dialog[open]')) setOpen(true)
    }
    document.addEventListener('keydown', onKeyDown)
    return () => document.removeEventListener('keydown', onKeyDown)
  }, [])
  return isOpen ? <Palette onClose={() => setOpen(false)} /> : null
}
