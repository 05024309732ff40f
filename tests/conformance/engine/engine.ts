import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Engine } from '../../../server/jobs/engine.ts'
import { tenantEngine } from '../../support/tenant-engine.ts'
import type { OpenEngine } from '../fixtures.ts'
import { describeApply } from './apply.ts'
import { describeChanges } from './changes.ts'
import { describeDue } from './due.ts'
import { describeEveryone } from './everyone.ts'
import { describeFigures } from './figures.ts'
import { describeJobs } from './jobs.ts'
import { describeKeys } from './keys.ts'
import { describeLaw } from './law.ts'
import { describeNotes } from './notes.ts'
import { describeOwners } from './owners.ts'
import { describeTokens } from './tokens.ts'
import { describeTransfer } from './transfer.ts'
import { describeWatch } from './watch.ts'
import { describeWebhookMarks } from './webhooks.ts'

/**
 * What every engine must do: the contract of `server/jobs/engine.ts`, as tests.
 *
 * @param options.hasAlarms the engine wakes itself for what is due, and so has no `due`
 * @param options.isFixed the engine can't be copied, and counts nothing
 * @param options.knowsOwnersOnly the engine finds jobs by their owner alone
 * @param options.tenant tests the documents of one tenant, beside the same jobs of another and of none
 * @param options.lawRuns how many histories the law is tried with, where each takes long: 100 elsewhere
 *
 * @example
 * ```ts
 * describeEngine('memory', async (limits) => {
 *   const engine = new MemoryEngine({ limits })
 *   return { engine, release: () => engine.close() }
 * })
 * ```
 */
export function describeEngine(
  name: string,
  openEngine: OpenEngine,
  {
    tenant,
    ...options
  }: { hasAlarms?: boolean; isFixed?: boolean; knowsOwnersOnly?: boolean; lawRuns?: number; tenant?: string } = {},
): void {
  const open: OpenEngine = async (limits) => {
    const { engine, release } = await openEngine(limits)
    return { engine: tenant === undefined ? engine : tenantEngine(engine, tenant), release }
  }
  describe(tenant === undefined ? `engine ${name}` : `a tenant of engine ${name}`, () => {
    let opened: Awaited<ReturnType<OpenEngine>> | undefined
    const subject = {
      get engine(): Engine {
        if (!opened) throw new Error('The engine is not open')
        return opened.engine
      },
    }
    beforeAll(async () => {
      opened = await open()
    })
    afterAll(() => opened?.release())

    test('name is what people call it', () => {
      expect(subject.engine.name).toBe(name)
    })

    test('check resolves while documents can be read and written', async () => {
      expect(await subject.engine.check()).toBeUndefined()
    })

    describeJobs(subject)
    describeApply(subject, open)
    describeKeys(subject)
    describeChanges(subject)
    // The documents of a tenant answer a moment after their engine has.
    const isRemote = options.hasAlarms || tenant !== undefined
    describeWatch(subject, isRemote)
    describeEveryone(subject, options.knowsOwnersOnly !== true, isRemote)
    describeOwners(subject)
    describeTokens(subject)
    describeWebhookMarks(subject)
    describeNotes(subject, options.knowsOwnersOnly !== true)
    describeLaw(subject, options.lawRuns)
    if (options.isFixed || tenant !== undefined) {
      test('transfer is not there, for the engine can not be copied, or is that of a tenant', () => {
        expect(subject.engine.transfer).toBeUndefined()
      })
    } else describeTransfer(openEngine)
    if (options.isFixed) {
      test('figures is not there, for the engine has no indexes to count with', () => {
        expect(subject.engine.figures).toBeUndefined()
      })
    } else if (tenant === undefined) describeFigures(openEngine)
    if (options.hasAlarms || tenant !== undefined) {
      test('due is not there, for the engine has alarms of its own, or is that of a tenant', () => {
        expect(subject.engine.due).toBeUndefined()
      })
    } else describeDue(subject)
  })
}
