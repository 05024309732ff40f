import { type ComponentChildren, render } from 'preact'
import { useState } from 'preact/hooks'
import type { AnswerValue, Ask } from '../../../shared/document/ask-schema.ts'
import type { Item, ItemStatus, Job } from '../../../shared/document/job.ts'
import { isTerminalStatus } from '../../../shared/document/selectors.ts'
import { AskForm } from '../../asks/ask-form.tsx'
import { type IconShape, rowIcons } from '../icons.ts'
import { type ActOnJob, ElementControls } from './controls.tsx'
import { fullStyles } from './full-styles.ts'
import { fullWords } from './words.ts'

/** The most rows of each list: more are a page's own. */
const ITEMS_SHOWN = 50
const LINES_SHOWN = 200

/** Failures first. */
const ORDER: readonly ItemStatus[] = ['failed', 'running', 'pending', 'skipped', 'succeeded']

/** What the sections need of their element. */
interface FullHost {
  /** For numbers and times. */
  locale: string
  /** Left out for readers with a watch token, who may do nothing to the job. */
  control?: ActOnJob | undefined
}

let sheet: CSSStyleSheet | undefined
const dressed = new WeakSet<ShadowRoot>()

/** Draws a job below its bar. A place without a job is emptied. */
export function showSections(place: HTMLElement, job: Job | undefined, host: FullHost): void {
  const shadow = place.getRootNode()
  if (shadow instanceof ShadowRoot && !dressed.has(shadow)) {
    dressed.add(shadow)
    if (!sheet) {
      sheet = new CSSStyleSheet()
      sheet.replaceSync(fullStyles)
    }
    shadow.adoptedStyleSheets.push(sheet)
  }
  render(job ? <Sections job={job} {...host} /> : null, place)
}

function Sections({ job, locale, control }: { job: Job } & FullHost) {
  const isOver = isTerminalStatus(job.status)
  const number = (value: number) => value.toLocaleString(locale)
  const time = (moment: string) => new Date(moment).toLocaleTimeString(locale)
  const open = isOver ? [] : (job.asks ?? []).filter(({ answer, expired }) => !answer && !expired)
  return (
    <>
      {control && open.map((ask) => <OpenAsk key={ask.id} ask={ask} control={control} locale={locale} />)}
      {control && !isOver && <ElementControls job={job} control={control} />}
      {job.steps.length > 0 && (
        <section part="section steps">
          <h2>{fullWords.steps}</h2>
          <ol>
            {job.steps.map(({ id, label, status, message }) => (
              <li key={id} class={status} aria-current={status === 'running' && !isOver ? 'step' : undefined}>
                <Mark icon={rowIcons[status]} />
                <span>
                  {label ?? id}
                  {message !== undefined && <small>{message}</small>}
                </span>
                <span class="state">{fullWords.rows[status]}</span>
              </li>
            ))}
          </ol>
        </section>
      )}
      {ORDER.map((status) => (
        <Items key={status} status={status} items={job.items} number={number} />
      ))}
      {job.errors.length > 0 && (
        <Fold name={fullWords.errors} count={number(job.errorCount)} part="errors" isOpen>
          <ul>
            {job.errors.slice(-ITEMS_SHOWN).map(({ version, message, code }) => (
              <li key={version}>
                <span>
                  {message}
                  {code !== undefined && <small>{code}</small>}
                </span>
              </li>
            ))}
          </ul>
        </Fold>
      )}
      {job.logs.length > 0 && (
        <Fold name={fullWords.log} count={number(job.logCount)} part="log">
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be reached by keyboard (WCAG 2.1.1) */}
          <section class="lines" tabIndex={0} aria-label={fullWords.log}>
            {job.logs.slice(-LINES_SHOWN).map(({ version, at, level, message }) => (
              <div key={version} class={level}>
                <time dateTime={at}>{time(at)}</time> {message}
              </div>
            ))}
          </section>
        </Fold>
      )}
    </>
  )
}

interface ItemsProps {
  status: ItemStatus
  items: readonly Item[]
  number(value: number): string
}

function Items({ status, items, number }: ItemsProps) {
  const found = items.filter((item) => item.status === status)
  if (found.length === 0) return null
  const rest = found.length - ITEMS_SHOWN
  return (
    <Fold name={fullWords.rows[status]} count={number(found.length)} part="items" isOpen={status === 'failed'}>
      <ul>
        {found.slice(0, ITEMS_SHOWN).map(({ id, label, message, error }) => (
          <li key={id} class={status}>
            <Mark icon={rowIcons[status]} />
            <span>
              {label ?? id}
              {(error ?? message) !== undefined && <small>{error ?? message}</small>}
            </span>
          </li>
        ))}
        {rest > 0 && <li class="rest">{fullWords.more(number(rest))}</li>}
      </ul>
    </Fold>
  )
}

interface FoldProps {
  name: string
  count: string
  part: string
  isOpen?: boolean
  children: ComponentChildren
}

/** A list that can be opened. Its rows are made when it is. */
function Fold({ name, count, part, isOpen = false, children }: FoldProps) {
  const [shows, setShows] = useState(isOpen)
  return (
    <details part={`section ${part}`} open={shows} onToggle={({ currentTarget }) => setShows(currentTarget.open)}>
      <summary part="summary">{fullWords.counted(name, count)}</summary>
      {shows && children}
    </details>
  )
}

interface OpenAskProps {
  ask: Ask
  locale: string
  control: ActOnJob
}

function OpenAsk({ ask, locale, control }: OpenAskProps) {
  const [error, setError] = useState('')
  const send = async (value: AnswerValue) => {
    setError('')
    await control(`answers/${encodeURIComponent(ask.id)}`, { value }).catch((reason: Error) => setError(reason.message))
  }
  const time = (moment: number) => new Date(moment).toLocaleTimeString(locale, { timeStyle: 'short' })
  return (
    <AskForm ask={ask} time={time} send={send}>
      {error !== '' && (
        <p class="danger" role="alert">
          {error}
        </p>
      )}
    </AskForm>
  )
}

const Mark = ({ icon: { path, stroke } }: { icon: IconShape }) => (
  <svg viewBox="0 0 16 16" aria-hidden="true">
    <path d={path} stroke-width={stroke} />
  </svg>
)
