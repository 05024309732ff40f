import { type Config, ConfigError } from '../config.ts'
import type { Engine } from '../jobs/engine.ts'

/** The settings that engines know. */
export type EngineConfig = Pick<Config, 'limits' | 'acknowledge'>

/** Opens one kind of engine. */
export interface Opener {
  /** The form of its setting: `sqlite:PATH`. */
  readonly form: string
  /** @param place what follows the colon of the setting */
  open(place: string, config: EngineConfig): Engine | Promise<Engine>
}

/** @param scheme what is before the colon */
const redis = (scheme: string): Opener => ({
  form: 'redis://HOST',
  async open(place, { limits, acknowledge = 'memory' }) {
    const { RedisEngine } = await import('./redis/engine.ts')
    return await RedisEngine.open(`${scheme}:${place}`, { limits, acknowledge })
  },
})

/** The engines of every self-hosted server. Each is imported only when used: it may need modules that this runtime lacks. */
const openers: Readonly<Record<string, Opener>> = {
  sqlite: {
    form: 'sqlite:PATH',
    async open(place, { limits }) {
      const { SqliteEngine } = await import('./sqlite/engine.ts')
      return await SqliteEngine.open(place, { limits })
    },
  },
  memory: {
    form: 'memory:',
    async open(_, { limits }) {
      const { MemoryEngine } = await import('./memory.ts')
      return new MemoryEngine({ limits })
    },
  },
  redis: redis('redis'),
  rediss: redis('rediss'),
  valkey: redis('valkey'),
}

/** The engines in which an acknowledged event can mean different things. */
const LEVELS: readonly string[] = ['redis', 'rediss', 'valkey']

/**
 * Opens the engine that a setting such as `sqlite:PATH` names.
 *
 * @param more engines that only this runtime has
 * @throws ConfigError for an unknown engine, or a setting that it does not have
 */
export async function openEngine(
  setting: string,
  config: EngineConfig,
  more: Readonly<Record<string, Opener>> = {},
): Promise<Engine> {
  const known: Readonly<Record<string, Opener>> = { ...openers, ...more }
  const colon = setting.indexOf(':')
  const [name, place] = colon < 0 ? [setting, ''] : [setting.slice(0, colon), setting.slice(colon + 1)]
  const opener = Object.hasOwn(known, name) ? known[name] : undefined
  if (opener && config.acknowledge !== undefined && !LEVELS.includes(name)) {
    throw new ConfigError(
      `MILEPOST_ACKNOWLEDGE is for redis://HOST, and MILEPOST_ENGINE is ${name}: unset one of them.`,
    )
  }
  if (opener && (place !== '' || !opener.form.endsWith('PATH'))) return opener.open(place, config)
  const forms = [...new Set(Object.values(known).map(({ form }) => form))]
  // It may be a misspelled address with a password.
  const shown = setting.replace(/\/\/[^/]*@/, '//…@')
  throw new ConfigError(`MILEPOST_ENGINE is "${shown}". Here it can be ${forms.join(' or ')}.`)
}
