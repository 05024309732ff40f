import type { Limits } from '../../shared/document/limits.ts'
import { ConfigError } from '../config.ts'
import type { Engine } from '../jobs/engine.ts'

/** Opens one kind of engine. */
export interface Opener {
  /** The form of its setting: `sqlite:PATH`. */
  readonly form: string
  /** @param place what follows the colon of the setting */
  open(place: string, limits: Limits): Engine | Promise<Engine>
}

/** The engines of every self-hosted server. Each is imported only when used: it may need modules that this runtime lacks. */
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
 * Opens the engine that a setting such as `sqlite:PATH` names.
 *
 * @param more engines that only this runtime has
 * @throws ConfigError for an unknown engine
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
