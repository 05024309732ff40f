import { afterEach, describe, expect, test } from 'bun:test'
import { effect } from '@preact/signals-core'
import { applyEvent } from '../../../../../shared/document/fold.ts'
import type { Job } from '../../../../../shared/document/job.ts'
import { newDocument, placed } from '../../../../arbitraries.ts'
import { gather, open, running, STREAM, stops, watch } from './test-signal.ts'

afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

describe('createJobSignal: what it shows', () => {
  test('createJobSignal folds every message, and shows them once a frame', async () => {
    const { environment, signals } = open()
    const { seen } = watch(signals.job)
    const events = placed([
      { type: 'progress', done: 13, total: 100 },
      { type: 'item', id: 'a', status: 'failed', error: 'No space left' },
      { type: 'error', message: 'No space left', itemId: 'a' },
    ])
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', running)
    expect(seen).toEqual([undefined, running])
    for (const event of events) environment.source.send(event.type === 'error' ? 'job-error' : event.type, event)
    expect(seen).toHaveLength(2)
    expect(environment.draw()).toBe(1)
    expect(seen).toHaveLength(3)
    expect(seen[2]).toEqual(events.reduce(applyEvent, running))
    expect(signals.percent.value).toBe(13)
    expect(environment.draw()).toBe(0)
  })

  test('createJobSignal tells of one item only when that item changes, and not while pages of others arrive', async () => {
    const { environment, signals } = open()
    const [a, b] = [watch(signals.item('a')), watch(signals.item('b'))]
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', running)
    for (const event of placed([
      { type: 'item', id: 'a', status: 'running' },
      { type: 'item', id: 'b', status: 'running' },
      { type: 'item', id: 'b', status: 'succeeded' },
      { type: 'progress', done: 1 },
    ])) {
      environment.source.send(event.type, event)
      environment.draw()
    }
    expect(a.seen.map((item) => item?.status)).toEqual([undefined, 'running'])
    expect(b.seen.map((item) => item?.status)).toEqual([undefined, 'running', 'succeeded'])
    const { steps, items, errors, logs, ...header } = { ...running, version: 9 }
    const item = { id: 'a', index: 0, version: 9, status: 'failed' as const }
    environment.source.send('patch', { from: 5, to: 9, more: true, job: header, items: [item] })
    environment.draw()
    expect(a.seen).toHaveLength(2)
    environment.source.send('patch', { from: 9, to: 10, job: { ...header, version: 10 } })
    environment.draw()
    expect(a.seen.at(-1)?.status).toBe('failed')
    expect(b.seen).toHaveLength(3)
  })

  test('createJobSignal shows pages only when they are all there', async () => {
    const { environment, signals } = open()
    const { seen } = watch(signals.job)
    const first = { ...newDocument(), version: 5, more: true as const }
    const item = (id: string, index: number, version: number) => ({ id, index, version, status: 'pending' as const })
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', { ...first, items: [item('b', 1, 5)] })
    environment.draw()
    expect(seen).toEqual([undefined])
    const last = { ...newDocument(), version: 9, itemCounts: { ...first.itemCounts, pending: 2 } }
    const { steps, items, errors, logs, ...header } = last
    environment.source.send('patch', { from: 5, to: 9, job: header, items: [item('a', 0, 9)] })
    environment.draw()
    expect(seen[1]).toEqual({ ...last, items: [item('a', 0, 9), item('b', 1, 5)] })
  })

  test('createJobSignal leaves the document that it shows whole while pages of a patch arrive', async () => {
    const { environment, signals } = open()
    watch(signals.job)
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', running)
    environment.draw()
    const shown = signals.job.value as Job
    const { steps, items, errors, logs, ...header } = { ...running, version: 4 }
    const item = { id: 'b', index: 1, version: 4, status: 'pending' as const }
    environment.source.send('patch', { from: 1, to: 4, more: true, job: header, items: [item] })
    environment.draw()
    expect(signals.job.value).toBe(shown)
    expect(shown.items).toEqual([])
    environment.source.send('patch', {
      from: 4,
      to: 6,
      job: { ...header, version: 6 },
      items: [{ ...item, id: 'a', index: 0 }],
    })
    environment.draw()
    expect(signals.job.value?.items.map(({ id }) => id)).toEqual(['a', 'b'])
  })

  test('createJobSignal asks for the whole document when something is missing, and keeps what it shows', async () => {
    const { environment, signals } = open()
    watch(signals.job)
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', running)
    const [, missed] = placed([
      { type: 'progress', done: 1 },
      { type: 'progress', done: 2 },
    ])
    environment.source.send('progress', missed)
    await gather(environment)
    expect(environment.sources.map(({ url, isOpen }) => [url, isOpen])).toEqual([
      [STREAM, false],
      [STREAM, true],
    ])
    environment.draw()
    expect(signals.job.value).toEqual(running)
  })

  test('createJobSignal takes a new life of the job for what it is', async () => {
    const { environment, signals } = open()
    watch(signals.job)
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', { ...running, version: 40 })
    environment.source.send('snapshot', { ...newDocument(), epoch: 'e2' })
    environment.draw()
    expect(signals.job.value).toEqual(newDocument({ epoch: 'e2' }))
  })

  test('createJobSignal shows the job as it ended together with the end', async () => {
    const { environment, signals } = open()
    const seen: unknown[] = []
    stops.push(
      effect(() => {
        seen.push([signals.connection.value, signals.job.value?.status])
      }),
    )
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', running)
    environment.draw()
    const [completed] = placed([{ type: 'status', status: 'completed' }])
    environment.source.send('status', completed)
    environment.source.send('end', { reason: 'completed' })
    expect(seen).toEqual([
      ['connecting', undefined],
      ['live', 'running'],
      ['ended', 'completed'],
    ])
    expect(environment.source.isOpen).toBe(false)
  })

  test('createJobSignal does not take the end of a stream for the end of the job', async () => {
    const { environment, signals } = open()
    watch(signals.connection)
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', running)
    environment.source.send('end', { reason: 'completed' })
    await gather(environment)
    expect(signals.connection.value).toBe('live')
    expect([environment.sources.length, environment.source.url]).toEqual([2, STREAM])
  })

  test('createJobSignal shows what polls bring while the stream is mute', async () => {
    const { environment, signals } = open()
    watch(signals.job)
    await gather(environment)
    environment.source.open()
    await environment.clock.advance(8_000)
    expect(environment.request.url).toBe('/api/jobs/job-1?parts=all')
    await environment.request.answer(200, running)
    environment.draw()
    expect(signals.job.value).toEqual(running)
    await environment.clock.advance(8_000)
    expect(environment.request.url).toBe('/api/jobs/job-1?parts=all&since=e1-1')
    const { steps, items, errors, logs, ...header } = { ...running, version: 3, status: 'cancelled' as const }
    await environment.request.answer(200, { from: 1, to: 3, job: header })
    expect(signals.job.value?.status).toBe('cancelled')
    expect(signals.connection.value).toBe('ended')
  })
})

describe('createJobSignal: a server that was restored from a backup', () => {
  test('createJobSignal takes an older version from a snapshot or a poll, and goes on from there', async () => {
    const { environment, signals } = open()
    watch(signals.job)
    const at = (version: number) => ({ ...running, version, progress: { done: version } })
    const { steps, items, errors, logs, ...header } = at(51)
    const shown = () => {
      environment.draw()
      return [signals.job.value?.version, signals.job.value?.progress.done]
    }
    await gather(environment)
    environment.source.open()
    environment.source.send('snapshot', at(97))
    expect(shown()).toEqual([97, 97])
    await environment.clock.advance(15_000)
    environment.source.lose()
    environment.source.open()
    environment.source.send('snapshot', at(50))
    environment.source.send('patch', { from: 50, to: 51, job: header })
    expect(shown()).toEqual([51, 51])
    await environment.clock.advance(15_000)
    environment.source.lose()
    expect(environment.source.url).toBe(`${STREAM}%40e1-51`)
    environment.source.refuse()
    await environment.request.answer(200, at(20))
    expect(shown()).toEqual([20, 20])
    environment.source.refuse()
    await environment.request.answer(200, { from: 0, to: 7, job: { ...header, version: 7 } })
    expect([shown()[0], environment.source.url]).toEqual([7, `${STREAM}%40e1-7`])
  })
})
