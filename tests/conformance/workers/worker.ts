/** Milepost's own Worker, with doors through which tests reach its engine and its objects. */

import type { JobCalls, Namespace, ObjectBindings, OwnerCalls } from '../../../server/engines/durable-object/calls.ts'
import { DurableObjectEngine } from '../../../server/engines/durable-object/engine.ts'
import worker, { JobObject, OwnerObject } from '../../../server/entries/worker.ts'
import type { Problem } from '../../../server/errors.ts'
import type { Applied, Batch, Change, JobToCreate, StoredJob } from '../../../server/jobs/engine.ts'
import { defaultLimits, type Limits } from '../../../shared/document/limits.ts'
import { CREATED_AT } from '../../arbitraries.ts'
import type { Answer, Question } from './protocol.ts'

/** What tests ask of an object about itself. */
interface Probes {
  /** Another one each time that the object begins to live. */
  birth(): Promise<string>
  /** Ends its life, as a deploy does. */
  reset(): Promise<void>
  /** The tables that it stores. */
  tables(): Promise<string[]>
}

/** Ends the object's life when it is next asked to apply something. */
interface ProbedJobCalls extends JobCalls, Probes {
  resetAtNextApply(): Promise<void>
  /** When its alarm is set to: milliseconds since the Unix epoch. */
  alarmAt(): Promise<number | null>
}

interface ProbedOwnerCalls extends OwnerCalls, Probes {
  /** Fails when it is next told of a job, so many times. */
  failNext(method: 'admit' | 'update', count: number): Promise<void>
}

/** But for the one in which the local runtime writes down the name of an object. */
const tablesOf = (sql: SqlStorage): string[] =>
  sql
    .exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> '__miniflare_do_name'")
    .toArray()
    .map(({ name }) => name)

export class ProbedJob extends JobObject implements ProbedJobCalls {
  readonly #birth = crypto.randomUUID()
  #resetsAtNextApply = false

  async birth(): Promise<string> {
    return this.#birth
  }

  async reset(): Promise<void> {
    this.ctx.abort('a test asked for it')
  }

  async tables(): Promise<string[]> {
    return tablesOf(this.ctx.storage.sql)
  }

  async resetAtNextApply(): Promise<void> {
    this.#resetsAtNextApply = true
  }

  async alarmAt(): Promise<number | null> {
    return this.ctx.storage.getAlarm()
  }

  override async apply(id: string, batch: Batch, limits: Limits): Promise<Applied> {
    if (this.#resetsAtNextApply) this.ctx.abort('a test asked for it')
    return super.apply(id, batch, limits)
  }
}

export class ProbedOwner extends OwnerObject implements ProbedOwnerCalls {
  readonly #birth = crypto.randomUUID()
  readonly #failures = { admit: 0, update: 0 }

  async birth(): Promise<string> {
    return this.#birth
  }

  async reset(): Promise<void> {
    this.ctx.abort('a test asked for it')
  }

  async tables(): Promise<string[]> {
    return tablesOf(this.ctx.storage.sql)
  }

  async failNext(method: 'admit' | 'update', count: number): Promise<void> {
    this.#failures[method] = count
  }

  override async admit(job: JobToCreate): Promise<Problem | undefined> {
    this.#failIfAsked('admit')
    return super.admit(job)
  }

  override async update(job: StoredJob): Promise<boolean> {
    this.#failIfAsked('update')
    return super.update(job)
  }

  #failIfAsked(method: 'admit' | 'update'): void {
    if (this.#failures[method] === 0) return
    this.#failures[method] -= 1
    throw new Error('a test asked for it')
  }
}

interface FrozenBindings {
  FROZEN_JOBS: ObjectBindings['MILEPOST_JOBS']
  FROZEN_OWNERS: ObjectBindings['MILEPOST_OWNERS']
}

const frozen = ({ FROZEN_JOBS, FROZEN_OWNERS }: FrozenBindings): ObjectBindings => ({
  MILEPOST_JOBS: FROZEN_JOBS,
  MILEPOST_OWNERS: FROZEN_OWNERS,
})

/** For the suite of all engines, whose jobs are of a time long past: nothing is ever due. */
export class FrozenJob extends JobObject {
  protected override readonly clock = { now: () => Date.parse(CREATED_AT) }

  constructor(ctx: DurableObjectState, env: ObjectBindings & FrozenBindings) {
    super(ctx, frozen(env))
  }
}

export class FrozenOwner extends OwnerObject {
  constructor(ctx: DurableObjectState, env: ObjectBindings & FrozenBindings) {
    super(ctx, frozen(env))
  }
}

interface TestEnvironment extends FrozenBindings {
  MILEPOST_JOBS: Namespace<ProbedJobCalls>
  MILEPOST_OWNERS: Namespace<ProbedOwnerCalls>
}

export default {
  async fetch(request: Request, environment: TestEnvironment, context: ExecutionContext): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    const [, door, what, encodedName = '', method = ''] = pathname.split('/')
    if (door !== 'test') return worker.fetch(request, environment, context)
    if (what === 'engine' || what === 'frozen-engine') {
      const { limits, ...options } = JSON.parse(searchParams.get('options') ?? '{}')
      const bindings = what === 'engine' ? environment : frozen(environment)
      return serveEngine(new DurableObjectEngine(bindings, { ...options, limits: { ...defaultLimits, ...limits } }))
    }
    if (what === 'entry') {
      const { origin } = new URL(request.url)
      return worker.fetch(new Request(origin), { ...environment, ...(await request.json<object>()) })
    }
    const name = decodeURIComponent(encodedName)
    const object =
      what === 'job'
        ? environment.MILEPOST_JOBS.getByName(name)
        : environment.MILEPOST_OWNERS.getByName(JSON.stringify(name))
    const args: unknown[] = await request.json()
    // Calls to a stub go by name, to whatever methods the object has.
    const call: (...args: unknown[]) => Promise<unknown> = Reflect.get(object, method)
    return Response.json({ result: await call(...args).catch((error: unknown) => String(error)) })
  },
}

function serveEngine(engine: DurableObjectEngine): Response {
  const { 0: theirs, 1: ours } = new WebSocketPair()
  const watches = new Map<number, () => void>()
  const say = (answer: Answer) => ours.send(JSON.stringify(answer))

  async function answer({ number, method, args }: Question): Promise<unknown> {
    if (method === 'watch') {
      const [target] = args as [{ job: string }]
      const wake = (change: Change) => say({ number, change })
      watches.set(number, await engine.watch(target, wake, () => say({ number, lost: true })))
      return undefined
    }
    if (method === 'unwatch') return watches.get(args[0] as number)?.()
    // `notes.put` is a method of what `notes` is.
    const path = method.split('.')
    const owner = path.slice(0, -1).reduce((object: object, name) => Reflect.get(object, name), engine)
    return Reflect.apply(Reflect.get(owner, path.at(-1) ?? ''), owner, args)
  }

  ours.addEventListener('message', async ({ data }) => {
    const question: Question = JSON.parse(String(data))
    const { number } = question
    try {
      say({ number, result: await answer(question) })
    } catch (error) {
      say({
        number,
        failed: { message: String(error), problem: error instanceof Error && Reflect.get(error, 'problem') },
      })
    }
  })
  ours.accept()
  return new Response(null, { status: 101, webSocket: theirs })
}
