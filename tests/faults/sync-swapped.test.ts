import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DirectoryTree } from '../../server/cli/directory-tree.ts'
import { syncTrees } from '../../server/services/sync/sync.ts'

const ROUNDS = 12
const FILES = 25
const WRITES = 1_000

let folder: string
const at = (path: string) => join(folder, path)

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'milepost-swapped-'))
  const folders = ['source/a/b', 'source/c', 'parked', 'outside/b', 'target/a/b', 'elsewhere/b']
  for (const path of folders) await mkdir(at(path), { recursive: true })
  for (let i = 0; i < FILES; i++) {
    await writeFile(at(`source/a/f${i}`), `inside ${i}`)
    await writeFile(at(`source/a/b/f${i}`), `inside ${i}`)
    // Of the same names and sizes, so that nothing but where they are tells them apart.
    await writeFile(at(`outside/f${i}`), `SECRET ${i}`)
    await writeFile(at(`outside/b/f${i}`), `SECRET ${i}`)
  }
  await writeFile(at('source/c/f0'), 'inside 0')
  await symlink(at('outside'), at('parked/source'))
  await symlink(at('elsewhere'), at('parked/target'))
  await symlink(at('outside/f0'), at('parked/file'))
})
afterEach(() => rm(folder, { recursive: true }))

/** A process that exchanges pairs of paths all the time. */
async function startSwapper(...pairs: string[]): Promise<AsyncDisposable> {
  const command = [process.execPath, 'tests/support/swapper.ts', ...pairs.map(at)]
  const child = Bun.spawn(command, { stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' })
  const { done } = await child.stdout.getReader().read()
  if (done) throw new Error('The swapper did not begin')
  return {
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await child.exited
    },
  }
}

async function sync(target: string): Promise<void> {
  await mkdir(at(target), { recursive: true })
  await using from = await DirectoryTree.open(at('source'))
  await using to = await DirectoryTree.open(at(target))
  // That nothing could be copied is well possible here.
  await syncTrees(from, to, { jobId: 'job', retries: 0 }).catch(() => {})
}

/** Every file under a folder, links not followed, with what is in it. */
async function filesUnder(path: string): Promise<Record<string, string>> {
  const entries = await readdir(at(path), { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return Object.fromEntries(await Promise.all(files.map(async (file) => [file, await readFile(file, 'utf8')])))
}

describe('milepost sync', () => {
  test('sync brings in nothing from outside while folders and files are exchanged for links', async () => {
    let copied = 0
    {
      await using _swapper = await startSwapper('source/a', 'parked/source', 'source/c/f0', 'parked/file')
      for (let round = 0; round < ROUNDS; round++) await sync(`copy-${round}`)
    }
    for (let round = 0; round < ROUNDS; round++) {
      const files = Object.values(await filesUnder(`copy-${round}`))
      copied += files.length
      expect(files.filter((text) => !text.startsWith('inside'))).toEqual([])
    }
    // Else nothing was tried.
    expect(copied).toBeGreaterThan(0)
  })

  test('sync writes nothing outside while folders of the target are exchanged for links', async () => {
    const outcomes = { written: 0, refused: 0 }
    await using target = await DirectoryTree.open(at('target'))
    {
      await using _swapper = await startSwapper('target/a', 'parked/target')
      for (let i = 0; i < WRITES; i++) {
        const write = target.write(`a/b/f${i}`, new Blob(['inside']).stream())
        await write.then(
          () => (outcomes.written += 1),
          () => (outcomes.refused += 1),
        )
      }
    }
    expect(await filesUnder('elsewhere')).toEqual({})
    // Else nothing was tried.
    expect([outcomes.written > 0, outcomes.refused > 0]).toEqual([true, true])
  })
})
