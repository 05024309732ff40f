import type { Environment } from '../connection/environment.ts'

/** Signals that are shared by key, in each environment, for as long as anyone holds them. */
export class SharedSignals<Signals extends object> {
  readonly #worlds = new WeakMap<Environment, Map<string, WeakRef<Signals>>>()
  readonly #forgotten = new FinalizationRegistry<{ world: Map<string, WeakRef<Signals>>; key: string }>(
    ({ world, key }) => {
      if (world.get(key)?.deref() === undefined) world.delete(key)
    },
  )

  get(environment: Environment, key: string, make: () => Signals): Signals {
    const world = this.#worlds.get(environment) ?? new Map<string, WeakRef<Signals>>()
    this.#worlds.set(environment, world)
    const known = world.get(key)?.deref()
    if (known) return known
    const made = make()
    world.set(key, new WeakRef(made))
    this.#forgotten.register(made, { world, key })
    return made
  }
}
