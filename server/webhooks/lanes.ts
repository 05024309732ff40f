/** Attempts at once: in all, to one host, and of one principal. */
const AT_ONCE = 64
const AT_ONCE_PER_HOST = 4
const AT_ONCE_PER_PRINCIPAL = 16
/** Attempts that wait: in all, and of one principal. */
const MAX_WAITING = 2_048
const MAX_WAITING_PER_PRINCIPAL = 256

/** An attempt to be made. */
interface Task {
  /** What it delivers: it waits or runs once only. */
  key: string
  /** The principal whose job it is. */
  who: string
  host: string
  /** Never rejects. */
  run: () => Promise<void>
}

/** Runs attempts at once, within bounds: a slow host delays only what is sent to it, and a principal with many delays no other. */
export class Lanes {
  readonly #keys = new Set<string>()
  /** By principal, in the order in which these take turns. */
  readonly #waiting = new Map<string, Task[]>()
  readonly #running = { all: 0, hosts: new Map<string, number>(), principals: new Map<string, number>() }
  readonly #onRoom: () => void
  #waits = 0
  #isStopped = false

  /** @param onRoom called when little waits any more */
  constructor(onRoom: () => void) {
    this.#onRoom = onRoom
  }

  get isFull(): boolean {
    return this.#waits >= MAX_WAITING || this.#isStopped
  }

  /** Whether no more attempts of a principal can wait. */
  isFullFor(who: string): boolean {
    return this.isFull || (this.#waiting.get(who)?.length ?? 0) >= MAX_WAITING_PER_PRINCIPAL
  }

  /** Adds an attempt, unless it is known or there are too many. */
  add(task: Task): void {
    if (this.#keys.has(task.key) || this.isFullFor(task.who)) return
    this.#keys.add(task.key)
    const own = this.#waiting.get(task.who)
    if (own) own.push(task)
    else this.#waiting.set(task.who, [task])
    this.#waits += 1
    this.#start()
  }

  /** Forgets what waits. */
  stop(): void {
    this.#isStopped = true
    this.#waiting.clear()
    this.#waits = 0
  }

  #start(): void {
    while (this.#running.all < AT_ONCE) {
      const task = this.#next()
      if (!task) return
      this.#count(task, 1)
      void task.run().then(() => {
        this.#count(task, -1)
        this.#keys.delete(task.key)
        if (this.#waits <= AT_ONCE) this.#onRoom()
        this.#start()
      })
    }
  }

  /** The next attempt that may run. Its principal goes to the end of the line. */
  #next(): Task | undefined {
    for (const [who, own] of this.#waiting) {
      if ((this.#running.principals.get(who) ?? 0) >= AT_ONCE_PER_PRINCIPAL) continue
      const index = own.findIndex(({ host }) => (this.#running.hosts.get(host) ?? 0) < AT_ONCE_PER_HOST)
      const [task] = index < 0 ? [] : own.splice(index, 1)
      if (!task) continue
      this.#waits -= 1
      this.#waiting.delete(who)
      if (own.length > 0) this.#waiting.set(who, own)
      return task
    }
    return undefined
  }

  #count({ who, host }: Task, by: 1 | -1): void {
    const { hosts, principals } = this.#running
    this.#running.all += by
    for (const [counts, name] of [
      [hosts, host],
      [principals, who],
    ] as const) {
      const count = (counts.get(name) ?? 0) + by
      if (count === 0) counts.delete(name)
      else counts.set(name, count)
    }
  }
}
