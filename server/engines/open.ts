import type { Limits } from '../../shared/limits.ts'
import { ConfigError } from '../config.ts'
import type { Engine } from '../engine.ts'
import { MemoryEngine } from './memory.ts'
import { SqliteEngine } from './sqlite.ts'

/** The engine that a setting such as `sqlite:PATH` names, opened. @throws ConfigError for a name that there isn't */
export function openEngine(setting: string, limits: Limits): Engine {
  const colon = setting.indexOf(':')
  const [name, place] = colon < 0 ? [setting, ''] : [setting.slice(0, colon), setting.slice(colon + 1)]
  if (name === 'memory') return new MemoryEngine({ limits })
  if (name === 'sqlite' && place !== '') return SqliteEngine.open(place, { limits })
  throw new ConfigError(`MILEPOST_ENGINE is "${setting}". Give it sqlite:PATH or memory:.`)
}
