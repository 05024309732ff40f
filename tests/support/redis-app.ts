import { createApp } from '../../server/app.ts'
import { RedisEngine, type RedisOptions } from '../../server/engines/redis/engine.ts'
import { SECRET } from './tokens.ts'

/** A server on Redis in this process, which listens on a port of its own. */
export class RedisApp {
  readonly url: string
  readonly #engine: RedisEngine
  readonly #server: Bun.Server<undefined>

  private constructor(engine: RedisEngine) {
    this.#engine = engine
    // Whatever a test does to Redis, the sweeper says so.
    const app = createApp({ engine, auth: { secret: SECRET }, onError: () => {} })
    const fetch = (request: Request) => app.fetch(request)
    this.#server = Bun.serve({ port: 0, hostname: '127.0.0.1', idleTimeout: 0, development: false, fetch })
    this.url = this.#server.url.href
  }

  static async start(setting: string, options: RedisOptions = {}): Promise<RedisApp> {
    return new RedisApp(await RedisEngine.open(setting, options))
  }

  /** Whether it has all of its store. */
  async isReady(): Promise<boolean> {
    return (await fetch(new URL('readyz', this.url))).ok
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true)
    await this.#engine.close()
  }
}
