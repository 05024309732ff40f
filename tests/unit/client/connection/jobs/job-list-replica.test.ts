import { describe, expect, test } from 'bun:test'
import { JobListReplica } from '../../../../../client/connection/jobs/job-list-replica.ts'
import type { JobHeader } from '../../../../../shared/document/job.ts'
import { newHeader } from '../../../../arbitraries.ts'

/** A job created `second` seconds after the first. */
function job(id: string, second: number, fields: Partial<JobHeader> = {}): JobHeader {
  return newHeader({ id, createdAt: `2026-01-01T00:00:${String(second).padStart(2, '0')}.000Z`, ...fields })
}

const ended = { status: 'completed' } as const
const tell = (list: JobListReplica, header: JobHeader) =>
  list.receive({
    event: 'snapshot',
    data: { jobId: header.id, cursor: `${header.epoch}-${header.version}`, ...header },
  })
const ids = (list: JobListReplica) => list.jobs.map(({ id }) => id)

describe('JobListReplica', () => {
  test('JobListReplica is newest first, whatever the order in which it was told', () => {
    const list = new JobListReplica()
    for (const header of [job('b', 2), job('a', 1), job('d', 3), job('c', 3)]) tell(list, header)
    expect(ids(list)).toEqual(['d', 'c', 'b', 'a'])
  })

  test('JobListReplica keeps result and metadata that a patch leaves out, and drops those that it clears', () => {
    const list = new JobListReplica()
    tell(list, job('a', 1, { metadata: { by: 'ada' }, result: 1 }))
    const patch = (header: JobHeader, extra: object) =>
      list.receive({
        event: 'patch',
        data: { jobId: 'a', cursor: '', from: header.version - 1, to: header.version, job: { ...header, ...extra } },
      })
    patch(job('a', 1, { version: 2 }), { result: null })
    expect(list.jobs).toEqual([job('a', 1, { version: 2, metadata: { by: 'ada' } })])
  })

  test('JobListReplica does not go back to an older version, but takes a new life of a job', () => {
    const list = new JobListReplica()
    tell(list, job('a', 1, { version: 5 }))
    list.add([job('a', 1, { version: 4, title: 'old' })])
    expect(list.jobs[0]?.version).toBe(5)
    tell(list, job('a', 2, { version: 1, epoch: 'e2' }))
    expect(list.jobs[0]).toEqual(job('a', 2, { version: 1, epoch: 'e2' }))
  })

  test('JobListReplica takes an older version of a job from a snapshot or a poll: the server was restored from a backup', () => {
    const list = new JobListReplica()
    const versions = () => list.jobs.map(({ version, progress }) => [version, progress.done])
    tell(list, job('a', 1, { version: 9, progress: { done: 9 } }))
    tell(list, job('a', 1, { version: 5, progress: { done: 5 } }))
    expect(versions()).toEqual([[5, 5]])
    const next = job('a', 1, { version: 6, progress: { done: 6 } })
    list.receive({ event: 'patch', data: { jobId: 'a', cursor: '', from: 5, to: 6, job: next } })
    expect(versions()).toEqual([[6, 6]])
    list.replaceNewest([job('a', 1, { version: 2, progress: { done: 2 } })])
    expect(versions()).toEqual([[2, 2]])
    const [before] = list.jobs
    list.replaceNewest([job('a', 1, { version: 2, progress: { done: 2 } })])
    expect(list.jobs[0]).toBe(before as never)
  })

  test('JobListReplica drops what was deleted or expired, not what ended', () => {
    const list = new JobListReplica()
    for (const id of ['a', 'b', 'c']) tell(list, job(id, 1))
    expect(list.receive({ event: 'end', data: { jobId: 'a', reason: 'deleted' } })).toEqual({})
    expect(list.receive({ event: 'end', data: { jobId: 'b', reason: 'expired' } })).toEqual({})
    expect(list.receive({ event: 'end', data: { jobId: 'c', reason: 'completed' } })).toEqual({})
    expect(ids(list)).toEqual(['c'])
  })

  test('JobListReplica ends with its stream, when the end is of no job', () => {
    expect(new JobListReplica().receive({ event: 'end', data: { reason: 'token-expired' } })).toEqual({
      ended: 'token-expired',
    })
  })

  test('JobListReplica drops at a ping what a new stream should have told of', () => {
    const list = new JobListReplica()
    const headers = [
      job('old', 1, ended),
      job('gone and live', 2),
      job('kept', 3, ended),
      job('gone', 4, ended),
      job('live', 5),
    ]
    for (const header of headers) tell(list, header)
    list.settle()
    expect(list.jobs).toHaveLength(5)
    list.begin()
    tell(list, job('live', 5))
    tell(list, job('kept', 3, ended))
    expect(list.jobs).toHaveLength(5)
    list.settle()
    expect(ids(list)).toEqual(['live', 'kept', 'old'])
  })

  test('JobListReplica drops no ended job when a stream tells of none', () => {
    const list = new JobListReplica()
    tell(list, job('ended', 1, ended))
    list.begin()
    list.settle()
    expect(ids(list)).toEqual(['ended'])
  })

  test('JobListReplica takes the newest jobs of a poll for all there are of that age', () => {
    const list = new JobListReplica()
    for (const header of [job('older', 1), job('gone', 3), job('stays', 2)]) tell(list, header)
    list.replaceNewest([job('new', 4), job('stays', 2)])
    expect(ids(list)).toEqual(['new', 'stays', 'older'])
    list.replaceNewest([])
    expect(ids(list)).toEqual([])
  })

  test('JobListReplica tells whether jobs that were asked for are new', () => {
    const list = new JobListReplica()
    expect(list.add([job('a', 1)])).toBe(true)
    expect(list.add([job('a', 1, { version: 2 })])).toBe(false)
  })

  test('JobListReplica makes another entry of a job that changed, and keeps the one of a job that did not', () => {
    const list = new JobListReplica()
    tell(list, job('a', 1))
    tell(list, job('b', 2))
    const [b, a] = list.jobs
    tell(list, job('a', 1, { version: 2 }))
    tell(list, job('b', 2))
    expect(list.jobs[0]).toBe(b as never)
    expect(list.jobs[1]).not.toBe(a as never)
  })
})
