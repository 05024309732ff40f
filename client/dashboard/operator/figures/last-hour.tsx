import type { OperatorFigures } from '../../../../shared/wire/operator.ts'
import { format } from '../../page.ts'
import { words } from '../words.ts'
import { Sparkline } from './sparkline.tsx'

const perSecond = (value: number) => (value === 0 ? format.number(0) : format.rate(value, undefined))
const writers = {
  events: perSecond,
  publishes: perSecond,
  deliveries: perSecond,
  streams: format.number,
  refusals: perSecond,
  delayMs: (value: number) => words.milliseconds(format.number(Math.round(value))),
}
const order = Object.keys(writers) as (keyof typeof writers)[]

/** What the process did in the last hour. */
export function LastHour({ history, process }: Pick<OperatorFigures, 'history' | 'process'>) {
  const since = format.time(Date.parse(process.startedAt), Date.now())
  const isNew = history?.until === undefined
  return (
    <section class="hour">
      <div class="section-head">
        <h2>{words.hour}</h2>
        <span class="muted">{words.process(since, process.version, process.engine)}</span>
      </div>
      {isNew && <p class="muted">{history ? words.firstSample : words.noHistory}</p>}
      <ul class="tiles">
        {order.map((name) => {
          const values = history?.[name]
          return values && values.length > 0 && <Tile key={name} name={name} values={values} />
        })}
      </ul>
    </section>
  )
}

function Tile({ name, values }: { name: keyof typeof writers; values: readonly number[] }) {
  const write = writers[name]
  const now = write(values.at(-1) ?? 0)
  const most = write(Math.max(...values))
  return (
    <li class="card tile">
      <span class="muted">{words.rates[name]}</span>
      <strong dir="auto">{now}</strong>
      <Sparkline values={values} label={words.sparkline(words.rates[name], now, most)} />
      <small class="muted">{words.most(most)}</small>
    </li>
  )
}
