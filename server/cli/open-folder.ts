import { constants } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, readdir } from 'node:fs/promises'
import { TreeRefusal } from '../services/sync/tree.ts'
import { codeOf } from './refusals.ts'

const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW

/**
 * An open directory. What is done in it is done in that directory, whatever others put in the place of its path meanwhile: neither Bun nor
 * Node has openat(2), but Linux resolves `/proc/self/fd/N/NAME` from the descriptor. Names are followed nowhere if they are links.
 */
export class OpenFolder {
  /** Who may do what with it. */
  readonly mode: number
  readonly #handle: FileHandle

  private constructor(handle: FileHandle, mode: number) {
    this.#handle = handle
    this.mode = mode
  }

  /**
   * Opens a directory by its path, of which the last part must be no link.
   *
   * @throws TreeRefusal where it can't be opened, and on systems without `/proc`: there nothing else would keep links out for certain
   */
  static async open(path: string): Promise<OpenFolder> {
    const folder = await OpenFolder.#open(path)
    const [byHandle, byPlace] = await Promise.all([folder.#handle.stat(), lstat(folder.at('.')).catch(() => undefined)])
    if (byHandle.ino === byPlace?.ino && byHandle.dev === byPlace.dev) return folder
    await folder[Symbol.asyncDispose]()
    throw new TreeRefusal('This needs Linux with /proc: without it links could not be told from folders for certain')
  }

  /** @param name of a file or a folder in it, without a slash */
  at(name: string): string {
    return `/proc/self/fd/${this.#handle.fd}/${name}`
  }

  names(): Promise<string[]> {
    return readdir(this.at('.'))
  }

  /** Opens a folder in this one, which is made if it is not there and `makeWith` says with which mode. */
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
