import { constants } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, readdir } from 'node:fs/promises'
import { TreeRefusal } from '../services/sync/tree.ts'
import { codeOf } from './refusals.ts'

const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW

/**
 * An open directory. Operations stay in this directory even if its path is replaced meanwhile: Bun and Node have no openat(2), but Linux
 * resolves `/proc/self/fd/N/NAME` from the descriptor. Links are never followed.
 */
export class OpenFolder {
  /** Permission bits. */
  readonly mode: number
  readonly #handle: FileHandle

  private constructor(handle: FileHandle, mode: number) {
    this.#handle = handle
    this.mode = mode
  }

  /**
   * Opens a directory by its path, whose last part must not be a link.
   *
   * @throws TreeRefusal on systems without `/proc`, where links could not be excluded reliably; errors of `node:fs` when it can't be opened
   */
  static async open(path: string): Promise<OpenFolder> {
    const folder = await OpenFolder.#open(path)
    const [byHandle, byPlace] = await Promise.all([folder.#handle.stat(), lstat(folder.at('.')).catch(() => undefined)])
    if (byHandle.ino === byPlace?.ino && byHandle.dev === byPlace.dev) return folder
    await folder[Symbol.asyncDispose]()
    throw new TreeRefusal('This needs Linux with /proc, to tell links from folders reliably')
  }

  /** The path of an entry. @param name without a slash */
  at(name: string): string {
    return `/proc/self/fd/${this.#handle.fd}/${name}`
  }

  names(): Promise<string[]> {
    return readdir(this.at('.'))
  }

  /** Opens a subfolder. @param makeWith mode for creating a missing one; without it none is created */
  async enter(name: string, makeWith?: number): Promise<OpenFolder> {
    if (makeWith !== undefined) {
      await mkdir(this.at(name), { mode: makeWith }).catch((error: unknown) => {
        if (codeOf(error) !== 'EEXIST') throw error
      })
    }
    return OpenFolder.#open(this.at(name))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close()
  }

  static async #open(path: string): Promise<OpenFolder> {
    const handle = await open(path, FOLDER)
    return new OpenFolder(handle, (await handle.stat()).mode & 0o777)
  }
}
