import { closeSync, constants, openSync, write } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The wait before a pipe that takes nothing is written to again: milliseconds. */
const WRITE_AGAIN_MS = 5
/** How long the output may rest, once the command has ended, before it counts as complete: what the command left behind may hold it open. */
const REST_MS = 100

/** A pipe from a command to us. */
export interface Pipe {
  /** The command's end. */
  readonly fd: number
  /** Closes our copy of the command's end, once the command has it. */
  handOver(): void
  /**
   * Reads all of it, no faster than `take` takes it. Ends with the pipe, or soon after `ended`, or when `take` returns `false`: then the next
   * write of the command fails, as without us.
   */
  read(take: (bytes: Uint8Array) => Promise<boolean>, ended: Promise<unknown>): Promise<void>
}

/** Makes a pipe. Bun itself gives commands sockets, and what opens `/dev/stdout` or `/dev/stderr` fails with those. */
export async function openPipe(): Promise<Pipe> {
  const folder = await mkdtemp(join(tmpdir(), 'milepost-'))
  const path = join(folder, 'pipe')
  try {
    const made = Bun.spawnSync(['mkfifo', '-m', '600', path])
    if (!made.success) throw new Error(`mkfifo: ${made.stderr}`)
    const reading = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const fd = openSync(path, constants.O_WRONLY)
    return { fd, handOver: () => closeSync(fd), read: (take, ended) => readAll(reading, take, ended) }
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function readAll(
  fd: number,
  take: (bytes: Uint8Array) => Promise<boolean>,
  ended: Promise<unknown>,
): Promise<void> {
  const reader = Bun.file(fd).stream().getReader()
  let isOver = false
  const over = ended.then(() => {
    isOver = true
  })
  for (;;) {
    const next = reader.read()
    if (!isOver) await Promise.race([next, over])
    const read = await (isOver ? Promise.race([next, Bun.sleep(REST_MS)]) : next)
    if (!read || read.done || !(await take(read.value))) break
  }
  await reader.cancel().catch(() => {})
  // The stream has a copy of its own.
  closeSync(fd)
}

/** Writes to a file, a pipe or whatever a descriptor is. @returns `false` when nobody reads it any more */
export async function writeAll(fd: number, bytes: Uint8Array): Promise<boolean> {
  for (let from = 0; from < bytes.length; ) {
    const written = await new Promise<number | undefined>((resolve, reject) => {
      write(fd, bytes, from, (error, count) => {
        if (!error) resolve(count)
        else if (error.code === 'EAGAIN') resolve(0)
        else if (error.code === 'EPIPE') resolve(undefined)
        else reject(error)
      })
    })
    if (written === undefined) return false
    if (written === 0) await Bun.sleep(WRITE_AGAIN_MS)
    from += written
  }
  return true
}
