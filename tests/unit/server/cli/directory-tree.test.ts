import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import {
  appendFile,
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DirectoryTree } from '../../../../server/cli/directory-tree.ts'
import { syncTrees } from '../../../../server/services/sync/sync.ts'
import { TreeRefusal } from '../../../../server/services/sync/tree.ts'
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

/** A socket at a path, which nobody but the listing ever looks at. */
async function listenOn(path: string): Promise<AsyncDisposable> {
  const server = Bun.listen({ unix: path, socket: { data() {} } })
  return { [Symbol.asyncDispose]: async () => server.stop() }
}

const bytes = (text: string) => new TextEncoder().encode(text)
const textOf = async (tree: DirectoryTree, path: string) => new Response((await tree.read(path)).content).text()

describe('DirectoryTree', () => {
  test('DirectoryTree lists regular files by name, and says of links that they are not followed', async () => {
    await mkdir(join(root, 'b/c'), { recursive: true })
    await writeFile(join(root, 'b/c/d.txt'), 'four')
    await writeFile(join(root, 'a.txt'), '1')
    await writeFile(join(root, '.milepost-0123456789abcdef.part'), 'unfinished')
    await symlink(outside, join(root, 'link'))
    await using tree = await DirectoryTree.open(root)
    expect(await Array.fromAsync(tree.list())).toEqual([
      { path: 'a.txt', size: 1 },
      { path: 'b/c/d.txt', size: 4 },
      { path: 'link', size: 0, unsupported: 'A symbolic link, not followed' },
    ])
  })

  test('DirectoryTree says which folder can not be listed', async () => {
    await expect(DirectoryTree.open(join(root, 'nowhere'))).rejects.toThrow('nowhere: It is not there')
  })

  test('DirectoryTree reads and writes files of any length, making folders on the way', async () => {
    await using tree = await DirectoryTree.open(root)
    const content = 'x'.repeat(200_000)
    await tree.write('a/b/c.txt', streamOf(bytes(content), 1_000))
    expect(await textOf(tree, 'a/b/c.txt')).toBe(content)
    await tree.write('a/b/c.txt', streamOf(bytes('')))
    expect(await textOf(tree, 'a/b/c.txt')).toBe('')
    expect(await readdir(join(root, 'a/b'))).toEqual(['c.txt'])
  })

  test('DirectoryTree shows nothing of a copy that is cut short, and keeps nothing of it', async () => {
    await using tree = await DirectoryTree.open(root)
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
    await using tree = await DirectoryTree.open(root)
    for (const path of ['../outside/secret', '/etc/passwd', 'a/../../outside/secret', '..', '', 'a\0']) {
      await expect(tree.read(path)).rejects.toThrow(TreeRefusal)
      await expect(tree.write(path, streamOf(bytes('x')))).rejects.toThrow(TreeRefusal)
    }
    expect(await readFile(join(outside, 'secret'), 'utf8')).toBe('secret')
    expect((await readdir(join(root, '..'))).toSorted()).toEqual(['outside', 'root'])
  })

  test('DirectoryTree follows no link out of it, at the end of a path or in its middle', async () => {
    await using tree = await DirectoryTree.open(root)
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
    await using tree = await DirectoryTree.open(root)
    await mkdir(join(root, 'folder'))
    await writeFile(join(root, 'file'), '')
    const write = (path: string) => tree.write(path, streamOf(bytes('x')))
    await expect(write('n'.repeat(300))).rejects.toThrow(new TreeRefusal('Its name is too long for the file system'))
    await expect(write('folder')).rejects.toThrow(new TreeRefusal('A folder has its name'))
    await expect(write('file/x')).rejects.toThrow(new TreeRefusal('“file” in its path is a link or a file'))
    await expect(tree.read('nowhere')).rejects.toThrow(new TreeRefusal('It is not there'))
    expect((await readdir(root)).toSorted()).toEqual(['file', 'folder'])
  })

  test('DirectoryTree keeps the modes of files, and of folders that it makes', async () => {
    const copy = join(root, '../copy')
    await mkdir(copy)
    await mkdir(join(root, 'private'), { mode: 0o700 })
    await writeFile(join(root, 'private/run'), 'x')
    await chmod(join(root, 'private/run'), 0o751)
    await writeFile(join(root, 'key'), 'k')
    await chmod(join(root, 'key'), 0o400)
    await using source = await DirectoryTree.open(root)
    await using target = await DirectoryTree.open(copy)
    const modes = async () => {
      const paths = ['private', 'private/run', 'key']
      return Promise.all(paths.map(async (path) => ((await stat(join(copy, path))).mode & 0o7777).toString(8)))
    }
    await syncTrees(source, target, { jobId: 'job' })
    expect(await modes()).toEqual(['700', '751', '400'])
    // A mode is a difference too.
    await chmod(join(root, 'key'), 0o440)
    expect(await syncTrees(source, target, { jobId: 'job' })).toMatchObject({ copied: 1, skipped: 1 })
    expect(await modes()).toEqual(['700', '751', '440'])
  })

  test('DirectoryTree opens no pipe and no socket, and hangs on none, in the source or in the target', async () => {
    const copy = join(root, '../copy')
    await mkdir(copy)
    const pipes = [join(root, 'pipe'), join(copy, 'file')]
    expect(Bun.spawnSync(['mkfifo', ...pipes]).exitCode).toBe(0)
    await using _server = await listenOn(join(root, 'socket'))
    await writeFile(join(root, 'file'), '')
    await using source = await DirectoryTree.open(root)
    await using target = await DirectoryTree.open(copy)
    expect(await Array.fromAsync(source.list())).toEqual([
      { path: 'file', size: 0 },
      { path: 'pipe', size: 0, unsupported: 'A pipe, not a file' },
      { path: 'socket', size: 0, unsupported: 'A socket, not a file' },
    ])
    await expect(source.read('pipe')).rejects.toThrow(new TreeRefusal('It is not a file'))
    expect(await syncTrees(source, target, { jobId: 'job' })).toMatchObject({ copied: 1, leftOut: 2, failed: 0 })
    expect((await stat(join(copy, 'file'))).isFile()).toBe(true)
  })

  test('DirectoryTree lists what it can not look into, and the rest all the same', async () => {
    let deep = root
    for (let i = 0; i <= 100; i++) deep = join(deep, 'd')
    await mkdir(deep, { recursive: true })
    await writeFile(join(deep, 'never'), '')
    await writeFile(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff])]), '')
    await writeFile(join(root, 'z'), '')
    await using tree = await DirectoryTree.open(root)
    expect(await Array.fromAsync(tree.list())).toEqual([
      { path: Array(101).fill('d').join('/'), size: 0, unsupported: 'It is more than 100 folders deep' },
      { path: 'z', size: 0 },
      { path: '\uFFFD', size: 0, unsupported: 'Its name is not UTF-8' },
    ])
  })

  test('DirectoryTree ends with a file that grows while it is read', async () => {
    await writeFile(join(root, 'log'), 'x'.repeat(100_000))
    await using tree = await DirectoryTree.open(root)
    const { content } = await tree.read('log')
    const read = (async () => {
      for await (const _ of content) await appendFile(join(root, 'log'), 'x'.repeat(100_000))
    })()
    await expect(read).rejects.toThrow(new TreeRefusal('It changed while it was being read'))
  })

  test('DirectoryTree opens no link, and goes on in its directory when another has taken its path', async () => {
    await symlink(outside, join(root, 'link'))
    await expect(DirectoryTree.open(join(root, 'link'))).rejects.toThrow('It is a symbolic link: name its target')
    await writeFile(join(root, 'mine'), '')
    await using tree = await DirectoryTree.open(root)
    await rename(root, `${root}-moved`)
    await symlink(outside, root)
    expect((await Array.fromAsync(tree.list())).map(({ path }) => path)).toEqual(['link', 'mine'])
    await tree.write('new', streamOf(bytes('x')))
    expect([await readdir(outside), (await readdir(`${root}-moved`)).toSorted()]).toEqual([
      ['secret'],
      ['link', 'mine', 'new'],
    ])
  })

  test('DirectoryTree is synced with another one, and again when it has changed', async () => {
    const copy = join(root, '../copy')
    await mkdir(copy)
    await mkdir(join(root, 'a'))
    await writeFile(join(root, 'a/b.txt'), 'B')
    await writeFile(join(root, 'c.txt'), 'C')
    await symlink(outside, join(root, 'link'))
    await using source = await DirectoryTree.open(root)
    await using target = await DirectoryTree.open(copy)
    expect(await syncTrees(source, target, { jobId: 'job' })).toMatchObject({ copied: 2, skipped: 1, failed: 0 })
    await writeFile(join(root, 'c.txt'), 'D')
    expect(await syncTrees(source, target, { jobId: 'job' })).toMatchObject({ copied: 1, skipped: 2, failed: 0 })
    expect(await readFile(join(copy, 'a/b.txt'), 'utf8')).toBe('B')
    expect(await readFile(join(copy, 'c.txt'), 'utf8')).toBe('D')
  })
})
