import { describe, expect, test } from 'bun:test'
import { effect } from '@preact/signals-core'
import { createJobListSignal } from '../../../../client/signals/job-list-signal.ts'
import { newHeader } from '../../../arbitraries.ts'
import { FakeEnvironment } from '../../../fake-environment.ts'
import { settle } from '../../../virtual-clock.ts'

const page = (id: string, nextCursor?: string) => ({ jobs: [newHeader({ id })], ...(nextCursor ? { nextCursor } : {}) })

describe('createJobListSignal', () => {
  test('createJobListSignal aborts a page that takes 15 seconds, and loads it when its stream reopens', async () => {
    const environment = new FakeEnvironment()
    const list = createJobListSignal({ environment })
    const stop = effect(() => void list.rows.value)
    await settle()
    const mute = environment.request
    await environment.clock.advance(14_999)
    expect(mute.isOver).toBe(false)
    await environment.clock.advance(1)
    expect([mute.isOver, list.ready.value]).toEqual([true, false])
    await environment.nextTry()
    await environment.request.answer(200, page('a', 'next'))
    expect([list.ready.value, list.hasMore.value, list.rows.value.length]).toEqual([true, true, 1])
    stop()
  })

  test('createJobListSignal can load older jobs again after a page that never came', async () => {
    const environment = new FakeEnvironment()
    const list = createJobListSignal({ environment })
    const stop = effect(() => void list.rows.value)
    await settle()
    await environment.request.answer(200, page('a', 'next'))
    const loading = list.loadMore()
    expect(list.loading.value).toBe(true)
    await settle()
    const mute = environment.request
    environment.source.open()
    await environment.clock.advance(15_000)
    await loading
    expect([mute.isOver, list.loading.value, list.hasMore.value]).toEqual([true, false, true])
    const again = list.loadMore()
    await settle()
    await environment.request.answer(200, page('b'))
    await again
    expect([list.rows.value.length, list.hasMore.value]).toEqual([2, false])
    stop()
    await environment.clock.advance(1_000)
    expect(environment.clock.pending).toBe(0)
  })
})
