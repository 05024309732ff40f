import { existsSync } from 'node:fs'
import { defaultLimits } from '../../../shared/document/limits.ts'
import { ConfigError } from '../../config.ts'
import { openEngine } from '../../engines/open.ts'
import { readSecret } from '../../entries/read-secret.ts'
import { ProblemError } from '../../errors.ts'
import { type Engine, EngineOpenError } from '../../jobs/engine.ts'
import type { Transfer } from '../../jobs/transfer.ts'
import { CopyError } from './copy-error.ts'

/** What both engines of a copy are called in messages. */
type EndName = 'FROM' | 'TO'

type CopyableEngine = Engine & { readonly transfer: Transfer }

const WITH_PASSWORD = /^[a-z]+:\/\/[^/]*:[^/]*@/
const COPYABLE = /^(sqlite|redis|rediss|valkey):/

/** The engine at one end of a copy. */
export class End {
  readonly name: EndName
  readonly #engine: CopyableEngine

  private constructor(name: EndName, engine: CopyableEngine) {
    this.name = name
    this.#engine = engine
  }

  /**
   * @param argument an engine setting, or `@FILE` for a file with one
   * @param acknowledge what a written job survives, in an engine where that can be chosen
   * @throws ConfigError or EngineOpenError that begins with the name of the end, and says what to do
   */
  static async open(name: EndName, argument: string, acknowledge?: 'memory' | 'disk' | 'replica'): Promise<End> {
    const setting = await settingOf(name, argument)
    try {
      const isRedis = !setting.startsWith('sqlite:')
      const engine = await openEngine(setting, {
        limits: defaultLimits,
        acknowledge: isRedis ? acknowledge : undefined,
      })
      return new End(name, engine as CopyableEngine)
    } catch (error) {
      if (!(error instanceof EngineOpenError || error instanceof ConfigError)) throw error
      throw new EngineOpenError(`${name}: ${error.message.replaceAll('MILEPOST_ENGINE', name)}`, { cause: error })
    }
  }

  /** Asks the engine. @throws CopyError for what the engine says of itself */
  async ask<T>(work: (engine: CopyableEngine) => Promise<T>): Promise<T> {
    try {
      return await work(this.#engine)
    } catch (error) {
      if (error instanceof ProblemError)
        throw new CopyError(`${this.name} has failed: ${error.message} Then repeat the copy: it resumes.`, {
          cause: error,
        })
      if (error instanceof EngineOpenError) throw new CopyError(`${this.name}: ${error.message}`, { cause: error })
      throw error
    }
  }

  async close(): Promise<void> {
    await this.#engine.close()
  }
}

async function settingOf(name: EndName, argument: string): Promise<string> {
  if (WITH_PASSWORD.test(argument))
    throw new ConfigError(
      `${name} is refused with a password: everyone on this machine can read arguments. Put it into a file that only you can read, and name that: @FILE.`,
    )
  const setting = argument.startsWith('@') ? await readSetting(name, argument.slice(1)) : argument
  if (!COPYABLE.test(setting)) {
    const about = argument === setting ? `${name} is "${setting}", which` : `${name} is "${argument}", whose engine`
    throw new ConfigError(
      `${about} can't be copied. Give it sqlite:PATH, redis://HOST or @FILE, a file with one of these.`,
    )
  }
  const path = setting.slice('sqlite:'.length)
  if (name === 'FROM' && setting.startsWith('sqlite:') && !existsSync(path))
    throw new ConfigError(`FROM is ${setting}, but there is no ${path}: correct it.`)
  return setting
}

async function readSetting(name: EndName, file: string): Promise<string> {
  try {
    return (await readSecret({ [`${name}_FILE`]: file }, name)) ?? ''
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new ConfigError(error.message.replace(`${name}_FILE is "`, `${name} is "@`), { cause: error })
  }
}
