import type { Limits } from '../../shared/document/limits.ts'
import { ConfigError } from '../config.ts'
import type { Engine } from '../jobs/engine.ts'

/** How an engine is opened. */
export interface Opener {
  /** What its setting looks like: `sqlite:PATH`. */
  readonly form: string
  /** @param place what follows the colon of the setting */
  open(place: string, limits: Limits): Engine | Promise<Engine>
}

/** Those that every server of one's own has. An engine is loaded only to be opened: it may need what another runtime has. */
const openers: Readonly<Record<string, Opener>> = {
  sqlite: {
    form: 'sqlite:PATH',
    async open(place, limits) {
      const { SqliteEngine } = await import('./sqlite/engine.ts')
      return await SqliteEngine.open(place, { limits })
    },
  },
  memory: {
    form: 'memory:',
    async open(_, limits) {
      const { MemoryEngine } = await import('./memory.ts')
      return new MemoryEngine({ limits })
    },
  },
}

/**
 * The engine that a setting such as `sqlite:PATH` names, opened.
 *
 * @param more the engines that only this runtime has
 * @throws ConfigError for a name that there isn't
 */
export async function openEngine(
  setting: string,
  limits: Limits,
  more: Readonly<Record<string, Opener>> = {},
): Promise<Engine> {
  const known: Readonly<Record<string, Opener>> = { ...openers, ...more }
  const colon = setting.indexOf(':')
  const [name, place] = colon < 0 ? [setting, ''] : [setting.slice(0, colon), setting.slice(colon + 1)]
  const opener = Object.hasOwn(known, name) ? known[name] : undefined
  if (opener && (place !== '' || !opener.form.endsWith('PATH'))) return opener.open(place, limits)
  const forms = Object.values(known).map(({ form }) => form)
  throw new ConfigError(`MILEPOST_ENGINE is "${setting}". Here it can be ${forms.join(' or ')}.`)
}
