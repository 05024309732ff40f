import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type ContainerNode, createElement, Fragment, options, render } from 'preact'
import { useJobProgress } from '../../../../client/signals/use-job-progress.ts'
import { newDocument } from '../../../arbitraries.ts'
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
  const draw = (...ids: string[]) =>
    render(
      createElement(
        Fragment,
        null,
        ids.map((id, index) => createElement(Probe, { key: index, id })),
      ),
      root as unknown as ContainerNode,
    )
  function Probe({ id }: { id: string }) {
    const { job, percent } = useJobProgress(id, { environment })
    return `[${id}: ${job.value?.title ?? 'nothing'} ${percent.value ?? '?'}]`
  }
  return { environment, root, draw }
}

const document = (id: string) => newDocument({ id, title: `Job ${id}`, progress: { done: 1, total: 4 } })

describe('useJobProgress', () => {
  test('useJobProgress draws the job, and draws it again when it changes', () => {
    const { environment, root, draw } = page()
    draw('a')
    expect(root.text).toBe('[a: nothing ?]')
    environment.source.open()
    environment.source.send('snapshot', document('a'))
    expect(root.text).toBe('[a: Job a 25]')
    environment.source.send('progress', { type: 'progress', version: 2, at: '2026-01-01T00:00:02.000Z', done: 2 })
    environment.draw()
    expect(root.text).toBe('[a: Job a 50]')
  })

  test('useJobProgress shares one connection among all who show the same job', () => {
    const { environment, root, draw } = page()
    draw('a', 'a', 'b')
    expect(environment.sources.map(({ url }) => url)).toEqual(['/api/jobs/a/progress', '/api/jobs/b/progress'])
    const [a] = environment.sources
    a?.open()
    a?.send('snapshot', document('a'))
    expect(root.text).toBe('[a: Job a 25][a: Job a 25][b: nothing ?]')
  })

  test('useJobProgress closes the connection when nobody shows the job any more', async () => {
    const { environment, draw } = page()
    draw('a', 'a')
    draw('a')
    await environment.clock.advance(5_000)
    expect(environment.source.isOpen).toBe(true)
    draw()
    await environment.clock.advance(1_000)
    expect(environment.source.isOpen).toBe(false)
    expect(environment.clock.pending).toBe(0)
  })

  test('useJobProgress follows another job when its id changes', async () => {
    const { environment, root, draw } = page()
    draw('a')
    const [a] = environment.sources
    a?.open()
    a?.send('snapshot', document('a'))
    draw('b')
    expect(root.text).toBe('[b: nothing ?]')
    environment.source.open()
    environment.source.send('snapshot', document('b'))
    expect(root.text).toBe('[b: Job b 25]')
    await environment.clock.advance(1_000)
    expect(a?.isOpen).toBe(false)
    expect(environment.source.isOpen).toBe(true)
    expect(environment.sources).toHaveLength(2)
  })
})
