import { describe, expect, test } from 'bun:test'
import { newHeader } from '../../../../arbitraries.ts'
import { settle } from '../../../../virtual-clock.ts'
import { receipt, report } from './test-reporter.ts'

describe('createReporter', () => {
  test('createReporter.retry reports what ended a try, and lets go of the job until its next try', async () => {
    const { reporter, environment, clock } = report()
    const job = reporter.create({ id: 'a', kind: 'import', title: 'Contacts', heartbeatSeconds: 30 })
    job.status({ status: 'running' })
    job.retry(new Error('no database'), { message: 'Again in 10 s', attempt: 4 })
    job.retry('x'.repeat(9_000))
    const hostile = {
      toString() {
        throw new Error('no')
      },
    }
    job.retry(hostile)
    await environment.request.answer(201, newHeader())
    await clock.advance(250)
    expect(JSON.parse(String(environment.request.body))).toEqual([
      { type: 'status', status: 'running' },
      { type: 'error', message: 'no database' },
      { type: 'status', status: 'pending', message: 'Again in 10 s', attempt: 4 },
      { type: 'error', message: 'x'.repeat(2_000) },
      { type: 'status', status: 'pending' },
      { type: 'error', message: 'An error without a text' },
      { type: 'status', status: 'pending' },
    ])
    await environment.request.answer(200, receipt)
    // No heartbeats, and nothing to close.
    await clock.advance(600_000)
    const { length } = environment.requests
    await reporter.flush()
    job.status({ status: 'running' })
    void reporter.flush()
    await settle()
    expect(environment.requests).toHaveLength(length + 1)
  })

  test('createReporter.fork creates a child of the same kind and owner', async () => {
    const { reporter, environment } = report()
    const job = reporter.create({ id: 'a', kind: 'import', title: 'Contacts', owner: 'ada' })
    job.fork('Part 2', { id: 'b', metadata: { part: 2 } })
    expect(JSON.parse(String(environment.request.body))).toEqual({
      heartbeatSeconds: 60,
      kind: 'import',
      title: 'Part 2',
      owner: 'ada',
      id: 'b',
      metadata: { part: 2 },
      parentId: 'a',
    })
    reporter.job('elsewhere').fork('Part')
    const { kind, parentId } = JSON.parse(String(environment.request.body))
    expect([kind, parentId]).toEqual(['job', 'elsewhere'])
  })
})
