import type { ScriptCall } from '../scripts/script.ts'

/** Most commits of a group, and characters of their arguments: Redis takes about a millisecond for them. */
const MAX_COMMITS = 64
const MAX_CHARACTERS = 262_144

/** The replies to the commits of a group, in order. */
type Replies = (number | [code: number, ...rest: unknown[]])[]

/** Begins the reply to a commit of which Redis refused a command. */
const REFUSED = 3

interface Waiting {
  resolve(reply: never): void
  reject(error: unknown): void
}

/** Commits that are sent as one call of the script. */
class Group {
  readonly keys: string[] = []
  readonly args: string[] = []
  readonly waiting: Waiting[] = []
  characters = 0
}

/** The groups of a partition: how many are in flight, and the one that is filled. */
interface Line {
  inFlight: number
  next: Group | undefined
}

/**
 * Group commit by partition: sending a call, running it and parsing its reply cost as much as several commits. Commits that arrive while a
 * group is in flight wait for its reply, and are then sent together.
 */
export class CommitGroups {
  readonly #send: (call: ScriptCall) => Promise<Replies>
  readonly #lines = new Map<number, Line>()

  /** @param send runs the script */
  constructor(send: (call: ScriptCall) => Promise<Replies>) {
    this.#send = send
  }

  /** Commits a batch. Those of a partition run in the order of these calls. @throws what sending throws; Error when Redis refused it */
  add<T>(partition: number, { keys, args }: ScriptCall): Promise<T> {
    return new Promise((resolve, reject) => {
      const line = this.#lineOf(partition)
      line.next ??= new Group()
      const group = line.next
      for (const key of keys) group.keys.push(key)
      group.args.push(`${keys.length}`, `${args.length}`)
      for (const arg of args) {
        group.args.push(arg)
        group.characters += arg.length
      }
      group.waiting.push({ resolve, reject })
      const isFull = group.waiting.length >= MAX_COMMITS || group.characters >= MAX_CHARACTERS
      if (isFull || line.inFlight === 0) void this.#run(line)
    })
  }

  #lineOf(partition: number): Line {
    const known = this.#lines.get(partition)
    if (known) return known
    const line: Line = { inFlight: 0, next: undefined }
    this.#lines.set(partition, line)
    return line
  }

  async #run(line: Line): Promise<void> {
    const { next } = line
    if (!next) return
    line.next = undefined
    line.inFlight += 1
    const { keys, args, waiting } = next
    try {
      const replies = await this.#send({ keys, args })
      for (const [index, { resolve, reject }] of waiting.entries()) {
        const reply = replies[index]
        if (Array.isArray(reply) && reply[0] === REFUSED) reject(new Error(`${reply[1]}`))
        else resolve(reply as never)
      }
    } catch (error) {
      for (const { reject } of waiting) reject(error)
    }
    line.inFlight -= 1
    void this.#run(line)
  }
}
