import { describe, expect, test } from 'bun:test'
import { MemoryTree, TreeRefusal } from '../../../../../server/services/sync/tree.ts'
import { streamOf } from '../recorder.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const textOf = async (tree: MemoryTree, path: string) => new Response((await tree.read(path)).content).text()

describe('MemoryTree', () => {
  test('MemoryTree lists, reads and writes files', async () => {
    const tree = new MemoryTree('tree', [['a', new Blob(['one'])]], { treeBytes: 100, fileBytes: 100 })
    await tree.write('b/c', streamOf(bytes('three'), 2))
    await tree.write('a', streamOf(bytes('2')))
    expect(await Array.fromAsync(tree.list())).toEqual([
      { path: 'a', size: 1 },
      { path: 'b/c', size: 5 },
    ])
    expect([await textOf(tree, 'a'), await textOf(tree, 'b/c')]).toEqual(['2', 'three'])
    await expect(tree.read('nowhere')).rejects.toThrow(TreeRefusal)
  })

  test('MemoryTree keeps what was there when what comes is cut short', async () => {
    const tree = new MemoryTree('tree', [['a', new Blob(['one'])]], { treeBytes: 100, fileBytes: 100 })
    let pulls = 0
    const broken = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulls += 1
        if (pulls === 1) controller.enqueue(bytes('tw'))
        else controller.error(new Error('The line is down'))
      },
    })
    await expect(tree.write('a', broken)).rejects.toThrow('The line is down')
    expect(await textOf(tree, 'a')).toBe('one')
  })

  test('MemoryTree takes a file of its limit and refuses one byte more, letting go of its source', async () => {
    const tree = new MemoryTree('tree', [], { treeBytes: 100, fileBytes: 4 })
    await tree.write('a', streamOf(bytes('1234')))
    let cancelled = false
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(bytes('123')),
      cancel: () => {
        cancelled = true
      },
    })
    await expect(tree.write('b', endless)).rejects.toThrow(new TreeRefusal('“tree” takes no file over 4\u00a0bytes'))
    expect(cancelled).toBe(true)
  })

  test('MemoryTree counts the room that is left: what is replaced or refused gives its own back', async () => {
    const tree = new MemoryTree('tree', [['a', new Blob(['1234'])]], { treeBytes: 10, fileBytes: 10 })
    const full = '“tree” is full: it holds 10\u00a0bytes at most'
    await expect(tree.write('b', streamOf(bytes('1234567')))).rejects.toThrow(new TreeRefusal(full))
    await tree.write('b', streamOf(bytes('123456')))
    await tree.write('a', streamOf(bytes('')))
    await tree.write('c', streamOf(bytes('1234')))
    await expect(tree.write('d', streamOf(bytes('1')))).rejects.toThrow(new TreeRefusal(full))
  })

  test('MemoryTree refuses paths that lead out', async () => {
    const tree = new MemoryTree('tree', [], { treeBytes: 10, fileBytes: 10 })
    await expect(tree.write('../a', streamOf(bytes('1')))).rejects.toThrow(new TreeRefusal('The path has a part “..”'))
    expect(() => new MemoryTree('tree', [['/a', new Blob([])]], { treeBytes: 10, fileBytes: 10 })).toThrow(TreeRefusal)
  })
})
