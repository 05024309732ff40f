import { parseLine, type Said } from '../workload/said.ts'

/** What a process did to the files of a folder, and what it said, in the order in which it happened. */
export type Traced =
  | { kind: 'open'; path: string; truncates: boolean }
  | { kind: 'write'; path: string; offset: number; data: Uint8Array }
  | { kind: 'truncate'; path: string; size: number }
  | { kind: 'unlink'; path: string }
  | { kind: 'rename'; path: string; to: string }
  /** A sync begins; `id` tells which one ends. */
  | { kind: 'sync'; path: string; id: number }
  | { kind: 'synced'; id: number; isDone: boolean }
  | { kind: 'said'; said: Said }

/** The calls that change files or make them last. The first ones are understood; a trace in which another touches the folder is refused. */
export const CALLS = [
  ...['write', 'pwrite64', 'fsync', 'fdatasync', 'ftruncate', 'open', 'openat', 'unlink', 'unlinkat', 'rename'],
  ...['writev', 'pwritev', 'pwritev2', 'truncate', 'fallocate', 'renameat', 'renameat2', 'creat', 'link', 'linkat'],
  ...['copy_file_range', 'sendfile', 'sync_file_range', 'io_uring_setup'],
]

const CALL = /^([a-z0-9_]+)\(/
const RESUMED = /^<\.\.\. [a-z0-9_]+ resumed>/
const UNFINISHED = ' <unfinished ...>'
const FILE = /^\d+<([^>]*)>(\(deleted\))?/
/** Memory that processes share, and room that is kept: nothing in them has to last. */
export const WORTHLESS = /-(shm|reserve)$/
const QUOTED = /"([^"]*)"/g

/** Reads what `strace -f -y` wrote, line by line. */
export class TraceReader {
  readonly traced: Traced[] = []
  readonly #folder: string
  /** Calls that have begun and not ended, by thread. */
  readonly #open = new Map<string, string>()
  readonly #syncs = new Map<string, number>()
  #said = ''
  #count = 0

  /** @param folder whose files count */
  constructor(folder: string) {
    this.#folder = folder
  }

  /** @param line `PID CALL(ARGUMENTS) = RESULT`, or the first or the last part of one */
  take(line: string): void {
    const space = line.indexOf(' ')
    const thread = line.slice(0, space)
    const text = line.slice(space).trimStart()
    const begun = this.#open.get(thread)
    if (text.startsWith('<...')) {
      if (begun === undefined) return
      this.#open.delete(thread)
      this.#end(thread, begun + text.replace(RESUMED, ''))
    } else if (this.#concerns(text)) {
      this.#begin(thread, text)
      if (text.endsWith(UNFINISHED)) this.#open.set(thread, text.slice(0, -UNFINISHED.length))
      else this.#end(thread, text)
    }
  }

  /** Takes writes of which the process was killed before it knew how they ended, if they did. */
  takeCutOff(isThere: (path: string, offset: number, data: Uint8Array) => boolean): void {
    for (const text of this.#open.values()) {
      const write = text.startsWith('pwrite64(') ? writeOf(text) : undefined
      if (write && isThere(write.path, write.offset, write.data)) this.traced.push({ kind: 'write', ...write })
    }
    this.#open.clear()
  }

  #concerns(text: string): boolean {
    const name = CALL.exec(text)?.[1]
    if (name === undefined) return false
    const file = FILE.exec(text.slice(name.length + 1))?.[1]
    if (name === 'write' && text.startsWith('write(1<')) return true
    if (file !== undefined) return `${file}/`.startsWith(`${this.#folder}/`) && !WORTHLESS.test(file)
    const path = /"([^"]*)"/.exec(text)?.[1] ?? ''
    return path.startsWith(`${this.#folder}/`) && !WORTHLESS.test(path)
  }

  #begin(thread: string, text: string): void {
    // What is said is true when it is said, and a sync covers what was written before it began.
    if (text.startsWith('write(1<')) this.#take(unquote(text.slice(text.indexOf('"') + 1, text.lastIndexOf('"'))))
    else if (text.startsWith('fsync(') || text.startsWith('fdatasync(')) {
      const path = fileOf(text)
      this.#count += 1
      this.#syncs.set(thread, this.#count)
      this.traced.push({ kind: 'sync', path, id: this.#count })
    }
  }

  #end(thread: string, text: string): void {
    const name = CALL.exec(text)?.[1] ?? ''
    const result = text.slice(text.lastIndexOf(' = ') + 3)
    // The process was killed in it.
    if (result.startsWith('?')) {
      this.#open.set(thread, text)
      return
    }
    const id = this.#syncs.get(thread)
    if (name.endsWith('sync') && id !== undefined) {
      this.#syncs.delete(thread)
      this.traced.push({ kind: 'synced', id, isDone: result.startsWith('0') })
    }
    if (result.startsWith('-1') || text.startsWith('write(1<') || name.endsWith('sync')) return
    const traced = understand(name, text, result)
    // A file that has no name any more is lost with the process.
    if (traced && !traced.path.endsWith('(deleted)')) this.traced.push(traced)
  }

  #take(bytes: Uint8Array): void {
    this.#said += new TextDecoder().decode(bytes)
    const lines = this.#said.split('\n')
    this.#said = lines.pop() ?? ''
    for (const line of lines) this.traced.push({ kind: 'said', said: parseLine(line) })
  }
}

type Change = Exclude<Traced, { kind: 'sync' | 'synced' | 'said' }>

function understand(name: string, text: string, result: string): Change | undefined {
  if (name === 'pwrite64') return { kind: 'write', ...writeOf(text) }
  if (name === 'ftruncate') return { kind: 'truncate', path: fileOf(text), size: Number(/, (\d+)\)/.exec(text)?.[1]) }
  const [path = '', to = ''] = [...text.matchAll(QUOTED)].map(([, quoted]) => quoted ?? '')
  if (name === 'open' || name === 'openat') {
    const isMade = text.includes('O_CREAT') || text.includes('O_TRUNC')
    return isMade ? { kind: 'open', path: fileOf(result), truncates: text.includes('O_TRUNC') } : undefined
  }
  if (name === 'unlink') return { kind: 'unlink', path }
  if (name === 'rename') return { kind: 'rename', path, to }
  throw new Error(`A call that is not understood: ${text.slice(0, 300)}`)
}

function fileOf(text: string): string {
  const [, path, deleted = ''] = FILE.exec(text.slice(text.indexOf('(') + 1)) ?? []
  if (path === undefined) throw new Error(`Names no file: ${text.slice(0, 300)}`)
  return path + deleted
}

function writeOf(text: string): { path: string; offset: number; data: Uint8Array } {
  const end = text.lastIndexOf('"')
  const [, length, offset] = /^, (\d+), (\d+)/.exec(text.slice(end + 1)) ?? []
  const data = unquote(text.slice(text.indexOf('"') + 1, end))
  if (data.length !== Number(length)) throw new Error(`Cut short: ${text.slice(0, 300)}`)
  return { path: fileOf(text), offset: Number(offset), data }
}

const NAMED: Record<string, number> = { n: 10, t: 9, r: 13, v: 11, f: 12, '"': 34, '\\': 92 }

/** Text as strace quotes it: octal numbers of up to three digits, and the escapes of C. */
export function unquote(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  let length = 0
  for (let at = 0; at < text.length; at++) {
    let code = text.charCodeAt(at)
    if (code === 92) {
      at += 1
      const named = NAMED[text[at] ?? '']
      if (named !== undefined) code = named
      else {
        code = text.charCodeAt(at) - 48
        for (let digits = 1; digits < 3; digits++) {
          const digit = text.charCodeAt(at + 1) - 48
          if (!(digit >= 0 && digit <= 7)) break
          code = code * 8 + digit
          at += 1
        }
      }
    }
    bytes[length++] = code
  }
  return bytes.slice(0, length)
}
