import { useId, useRef, useState } from 'preact/hooks'
import type { AuditAction, AuditList, AuditRecord } from '../../../shared/wire/api.ts'
import { format } from '../page.ts'
import { useHolding } from '../parts/use-holding.ts'
import { toHref } from '../route.ts'
import { ListFoot } from './list-foot.tsx'
import { usePages } from './use-pages.ts'
import { words } from './words.ts'

const actions = Object.keys(words.actions) as AuditAction[]

/** Who did what, and who was refused what. */
export function AuditTrail() {
  const id = useId()
  const area = useRef<HTMLElement>(null)
  const [action, setAction] = useState('')
  const path = `api/audit?limit=50${action === '' ? '' : `&action=${action}`}`
  const pages = usePages(path, ({ records }: AuditList) => records, useHolding(area))
  return (
    <section class="card" ref={area}>
      <div class="section-head">
        <h2 class="grow">{words.audit}</h2>
        <label for={id} class="muted">
          {words.show}
        </label>
        <select id={id} value={action} onChange={(event) => setAction(event.currentTarget.value)}>
          <option value="">{words.everything}</option>
          {actions.map((name) => (
            <option key={name} value={name}>
              {words.actions[name]}
            </option>
          ))}
        </select>
      </div>
      <ul class="rows">
        {pages.rows?.map((record) => (
          <Row key={`${record.at} ${record.action} ${record.sub} ${record.requestId}`} record={record} />
        ))}
      </ul>
      <ListFoot pages={pages} empty={words.noRecords} />
    </section>
  )
}

function Row({ record }: { record: AuditRecord }) {
  const { at, action, sub = words.stranger, job } = record
  const isRefusal = action === 'refused' || action === 'credentials-refused'
  return (
    <li class="row">
      <span>
        <bdi>{sub}</bdi> · <span class={isRefusal ? 'bad' : undefined}>{words.actions[action]}</span>
      </span>
      <time class="aside muted" dir="auto" dateTime={at} title={at}>
        {format.time(Date.parse(at), Date.now())}
      </time>
      <small class="muted">
        {job !== undefined && (
          <>
            <a href={toHref({ page: 'job', id: job })} dir="auto">
              {job}
            </a>
            {' · '}
          </>
        )}
        <bdi>{aboutOf(record).join(' · ')}</bdi>
      </small>
    </li>
  )
}

/** What else a record tells, in words. */
function aboutOf(record: AuditRecord): string[] {
  const { by, admin, can, expiresAt, method, path, status, detail, address, unrecorded, since } = record
  const time = (moment: string) => format.time(Date.parse(moment), Date.now())
  const about: string[] = []
  if (unrecorded !== undefined && since !== undefined)
    about.push(words.unrecorded(format.number(unrecorded), time(since)))
  if (record.for !== undefined) about.push(words.for(record.for))
  if (by) about.push(words.by[by])
  if (admin) about.push(words.asAdmin)
  if (can) about.push(words.can[can])
  if (expiresAt !== undefined) about.push(words.until(time(expiresAt)))
  if (method !== undefined && path !== undefined) about.push(words.request(method, path))
  if (status !== undefined && detail !== undefined) about.push(words.refusal(format.number(status), detail))
  if (address !== undefined) about.push(words.from(address))
  return about
}
