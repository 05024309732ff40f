import { signal } from '@preact/signals'

/** The jobs that the reader has selected, by id; `undefined` while none can be. */
export const selection = signal<ReadonlySet<string>>()

/** Jobs that are being deleted: the list no longer shows them. */
export const leaving = signal<ReadonlySet<string>>(new Set())

/** Selects a job, or no longer. */
export function select(id: string, isSelected: boolean): void {
  const selected = new Set(selection.value)
  if (isSelected) selected.add(id)
  else selected.delete(id)
  selection.value = selected
}
