import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { basename, join, resolve, sep } from 'node:path'
import { pathProblem, type Tree, type TreeEntry, TreeRefusal } from '../services/tree.ts'

const CHUNK = 64 * 1024
/** What is being written. Neither listed nor seen by anyone who looks for the file. */
const UNFINISHED = /^\.milepost-[0-9a-f]{16}\.part$/

/** What the system says, in words for the one who can do something about it. Trying again would not help. */
const REFUSALS: Record<string, string> = {
  EACCES: 'There is no permission for it',
  EPERM: 'There is no permission for it',
  EROFS: 'The disk can only be read',
  ENOSPC: 'The disk is full',
  EDQUOT: 'The quota of disk space is used up',
  EFBIG: 'It is larger than the disk takes',
  ENAMETOOLONG: 'Its name is longer than the disk takes',
  EILSEQ: 'Its name has characters that the disk does not take',
  ENOENT: 'It is not there',
  ENOTDIR: 'A part of its path is a file',
  EISDIR: 'A folder has its name',
  ENOTEMPTY: 'A folder has its name',
  EEXIST: 'A folder has its name',
  ELOOP: 'It is a symbolic link, which is not followed',
}

/**
 * A directory. Regular files are its files; symbolic links are listed and never followed, not even in the middle of a path, so nothing
 * outside is read or written. (Whoever can swap folders for links while a sync runs can do more than that already.)
 */
export class DirectoryTree implements Tree {
  readonly name: string
  readonly #root: string

  constructor(path: string) {
    this.#root = resolve(path)
    this.name = basename(this.#root) || this.#root
  }

  async *list(): AsyncGenerator<TreeEntry> {
    yield* this.#listFolder('')
  }

  async read(path: string): Promise<ReadableStream<Uint8Array>> {
    return inWords(async () => {
      const file = await open(await this.#resolve(path, false), constants.O_RDONLY | constants.O_NOFOLLOW)
      return streamOf(file)
    })
  }

  /** Writes beside the file, waits until the disk has it, and then renames: a copy that was cut short, even by a power cut, is never seen. */
  async write(path: string, content: ReadableStream<Uint8Array>): Promise<void> {
    await inWords(async () => {
      const destination = await this.#resolve(path, true)
      const unfinished = join(destination, '..', `.milepost-${randomBytes(8).toString('hex')}.part`)
      try {
        const file = await open(unfinished, 'wx')
        try {
          for await (const chunk of content) await file.writeFile(chunk)
          await file.sync()
        } finally {
          await file.close()
        }
        await rename(unfinished, destination)
      } catch (error) {
        await rm(unfinished, { force: true })
        throw error
      }
    })
  }

  async *#listFolder(folder: string): AsyncGenerator<TreeEntry> {
    const names = await inWords(() => readdir(join(this.#root, folder)), `${folder || this.name}: `)
    for (const name of names.sort()) {
      if (UNFINISHED.test(name)) continue
      const path = folder === '' ? name : `${folder}/${name}`
      const found = await lstat(join(this.#root, path)).catch(() => undefined)
      // Gone since: it is as if it had gone before.
      if (!found) continue
      if (found.isDirectory()) yield* this.#listFolder(path)
      else if (found.isFile()) yield { path, size: found.size }
      else yield { path, size: 0, unsupported: found.isSymbolicLink() ? 'A symbolic link, not followed' : 'Not a file' }
    }
  }

  /** Where a path of the tree is on the disk, once every folder on the way is seen to be one, or made. */
  async #resolve(path: string, make: boolean): Promise<string> {
    const problem = pathProblem(path) ?? (sep === '\\' && /[\\:]/.test(path) ? 'has a \\ or a colon in it' : undefined)
    if (problem) throw new TreeRefusal(`The path ${problem}`)
    const folders = path.split('/')
    const name = folders.pop() ?? ''
    let place = this.#root
    for (const folder of folders) {
      place = join(place, folder)
      if (make) await makeFolder(place)
      if (!(await lstat(place)).isDirectory()) throw new TreeRefusal(`“${folder}” in its path is a link or a file`)
    }
    return join(place, name)
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  }
}

function streamOf(file: FileHandle): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const { buffer, bytesRead } = await file.read(new Uint8Array(CHUNK), 0, CHUNK, null).catch(async (error) => {
        await file.close()
        throw error
      })
      if (bytesRead > 0) return controller.enqueue(buffer.subarray(0, bytesRead))
      await file.close()
      controller.close()
    },
    cancel: () => file.close(),
  })
}

/** Does something with files, and says in words why it can't be done. */
async function inWords<T>(work: () => Promise<T>, about = ''): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const words = REFUSALS[codeOf(error) ?? '']
    throw words === undefined ? error : new TreeRefusal(about + words)
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}
