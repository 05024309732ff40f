import { useEffect, useRef, useState } from 'preact/hooks'
import { isTerminalStatus } from '../../../../shared/document/selectors.ts'
import { bin, stop } from '../../../element/icons.ts'
import { say } from '../../../element/live-region.ts'
import type { JobRow } from '../../../signals/job-list-signal.ts'
import { format } from '../../page.ts'
import { Icon } from '../../parts/icon.tsx'
import { Notice } from '../../parts/notice.tsx'
import type { Refusal } from '../../refusal.ts'
import { leaving, selection } from '../selection.ts'
import { type Act, actOnAll } from './act.ts'
import { bulkText } from './bulk-text.ts'

/** How long an act can be undone: milliseconds. */
const UNDO_MS = 8_000

interface Pending {
  act: Act
  ids: readonly string[]
}

/** What can be done with the selected jobs, each act with a way back before it happens. */
export function BulkBar({ rows }: { rows: readonly JobRow[] }) {
  const [pending, setPending] = useState<Pending>()
  const [refused, setRefused] = useState<readonly Refusal[]>([])
  const commit = useRef<() => void>(() => {})
  const chosen = rows.filter(({ job }) => selection.value?.has(job.id))
  const ids = {
    cancel: chosen.filter(({ job }) => !isTerminalStatus(job.status) && !job.cancelRequested).map(({ job }) => job.id),
    delete: chosen.filter(({ job }) => isTerminalStatus(job.status)).map(({ job }) => job.id),
  }

  const show = (without: readonly string[]) => {
    leaving.value = new Set([...leaving.value].filter((id) => !without.includes(id)))
  }
  const begin = (act: Act) => {
    setRefused([])
    setPending({ act, ids: ids[act] })
    if (act === 'delete') leaving.value = new Set([...leaving.value, ...ids.delete])
    selection.value = new Set()
    const count = format.number(ids[act].length)
    say(act === 'cancel' ? bulkText.willCancel(count) : bulkText.willDelete(count), true)
  }
  const undo = () => {
    if (pending) show(pending.ids)
    setPending(undefined)
    say(bulkText.undone, true)
  }
  commit.current = () => {
    if (!pending) return
    setPending(undefined)
    void actOnAll(pending.act, pending.ids).then((failures) => {
      show([...failures.keys()])
      setRefused([...failures.values()])
    })
  }
  useEffect(() => {
    if (!pending) return
    const timer = setTimeout(() => commit.current(), UNDO_MS)
    return () => clearTimeout(timer)
  }, [pending])
  useEffect(() => {
    // Whoever leaves has not undone it.
    const onLeave = () => commit.current()
    addEventListener('pagehide', onLeave)
    return () => {
      removeEventListener('pagehide', onLeave)
      onLeave()
      selection.value = undefined
    }
  }, [])

  const count = (act: Act) => format.number(ids[act].length)
  return (
    <section class="bulk card" aria-label={bulkText.label}>
      {refused[0] && (
        <>
          <p>{bulkText.refused(format.number(refused.length))}</p>
          <Notice error={refused[0]} />
        </>
      )}
      {pending ? (
        <div class="bulk-line">
          <span>
            {pending.act === 'cancel'
              ? bulkText.willCancel(format.number(pending.ids.length))
              : bulkText.willDelete(format.number(pending.ids.length))}
          </span>
          <button type="button" class="primary" onClick={undo}>
            {bulkText.undo}
          </button>
        </div>
      ) : (
        <div class="bulk-line">
          <span title={bulkText.hint}>{bulkText.selected(format.number(chosen.length))}</span>
          <button
            type="button"
            class="quiet"
            onClick={() => {
              selection.value = new Set(rows.map(({ job }) => job.id))
            }}
          >
            {bulkText.all}
          </button>
          <button type="button" disabled={ids.cancel.length === 0} onClick={() => begin('cancel')}>
            <Icon icon={stop} />
            {bulkText.cancel(count('cancel'))}
          </button>
          <button type="button" class="danger" disabled={ids.delete.length === 0} onClick={() => begin('delete')}>
            <Icon icon={bin} />
            {bulkText.delete(count('delete'))}
          </button>
          <button
            type="button"
            class="quiet"
            onClick={() => {
              selection.value = undefined
            }}
          >
            {bulkText.done}
          </button>
        </div>
      )}
    </section>
  )
}
