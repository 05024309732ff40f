import { createReadStream, readdirSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { CALLS, type Traced, TraceReader, WORTHLESS } from './disk/trace.ts'
import { parseLine, type Said } from './workload/said.ts'

const PUBLISHER = join(import.meta.dir, 'workload/publisher.ts')
export const DATABASE = 'milepost.db'

/** One life of a publisher. */
export interface Run {
  jobs: readonly string[]
  /** For each job; 0 for as many as it may until it is killed. */
  batches: number
  /** Kills it when it has said so many things, or that a producer gave up. */
  killAfter?: number
  /** Kills it as one of its threads changes or syncs a file for the nth time: opening and recovering begin with the first. */
  killAt?: number
  /** What strace is to do to its calls, as in `fdatasync:error=EIO:when=5..7`. */
  inject?: string
}

/** What processes did to a folder, one after another: the page cache outlives each. */
export interface Recording {
  /** What was known before, and what the files held. */
  before: Said[]
  base: Map<string, Uint8Array>
  traced: Traced[]
  /** What the files held at the end, for whoever kept the machine running. */
  files: Map<string, Uint8Array>
}

/** Files by their names that a recording goes on with, what was said until then, and how many runs that took. */
export interface Earlier {
  image: Map<string, Uint8Array>
  said: Said[]
}

/** Why nothing can be recorded here; nothing where it can. */
export const missing = Bun.which('strace') === null ? 'strace is not installed' : undefined

/** Where files are quick to write: nothing of them has to last. */
export const SCRATCH = readdirSync('/dev').includes('shm') ? '/dev/shm' : tmpdir()

const CHANGES = 'pwrite64,fsync,fdatasync,ftruncate,unlink,rename'

/** Runs publishers one after another in a folder that is empty or has what a power cut left, and records them. */
export async function record(
  runs: readonly Run[],
  earlier: Earlier = { image: new Map(), said: [] },
): Promise<Recording> {
  const scratch = await realpath(await mkdtemp(join(SCRATCH, 'milepost-recording-')))
  const folder = join(scratch, 'data')
  await mkdir(folder)
  try {
    await writeFiles(folder, earlier.image)
    const base = readFiles(folder)
    const reader = new TraceReader(folder)
    const first = 1 + earlier.said.filter(({ say }) => say === 'started').length
    for (const [index, run] of runs.entries()) {
      const trace = join(scratch, `${index}.trace`)
      await publish(join(folder, DATABASE), first + index, run, trace)
      for await (const line of createInterface(createReadStream(trace, 'latin1'))) reader.take(line)
      reader.takeCutOff((path, offset, data) => {
        return Buffer.compare(readFileSync(path).subarray(offset, offset + data.length), data) === 0
      })
      await rm(trace)
    }
    return { before: earlier.said, base, traced: reader.traced, files: readFiles(folder) }
  } finally {
    await rm(scratch, { recursive: true })
  }
}

/** Writes files into a folder. */
export async function writeFiles(folder: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  for (const [name, content] of files) await Bun.write(join(folder, name), content)
}

/**
 * Runs a publisher to its end, or until it is killed.
 *
 * @param number of the run, from 1
 * @param trace where strace is to write what it does; it has to know nothing of it otherwise
 * @returns all that it said
 */
export async function publish(path: string, number: number, run: Run, trace?: string): Promise<Said[]> {
  const { jobs, batches, killAfter = Number.POSITIVE_INFINITY, killAt, inject } = run
  const kill = killAt === undefined ? [] : [`--inject=${CHANGES}:signal=SIGKILL:when=${killAt}`]
  const injected = [...kill, ...(inject === undefined ? [] : [`--inject=${inject}`])]
  const calls = trace === undefined ? CHANGES : CALLS.join()
  // With `--seccomp-bpf` strace (6.1) injects errors and delays, but no signals.
  const speed = killAt === undefined ? ['--seccomp-bpf'] : []
  const options = ['-f', '-qq', ...speed, '-y', '-s', '16777216', '-o', trace ?? '/dev/null', `--trace=${calls}`]
  const strace = trace === undefined && injected.length === 0 ? [] : ['strace', ...options, ...injected]
  const command = [...strace, process.execPath, PUBLISHER, path, `${number}`, `${batches}`, ...jobs]
  const child = Bun.spawn(command, { stdio: ['ignore', 'pipe', 'pipe'] })
  const errors = new Response(child.stderr).text()
  const said: Said[] = []
  let isKilled = false
  let rest = ''
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    said.push(...lines.map(parseLine))
    const isDue = said.length >= killAfter || (run.killAfter !== undefined && said.some(({ say }) => say === 'gave up'))
    if (isKilled || !isDue || said[0]?.say !== 'started') continue
    // What runs it ends with it.
    process.kill(said[0].pid, 'SIGKILL')
    isKilled = true
  }
  await child.exited
  const wasKilled = child.signalCode === 'SIGKILL' || child.exitCode === 128 + 9
  if (!wasKilled && child.exitCode !== 0) throw new Error(`The publisher failed: ${await errors}`)
  return said
}

/** All files of a folder by their paths, but for those of which nothing has to last. */
export function readFiles(folder: string): Map<string, Uint8Array> {
  const names = readdirSync(folder).filter((name) => !WORTHLESS.test(name))
  return new Map(names.map((name) => [join(folder, name), new Uint8Array(readFileSync(join(folder, name)))]))
}
