import { DenoKvEngine, type DenoKvOptions } from '../../../server/engines/deno-kv/engine.ts'
import { openKv } from '../../../server/engines/deno-kv/open.ts'

/** A file of its own for a test, and what opens it. */
export class Store {
  readonly path: string
  readonly #folder: string
  readonly #engines: DenoKvEngine[] = []

  private constructor(folder: string) {
    this.#folder = folder
    this.path = `${folder}/milepost.kv`
  }

  static async create(): Promise<Store> {
    return new Store(await Deno.makeTempDir({ prefix: 'milepost-' }))
  }

  /** An engine on the file, as one more process would have; `wrap` puts something in front of the store. */
  async engine(options: DenoKvOptions = {}, wrap: (kv: Deno.Kv) => Deno.Kv = (kv) => kv): Promise<DenoKvEngine> {
    const engine = new DenoKvEngine(wrap(await openKv(this.path)), options)
    this.#engines.push(engine)
    return engine
  }

  /** The keys of a kind. */
  async keys(kind: 'life' | 'trash'): Promise<Deno.KvKey[]> {
    const kv = await Deno.openKv(this.path)
    const entries = await Array.fromAsync(kv.list({ prefix: ['milepost', kind] }, { batchSize: 500 }))
    kv.close()
    return entries.map(({ key }) => key)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const engine of this.#engines) await engine.close()
    await Deno.remove(this.#folder, { recursive: true })
  }
}

/** A store with some of its methods replaced. */
export function replace(kv: Deno.Kv, methods: Partial<Record<keyof Deno.Kv, unknown>>): Deno.Kv {
  return new Proxy(kv, {
    get(target, name) {
      const method: unknown = Reflect.get(methods, name) ?? Reflect.get(target, name)
      return typeof method === 'function' ? method.bind(target) : method
    },
  })
}

/** Applies batches in a process of its own: `deno run kv-publisher.ts PATH JOB COUNT`. */
export function publishElsewhere(path: string, id: string, count: number) {
  const publisher = new URL('kv-publisher.ts', import.meta.url).pathname
  const args = ['run', '--no-check', '-A', '--unstable-kv', publisher, path, id, String(count)]
  return new Deno.Command(Deno.execPath(), { args, stdout: 'piped', stderr: 'inherit' }).output()
}
