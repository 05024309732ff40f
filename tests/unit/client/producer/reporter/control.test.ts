import { describe, expect, test } from 'bun:test'
import { newHeader } from '../../../../arbitraries.ts'
import { settle } from '../../../../virtual-clock.ts'
import { receipt, report } from './test-reporter.ts'

describe('createReporter', () => {
  test('createReporter hears in receipts what watchers ask for', async () => {
    const { reporter, environment, clock } = report()
    const job = reporter.job('a')
    const reasons: unknown[] = []
    job.signal.addEventListener('abort', () => reasons.push(job.signal.reason))
    expect([job.cancelRequested, job.pauseRequested]).toEqual([false, false])
    job.log({ message: 'one' })
    await clock.advance(250)
    await environment.request.answer(200, { ...receipt, pauseRequested: true })
    expect([job.cancelRequested, job.pauseRequested, job.signal.aborted]).toEqual([false, true, false])
    job.log({ message: 'two' })
    await clock.advance(5_000)
    await environment.request.answer(200, { ...receipt, cancelRequested: true })
    expect([job.cancelRequested, job.pauseRequested, job.signal.aborted]).toEqual([true, false, true])
    expect(reasons).toEqual([new Error('A watcher cancelled this job')])
  })

  test('createReporter.pausePoint reports a pause, and waits for its end', async () => {
    const { reporter, environment, clock } = report()
    const job = reporter.job('a')
    const answer = async (ms: number, asked: Partial<typeof receipt> = {}) => {
      await clock.advance(ms)
      const { request } = environment
      await request.answer(200, { ...receipt, flushMs: 250, ...asked })
      return JSON.parse(String(request.body))
    }
    await job.pausePoint()
    job.status({ status: 'running' })
    await answer(250, { pauseRequested: true })
    let isOver = false
    const paused = job.pausePoint().then(() => {
      isOver = true
    })
    expect(await answer(0, { pauseRequested: true })).toEqual([{ type: 'status', status: 'paused' }])
    expect(await answer(20_000, { pauseRequested: true })).toEqual([{ type: 'status', status: 'paused' }])
    expect(isOver).toBe(false)
    expect(await answer(20_000)).toEqual([{ type: 'status', status: 'paused' }])
    await paused
    expect(await answer(250, { pauseRequested: true })).toEqual([{ type: 'status', status: 'running' }])
    const cancelled = job.pausePoint()
    await answer(0, { pauseRequested: true, cancelRequested: true })
    await cancelled
    job.status({ status: 'cancelled' })
    expect(await answer(0)).toEqual([{ type: 'status', status: 'cancelled' }])
    expect(clock.pending).toBe(0)
  })

  test('createReporter.pausePoint ends with the job', async () => {
    const { reporter, environment, clock } = report()
    const job = reporter.job('a')
    job.status({ status: 'running' })
    await clock.advance(250)
    await environment.request.answer(200, { ...receipt, pauseRequested: true })
    const paused = job.pausePoint()
    await settle()
    await environment.request.answer(404)
    await paused
    expect(clock.pending).toBe(0)
  })

  test('createReporter aborts the signal of a job that was cancelled while it was pending, without a word', async () => {
    for (const hear of ['creation', 'batch'] as const) {
      const { reporter, environment, problems, clock } = report()
      const job = reporter.create({ id: 'a', kind: 'import', title: 'Contacts' })
      const status = hear === 'creation' ? 'cancelled' : 'pending'
      await environment.request.answer(hear === 'creation' ? 200 : 201, newHeader({ status }))
      expect(job.signal.aborted).toBe(hear === 'creation')
      job.status({ status: 'running' })
      await clock.advance(250)
      if (hear === 'batch') {
        const problem = {
          type: 'urn:milepost:conflict',
          status: 409,
          detail: 'It is cancelled.',
          jobStatus: 'cancelled',
        }
        await environment.request.answer(409, problem, { 'content-type': 'application/problem+json' })
      }
      expect([job.signal.aborted, job.cancelRequested, problems]).toEqual([true, true, []])
      expect(environment.clock.pending).toBe(0)
    }
  })
})
