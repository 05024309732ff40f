import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { ReadonlySignal } from '@preact/signals-core'
import { type ContainerNode, createElement, Fragment, options, render } from 'preact'
import { useMemo } from 'preact/hooks'
import type { JobRow } from '../../../../client/signals/job-list-signal.ts'
import type { UseJobsOptions } from '../../../../client/signals/shared-job-list.ts'
import { useJobProgress } from '../../../../client/signals/use-job-progress.ts'
import { useJobs } from '../../../../client/signals/use-jobs.ts'
import { newDocument, newHeader } from '../../../arbitraries.ts'
import { FakeEnvironment } from '../../../fake-environment.ts'

/** As much of a DOM as Preact needs to draw text. */
class FakeNode {
  readonly nodeType: number
  data: string
  parentNode: FakeNode | null = null
  readonly childNodes: FakeNode[] = []

  constructor(nodeType: number, data = '') {
    this.nodeType = nodeType
    this.data = data
  }

  get firstChild(): FakeNode | null {
    return this.childNodes[0] ?? null
  }

  get nextSibling(): FakeNode | null {
    const siblings = this.parentNode?.childNodes ?? []
    return siblings[siblings.indexOf(this) + 1] ?? null
  }

  get text(): string {
    return this.data + this.childNodes.map(({ text }) => text).join('')
  }

  insertBefore(node: FakeNode, before: FakeNode | null): FakeNode {
    node.remove()
    const at = before ? this.childNodes.indexOf(before) : this.childNodes.length
    this.childNodes.splice(at, 0, node)
    node.parentNode = this
    return node
  }

  contains(node: FakeNode | null): boolean {
    return node === this || (node !== null && this.contains(node.parentNode))
  }

  remove(): void {
    const siblings = this.parentNode?.childNodes
    if (siblings) siblings.splice(siblings.indexOf(this), 1)
    this.parentNode = null
  }
}

const { debounceRendering } = options
beforeAll(() => {
  Object.assign(globalThis, { document: { createTextNode: (text: string) => new FakeNode(3, text) } })
  options.debounceRendering = (draw) => draw()
})
afterAll(() => {
  Reflect.deleteProperty(globalThis, 'document')
  if (debounceRendering) options.debounceRendering = debounceRendering
  else delete options.debounceRendering
})

function page() {
  const environment = new FakeEnvironment()
  const root = new FakeNode(1)
  const draw = async (...ids: string[]) => {
    render(
      createElement(
        Fragment,
        null,
        ids.map((id, index) => createElement(Probe, { key: index, id })),
      ),
      root as unknown as ContainerNode,
    )
    // Time enough for jobs to be gathered into one stream.
    await environment.clock.advance(20)
  }
  function Probe({ id }: { id: string }) {
    const { job, percent } = useJobProgress(id, { environment })
    return `[${id}: ${job.value?.title ?? 'nothing'} ${percent.value ?? '?'}]`
  }
  return { environment, root, draw }
}

const document = (id: string) => newDocument({ id, title: `Job ${id}`, progress: { done: 1, total: 4 } })

describe('useJobProgress', () => {
  test('useJobProgress draws the job, and draws it again when it changes', async () => {
    const { environment, root, draw } = page()
    await draw('a')
    expect(root.text).toBe('[a: nothing ?]')
    environment.source.open()
    environment.source.send('snapshot', document('a'))
    expect(root.text).toBe('[a: Job a 25]')
    environment.source.send('progress', { type: 'progress', version: 2, at: '2026-01-01T00:00:02.000Z', done: 2 })
    environment.draw()
    expect(root.text).toBe('[a: Job a 50]')
  })

  test('useJobProgress shares one connection among all jobs of a server', async () => {
    const { environment, root, draw } = page()
    await draw('a', 'a', 'b')
    expect(environment.sources.map(({ url }) => url)).toEqual(['/api/progress?parts=all&job=a&job=b'])
    const [a] = environment.sources
    a?.open()
    a?.send('snapshot', { jobId: 'a', ...document('a') })
    expect(root.text).toBe('[a: Job a 25][a: Job a 25][b: nothing ?]')
  })

  test('useJobProgress takes one stream for 50 jobs, and changes it when one comes or goes', async () => {
    const { environment, draw } = page()
    const ids = Array.from({ length: 50 }, (_, index) => `job-${index}`)
    await draw(...ids)
    expect(environment.sources).toHaveLength(1)
    await draw(...ids, 'another')
    const named = environment.sources.map(({ url }) => new URL(url, 'http://x').searchParams.getAll('job').length)
    expect([named, environment.sources.filter(({ isOpen }) => isOpen).length]).toEqual([[50, 51], 1])
  })

  test('useJobProgress closes the connection when nobody shows the job any more', async () => {
    const { environment, draw } = page()
    await draw('a', 'a')
    await draw('a')
    await environment.clock.advance(5_000)
    expect(environment.source.isOpen).toBe(true)
    await draw()
    await environment.clock.advance(1_000)
    expect(environment.source.isOpen).toBe(false)
    expect(environment.clock.pending).toBe(0)
  })

  test('useJobProgress follows another job when its id changes', async () => {
    const { environment, root, draw } = page()
    await draw('a')
    const [a] = environment.sources
    a?.open()
    a?.send('snapshot', { jobId: 'a', ...document('a') })
    await draw('b')
    expect(root.text).toBe('[b: nothing ?]')
    environment.source.open()
    environment.source.send('snapshot', document('b'))
    expect(root.text).toBe('[b: Job b 25]')
    await environment.clock.advance(1_000)
    expect(a?.isOpen).toBe(false)
    await environment.clock.advance(20)
    // One stream for the first, one for both while the first lingers, one for the second.
    expect(environment.sources.map(({ isOpen }) => isOpen)).toEqual([false, false, true])
  })
})

describe('useJobs', () => {
  test('useJobs draws one row when one job changes, of the jobs that a component wants, from one stream', async () => {
    const environment = new FakeEnvironment()
    const root = new FakeNode(1)
    const drawn: string[] = []
    function Row({ id, row }: { id: string; row: ReadonlySignal<JobRow | undefined> }) {
      drawn.push(id)
      return `[${id} ${row.value?.percent}]`
    }
    function List({ filter }: { filter: UseJobsOptions }) {
      const { ids, row } = useJobs({ ...filter, environment })
      drawn.push('list')
      return createElement(
        Fragment,
        null,
        ids.value.map((id) => createElement(Row, { key: id, id, row: useMemo(() => row(id), [id]) })),
      )
    }
    const lists = [{ status: 'running' as const }, { kind: 'other' }]
    render(
      createElement(
        Fragment,
        null,
        lists.map((filter, key) => createElement(List, { key, filter })),
      ),
      root as unknown as ContainerNode,
    )
    const job = (id: string, fields: object) => ({
      ...newHeader({ id, status: 'running', progress: { done: 1, total: 4 }, ...fields }),
      jobId: id,
    })
    environment.source.open()
    environment.source.send('snapshot', job('a', { createdAt: '2026-01-01T00:00:03.000Z' }))
    environment.source.send('snapshot', job('b', { createdAt: '2026-01-01T00:00:02.000Z' }))
    environment.source.send('snapshot', job('c', { status: 'completed', kind: 'other' }))
    environment.source.send('ping', { at: '2026-01-01T00:00:09.000Z' })
    environment.draw()
    expect([root.text, environment.sources.length]).toEqual(['[a 25][b 25][c 100]', 1])
    drawn.length = 0
    environment.source.send('snapshot', job('b', { version: 9, progress: { done: 2, total: 4 } }))
    environment.draw()
    expect([root.text, drawn]).toEqual(['[a 25][b 50][c 100]', ['b']])
    environment.source.send('snapshot', job('a', { version: 9, status: 'failed' }))
    environment.draw()
    expect(root.text).toBe('[b 50][c 100]')
    render(null, root as unknown as ContainerNode)
    await environment.clock.advance(1_000)
    expect(environment.source.isOpen).toBe(false)
  })
})
