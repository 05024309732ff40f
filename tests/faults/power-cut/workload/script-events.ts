import type { JobEvent } from '../../../../shared/document/events.ts'
import { itemStatuses, logLevels } from '../../../../shared/document/job.ts'
import type { SeededRandom } from '../../../seeded-random.ts'

/** Where an event stands, and who publishes it: its texts say both. */
export interface Tag {
  version: number
  run: number
}

/** Any event of a small job: of few rows, so that they change again and again. */
export function eventAt(random: SeededRandom, { version, run }: Tag): JobEvent {
  const text = `${run}.${version}`
  const one = <T>(values: readonly [T, ...T[]] | readonly T[]): T => {
    const value = values[random.below(values.length)]
    if (value === undefined) throw new Error('Nothing to choose from')
    return value
  }
  /** A field that is left out, cleared or set. */
  const field = <K extends string, T>(name: K, value: T): { [name in K]?: T | null } => {
    if (random.chance(0.5)) return {}
    return { [name]: random.chance(0.2) ? null : value } as { [name in K]?: T | null }
  }
  switch (one(['progress', 'progress', 'item', 'item', 'step', 'error', 'log', 'status', 'control'] as const)) {
    case 'progress':
      return {
        type: 'progress',
        done: version,
        ...field('total', version + random.below(100)),
        ...field('succeeded', version),
        ...field('failed', run),
        ...field('unit', one(['files', 'rows'])),
        ...field('message', text),
      }
    case 'item':
      return {
        type: 'item',
        id: one(['constructor', '😀', `i${random.below(30)}`]),
        message: text,
        ...(random.chance(0.5) ? { status: one(itemStatuses) } : {}),
        ...field('label', `label ${text}`),
        ...field('progress', random.below(101)),
        ...field('error', `error "${text}"`),
      }
    case 'step':
      return {
        type: 'step',
        id: `s${random.below(8)}`,
        message: text,
        ...(random.chance(0.6) ? { status: one(itemStatuses) } : {}),
        ...field('label', `label ${text}`),
        ...field('done', version),
        ...field('total', version + 1),
        ...field('weight', random.below(9)),
      }
    case 'error':
      return {
        type: 'error',
        message: text,
        ...(random.chance(0.5) ? { code: `E${run}` } : {}),
        ...(random.chance(0.5) ? { itemId: `i${random.below(30)}` } : {}),
      }
    case 'log':
      return { type: 'log', message: `${text} \u0000 “…”`, ...(random.chance(0.5) ? { level: one(logLevels) } : {}) }
    case 'status':
      return {
        type: 'status',
        status: one(['running', 'running', 'paused', 'pending'] as const),
        ...(version % 10 === 0 ? { attempt: version } : {}),
        ...field('message', text),
        ...field('metadata', { by: text, deep: [{ er: run }] }),
        ...(random.chance(0.3) ? { title: `Title ${text}` } : {}),
        ...(random.chance(0.3) ? { result: { so: ['far', text] } } : {}),
      }
    case 'control':
      return {
        type: 'control',
        ...(random.chance(0.3) ? { cancelRequested: true } : {}),
        pauseRequested: random.chance(0.5),
      }
  }
}
