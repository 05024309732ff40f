import { randomBytes } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { type FileHandle, lstat, open, rename, unlink } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { pathProblem } from '../services/kit/path-problem.ts'
import { type FileModes, type Tree, type TreeEntry, type TreeFile, TreeRefusal } from '../services/sync/tree.ts'
import { OpenFolder } from './open-folder.ts'
import { codeOf, inWords } from './refusals.ts'

const CHUNK = 64 * 1024
/** Deepest nesting of folders. Deeper ones are left out, because every folder on the way is opened for each file. */
const MAX_DEPTH = 100
/** Names of unfinished files, which are not listed. */
const UNFINISHED = /^\.milepost-[0-9a-f]{16}\.part$/

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY, O_WRONLY, O_CREAT, O_EXCL } = constants
/** O_NONBLOCK, because opening a pipe that replaced a file would otherwise block until someone writes to it. */
const READ = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
const WRITE = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW

/**
 * A directory on the disk. Symbolic links are listed and never followed; pipes, sockets and devices are never opened. Each folder on a path
 * is opened relative to its open parent, so nothing outside is read or written even while others replace folders and files by links.
 */
export class DirectoryTree implements Tree {
  readonly name: string
  readonly #root: OpenFolder

  private constructor(path: string, root: OpenFolder) {
    this.name = basename(path) || path
    this.#root = root
  }

  /** Opens a directory, which may be moved afterwards. Close it with `await using`. @throws TreeRefusal for a link or an unreadable one */
  static async open(path: string): Promise<DirectoryTree> {
    const absolute = resolve(path)
    return inWords(async () => {
      if ((await lstat(absolute)).isSymbolicLink()) throw new TreeRefusal('It is a symbolic link: name its target')
      return new DirectoryTree(absolute, await OpenFolder.open(absolute))
    }, `${path}: `)
  }

  /** Permission bits of the directory itself. */
  get mode(): number {
    return this.#root.mode
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#root[Symbol.asyncDispose]()
  }

  async *list(): AsyncGenerator<TreeEntry> {
    yield* this.#listFolder([])
  }

  async read(path: string): Promise<TreeFile> {
    const { folders, name } = parse(path)
    return inWords(async () => {
      await using way = await this.#enter(folders)
      const at = way.folder.at(name)
      // Checked first: merely opening a device may have side effects.
      requireFile(await lstat(at))
      const file = await open(at, READ)
      try {
        const { mode, size } = requireFile(await file.stat())
        return { content: streamOf(file, size), modes: { file: mode & 0o777, folders: way.modes } }
      } catch (error) {
        await file.close()
        throw error
      }
    })
  }

  /** Writes to a temporary file, syncs it and renames it, so that a partial copy is never visible, even after a power cut. */
  async write(path: string, content: ReadableStream<Uint8Array>, modes?: FileModes): Promise<void> {
    const { folders, name } = parse(path)
    await inWords(async () => {
      await using way = await this.#enter(folders, modes?.folders ?? [])
      const unfinished = way.folder.at(`.milepost-${randomBytes(8).toString('hex')}.part`)
      const file = await open(unfinished, WRITE, modes ? 0o600 : 0o666)
      try {
        try {
          for await (const chunk of content) await file.writeFile(chunk)
          if (modes) await keepMode(file, modes.file)
          await file.sync()
        } finally {
          await file.close()
        }
        await rename(unfinished, way.folder.at(name))
      } catch (error) {
        await unlink(unfinished).catch(() => {})
        throw error
      }
    })
  }

  async *#listFolder(parts: readonly string[]): AsyncGenerator<TreeEntry> {
    const path = parts.join('/')
    const entries = await this.#look(parts).catch((error: unknown) => {
      if (parts.length === 0 || !(error instanceof TreeRefusal)) throw error
      return error.message
    })
    if (typeof entries === 'string') return yield { path, size: 0, unsupported: entries }
    for (const [name, found] of entries) {
      const inner = [...parts, name]
      const entry = { path: inner.join('/'), size: 0 }
      if (found === undefined) yield { ...entry, unsupported: 'Its name is not UTF-8' }
      else if (found.isFile()) yield { ...entry, size: found.size }
      else if (!found.isDirectory()) yield { ...entry, unsupported: kindOf(found) }
      else if (inner.length > MAX_DEPTH) yield { ...entry, unsupported: `It is more than ${MAX_DEPTH} folders deep` }
      else yield* this.#listFolder(inner)
    }
  }

  /** The entries of a folder, by name. Closes the folder before it returns, so that few are open however deep the tree is. */
  async #look(parts: readonly string[]): Promise<[name: string, found: Stats | undefined][]> {
    return inWords(async () => {
      const entries: [string, Stats | undefined][] = []
      await using way = await this.#enter(parts)
      for (const name of (await way.folder.names()).sort()) {
        if (UNFINISHED.test(name)) continue
        const found = await lstat(way.folder.at(name)).catch((error: unknown) => {
          if (codeOf(error) === 'ENOENT') return undefined
          throw error
        })
        // Skip an entry deleted meanwhile, but not a name that is not UTF-8, whose decoded form can't be found either.
        if (found || name.includes('\uFFFD')) entries.push([name, found])
      }
      return entries
    })
  }

  /**
   * Opens nested folders, each relative to its parent.
   *
   * @param makeWith modes for creating missing folders; without it none is created
   */
  async #enter(names: readonly string[], makeWith?: readonly number[]): Promise<Way> {
    const modes: number[] = []
    let folder = this.#root
    const leave = async (last: OpenFolder) => {
      if (last !== this.#root) await last[Symbol.asyncDispose]()
    }
    for (const [depth, name] of names.entries()) {
      const before = folder
      try {
        // Writing files into the folder needs the owner's three bits.
        folder = await before.enter(name, makeWith && (makeWith[depth] ?? 0o777) | 0o700)
      } catch (error) {
        if (!['ENOTDIR', 'ELOOP'].includes(codeOf(error) ?? '')) throw error
        throw new TreeRefusal(`“${name}” in its path is a link or a file`)
      } finally {
        await leave(before)
      }
      modes.push(folder.mode)
    }
    return { folder, modes, [Symbol.asyncDispose]: () => leave(folder) }
  }
}

/** An opened folder, and the modes of all folders on its path, its own last. */
interface Way extends AsyncDisposable {
  folder: OpenFolder
  modes: number[]
}

/** @throws TreeRefusal for an invalid path, or one that leaves the tree */
function parse(path: string): { folders: string[]; name: string } {
  const problem = pathProblem(path)
  if (problem) throw new TreeRefusal(`The path ${problem}`)
  const folders = path.split('/')
  return { name: folders.pop() ?? '', folders }
}

function requireFile(found: Stats): Stats {
  if (found.isFile()) return found
  throw new TreeRefusal(found.isSymbolicLink() ? 'It is a symbolic link, which is not followed' : 'It is not a file')
}

function kindOf(found: Stats): string {
  if (found.isSymbolicLink()) return 'A symbolic link, not followed'
  if (found.isFIFO()) return 'A pipe, not a file'
  if (found.isSocket()) return 'A socket, not a file'
  return 'A device, not a file'
}

/** Sets the mode. Ignores file systems without modes. */
async function keepMode(file: FileHandle, mode: number): Promise<void> {
  await file.chmod(mode).catch((error: unknown) => {
    if (!['EPERM', 'ENOTSUP'].includes(codeOf(error) ?? '')) throw error
  })
}

/** @param size bytes when the file was opened; a file that grows is refused, since it might never end */
function streamOf(file: FileHandle, size: number): ReadableStream<Uint8Array> {
  let left = size
  return new ReadableStream({
    async pull(controller) {
      const { buffer, bytesRead } = await file.read(new Uint8Array(CHUNK), 0, CHUNK, null).catch(async (error) => {
        await file.close()
        throw error
      })
      left -= bytesRead
      if (bytesRead > 0 && left >= 0) return controller.enqueue(buffer.subarray(0, bytesRead))
      await file.close()
      if (left < 0) throw new TreeRefusal('It changed while it was being read')
      controller.close()
    },
    cancel: () => file.close(),
  })
}
