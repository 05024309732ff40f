import { dirname } from 'node:path'
import { type AfterFailure, CachedFile } from './cached-file.ts'
import type { Traced } from './trace.ts'

/** Which file a name stands for from a change on; none when it was deleted. A rename changes two names at once. */
export interface NameChange {
  at: number
  names: [path: string, file: CachedFile | undefined][]
}

export interface DiskOptions {
  afterFailure?: AfterFailure
  /** Syncs that are taken for not made, as by an engine that forgets them. */
  ignoresSyncOf?: (path: string) => boolean
}

/**
 * The files of a folder as processes have them, and as the disk may have them.
 *
 * A name lasts once its folder was synced; a new file's also once the file was, as file systems with a journal have it.
 */
export class Disk {
  /** As processes see them. */
  readonly files = new Map<string, CachedFile>()
  /** As the disk has them for certain. */
  readonly durable = new Map<string, CachedFile>()
  /** What the disk may have of names, or not. */
  changes: NameChange[] = []
  readonly #options: DiskOptions
  readonly #syncs = new Map<number, { path: string; file: CachedFile | undefined; before: number }>()
  #at = 0

  /** @param base what it has for certain at first, by path */
  constructor(options: DiskOptions = {}, base: ReadonlyMap<string, Uint8Array> = new Map()) {
    this.#options = options
    for (const [path, content] of base) {
      const file = new CachedFile(content)
      setName(this.files, path, file)
      setName(this.durable, path, file)
    }
  }

  /** How many changes there were. */
  get at(): number {
    return this.#at
  }

  take(traced: Traced): void {
    this.#at += 1
    if (traced.kind === 'said') return
    if (traced.kind === 'synced') {
      this.#synced(traced.id, traced.isDone)
      return
    }
    const file = this.files.get(traced.path)
    if (traced.kind === 'sync') this.#syncs.set(traced.id, { path: traced.path, file, before: this.#at })
    else if (traced.kind === 'open') {
      if (!file) this.#name([[traced.path, new CachedFile()]])
      else if (traced.truncates) file.truncate(this.#at, 0)
    } else if (traced.kind === 'unlink') this.#name([[traced.path, undefined]])
    else if (!file) throw new Error(`There is no ${traced.path}`)
    else if (traced.kind === 'write') file.write(this.#at, traced.offset, traced.data)
    else if (traced.kind === 'truncate') file.truncate(this.#at, traced.size)
    else
      this.#name([
        [traced.path, undefined],
        [traced.to, file],
      ])
  }

  #name(names: NameChange['names']): void {
    for (const [path, file] of names) setName(this.files, path, file)
    this.changes.push({ at: this.#at, names })
  }

  #synced(id: number, isDone: boolean): void {
    const sync = this.#syncs.get(id)
    this.#syncs.delete(id)
    if (!sync || (sync.file && this.#options.ignoresSyncOf?.(sync.path))) return
    const { path, file, before } = sync
    if (!isDone) {
      file?.failed(before, this.#options.afterFailure ?? 'clean')
      return
    }
    file?.synced(before)
    const isDurable = ({ at, names }: NameChange) =>
      at < before && names.some(([name, named]) => (file ? named === file : dirname(name) === path))
    for (const change of this.changes.filter(isDurable)) this.#makeDurable(change)
  }

  /** What a name stood for before is of no account any more. */
  #makeDurable({ at, names }: NameChange): void {
    for (const [path, file] of names) setName(this.durable, path, file)
    const changed = new Set(names.map(([path]) => path))
    this.changes = this.changes
      .map((change) =>
        change.at > at ? change : { ...change, names: change.names.filter(([path]) => !changed.has(path)) },
      )
      .filter((change) => change.names.length > 0)
  }
}

export function setName(names: Map<string, CachedFile>, path: string, file: CachedFile | undefined): void {
  if (file) names.set(path, file)
  else names.delete(path)
}
