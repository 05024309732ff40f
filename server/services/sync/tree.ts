import { formatBytes } from '../kit/amounts.ts'
import { pathProblem } from '../kit/path-problem.ts'

/** One file of a tree. */
export interface TreeEntry {
  /** Relative, parts separated by `/`. See {@link pathProblem}. */
  path: string
  /** Bytes. */
  size: number
  /** Why it can't be copied: a link, a socket, a folder that can't be read. */
  unsupported?: string
}

/** Permission bits (`chmod`) of a file, and of each folder on its path. */
export interface FileModes {
  file: number
  folders: readonly number[]
}

/** An open file. */
export interface TreeFile {
  content: ReadableStream<Uint8Array>
  /** Omitted where files have no modes. */
  modes?: FileModes
}

/** Files under paths: a directory, an upload, a bucket. */
export interface Tree {
  /** A name for people. */
  readonly name: string
  list(): AsyncIterable<TreeEntry>
  /** MUST refuse a path that leads out of the tree. */
  read(path: string): Promise<TreeFile>
  /**
   * Writes a file atomically: readers see the old file until `content` has ended without an error. MUST refuse a path that leads out of
   * the tree. A tree with modes applies them to the file and to new folders.
   */
  write(path: string, content: ReadableStream<Uint8Array>, modes?: FileModes): Promise<void>
}

/** A failure that a retry can't fix. Its message is for the user. */
export class TreeRefusal extends Error {
  override readonly name = 'TreeRefusal'
}

/** Limits of a {@link MemoryTree}: bytes. */
interface MemoryTreeLimits {
  treeBytes: number
  fileBytes: number
}

/** A file of a tree in memory. */
type Content = Pick<Blob, 'size' | 'stream'>

/** Kept as chunks: joining them would copy all at once. */
function streamOf(chunks: readonly Uint8Array<ArrayBuffer>[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  const rest = chunks.values()
  return new ReadableStream({
    pull(controller) {
      const { value, done } = rest.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
  })
}

/** A tree in memory: an upload, and what is written to it. */
export class MemoryTree implements Tree {
  readonly name: string
  readonly #limits: MemoryTreeLimits
  readonly #files = new Map<string, Content>()
  #bytes = 0

  /** @param files by path; the limits apply to later writes */
  constructor(name: string, files: Iterable<readonly [path: string, content: Blob]>, limits: MemoryTreeLimits) {
    this.name = name
    this.#limits = limits
    for (const [path, content] of files) {
      this.#check(path)
      this.#bytes += content.size
      this.#files.set(path, content)
    }
  }

  async *list(): AsyncGenerator<TreeEntry> {
    for (const [path, { size }] of this.#files) yield { path, size }
  }

  async read(path: string): Promise<TreeFile> {
    const file = this.#files.get(path)
    if (!file) throw new TreeRefusal('It is not there')
    return { content: file.stream() }
  }

  async write(path: string, content: ReadableStream<Uint8Array>): Promise<void> {
    this.#check(path)
    const { fileBytes, treeBytes } = this.#limits
    const chunks: Uint8Array<ArrayBuffer>[] = []
    let size = 0
    try {
      for await (const chunk of content) {
        size += chunk.byteLength
        this.#bytes += chunk.byteLength
        if (size > fileBytes) throw new TreeRefusal(`“${this.name}” takes no file over ${formatBytes(fileBytes)}`)
        if (this.#bytes > treeBytes)
          throw new TreeRefusal(`“${this.name}” is full: it holds ${formatBytes(treeBytes)} at most`)
        chunks.push(new Uint8Array(chunk))
      }
    } catch (error) {
      this.#bytes -= size
      throw error
    }
    this.#bytes -= this.#files.get(path)?.size ?? 0
    this.#files.set(path, { size, stream: () => streamOf(chunks) })
  }

  #check(path: string): void {
    const problem = pathProblem(path)
    if (problem) throw new TreeRefusal(`The path ${problem}`)
  }
}
