import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DirectoryTree } from '../../../../server/cli/directory-tree.ts'
import { syncTrees } from '../../../../server/services/sync.ts'
import { TreeRefusal } from '../../../../server/services/tree.ts'
import { streamOf } from '../services/recorder.ts'

let root: string
let outside: string
beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'milepost-tree-'))
  root = join(folder, 'root')
  outside = join(folder, 'outside')
  await mkdir(root)
  await mkdir(outside)
  await writeFile(join(outside, 'secret'), 'secret')
})
afterEach(() => rm(join(root, '..'), { recursive: true }))

const bytes = (text: string) => new TextEncoder().encode(text)
const textOf = async (tree: DirectoryTree, path: string) => new Response(await tree.read(path)).text()

describe('DirectoryTree', () => {
  test('DirectoryTree lists regular files by name, and says of links that they are not followed', async () => {
    await mkdir(join(root, 'b/c'), { recursive: true })
    await writeFile(join(root, 'b/c/d.txt'), 'four')
    await writeFile(join(root, 'a.txt'), '1')
    await writeFile(join(root, '.milepost-0123456789abcdef.part'), 'unfinished')
    await symlink(outside, join(root, 'link'))
    expect(await Array.fromAsync(new DirectoryTree(root).list())).toEqual([
      { path: 'a.txt', size: 1 },
      { path: 'b/c/d.txt', size: 4 },
      { path: 'link', size: 0, unsupported: 'A symbolic link, not followed' },
    ])
  })

  test('DirectoryTree says which folder can not be listed', async () => {
    const list = Array.fromAsync(new DirectoryTree(join(root, 'nowhere')).list())
    await expect(list).rejects.toThrow('nowhere: It is not there')
  })

  test('DirectoryTree reads and writes files of any length, making folders on the way', async () => {
    const tree = new DirectoryTree(root)
    const content = 'x'.repeat(200_000)
    await tree.write('a/b/c.txt', streamOf(bytes(content), 1_000))
    expect(await textOf(tree, 'a/b/c.txt')).toBe(content)
    await tree.write('a/b/c.txt', streamOf(bytes('')))
    expect(await textOf(tree, 'a/b/c.txt')).toBe('')
    expect(await readdir(join(root, 'a/b'))).toEqual(['c.txt'])
  })

  test('DirectoryTree shows nothing of a copy that is cut short, and keeps nothing of it', async () => {
    const tree = new DirectoryTree(root)
    await writeFile(join(root, 'a.txt'), 'before')
    const sawWhile: string[] = []
    let pulls = 0
    const broken = new ReadableStream<Uint8Array>({
      async pull(controller) {
        pulls += 1
        if (pulls < 3) controller.enqueue(bytes('after'))
        else {
          sawWhile.push(await readFile(join(root, 'a.txt'), 'utf8'))
          const listed = await Array.fromAsync(tree.list())
          sawWhile.push(...listed.map(({ path }) => path))
          controller.error(new Error('The line is down'))
        }
      },
    })
    await expect(tree.write('a.txt', broken)).rejects.toThrow('The line is down')
    expect(sawWhile).toEqual(['before', 'a.txt'])
    expect(await readdir(root)).toEqual(['a.txt'])
    expect(await readFile(join(root, 'a.txt'), 'utf8')).toBe('before')
  })

  test('DirectoryTree refuses paths that lead out of it', async () => {
    const tree = new DirectoryTree(root)
    for (const path of ['../outside/secret', '/etc/passwd', 'a/../../outside/secret', '..', '', 'a\0']) {
      await expect(tree.read(path)).rejects.toThrow(TreeRefusal)
      await expect(tree.write(path, streamOf(bytes('x')))).rejects.toThrow(TreeRefusal)
    }
    expect(await readFile(join(outside, 'secret'), 'utf8')).toBe('secret')
    expect((await readdir(join(root, '..'))).toSorted()).toEqual(['outside', 'root'])
  })

  test('DirectoryTree follows no link out of it, at the end of a path or in its middle', async () => {
    const tree = new DirectoryTree(root)
    await symlink(outside, join(root, 'folder'))
    await symlink(join(outside, 'secret'), join(root, 'file'))
    await expect(tree.read('file')).rejects.toThrow('It is a symbolic link, which is not followed')
    await expect(tree.read('folder/secret')).rejects.toThrow('“folder” in its path is a link or a file')
    await expect(tree.write('folder/secret', streamOf(bytes('x')))).rejects.toThrow(TreeRefusal)
    await expect(tree.write('folder/new/file', streamOf(bytes('x')))).rejects.toThrow(TreeRefusal)
    // A link under the very name is replaced, and what it leads to is left alone.
    await tree.write('file', streamOf(bytes('mine')))
    expect(await textOf(tree, 'file')).toBe('mine')
    expect(await readdir(outside)).toEqual(['secret'])
    expect(await readFile(join(outside, 'secret'), 'utf8')).toBe('secret')
  })

  test('DirectoryTree says in words what the system refuses', async () => {
    const tree = new DirectoryTree(root)
    await mkdir(join(root, 'folder'))
    await writeFile(join(root, 'file'), '')
    const write = (path: string) => tree.write(path, streamOf(bytes('x')))
    await expect(write('n'.repeat(300))).rejects.toThrow(new TreeRefusal('Its name is longer than the disk takes'))
    await expect(write('folder')).rejects.toThrow(new TreeRefusal('A folder has its name'))
    await expect(write('file/x')).rejects.toThrow(new TreeRefusal('“file” in its path is a link or a file'))
    await expect(tree.read('nowhere')).rejects.toThrow(new TreeRefusal('It is not there'))
    expect((await readdir(root)).toSorted()).toEqual(['file', 'folder'])
  })

  test('DirectoryTree is synced with another one, and again when it has changed', async () => {
    const copy = join(root, '../copy')
    await mkdir(copy)
    await mkdir(join(root, 'a'))
    await writeFile(join(root, 'a/b.txt'), 'B')
    await writeFile(join(root, 'c.txt'), 'C')
    await symlink(outside, join(root, 'link'))
    const [source, target] = [new DirectoryTree(root), new DirectoryTree(copy)]
    expect(await syncTrees(source, target, { jobId: 'job' })).toMatchObject({ copied: 2, skipped: 1, failed: 0 })
    await writeFile(join(root, 'c.txt'), 'D')
    expect(await syncTrees(source, target, { jobId: 'job' })).toMatchObject({ copied: 1, skipped: 2, failed: 0 })
    expect(await readFile(join(copy, 'a/b.txt'), 'utf8')).toBe('B')
    expect(await readFile(join(copy, 'c.txt'), 'utf8')).toBe('D')
  })
})
