import type { JobReporter } from '../../../client/producer/job-reporter.ts'
import { defaultLimits } from '../../../shared/document/limits.ts'
import type { Clock } from '../../../shared/time/clock.ts'
import { clip } from '../../services/kit/untrusted-text.ts'
import { LogLimit } from './log-limit.ts'
import type { CommandLine, ProgressReading } from './output/reading.ts'
import { ProgressReader, type Understood } from './output/tools.ts'

/** The most bytes of a line in the log. */
const LINE_BYTES = 1_000
/** The most steps that are reported of bars inside others, and the most failures. */
const MOST_STEPS = 50
const MOST_ERRORS = 100
/** The most bytes of the last lines, with which a failed job ends. */
const LAST_BYTES = 4_000
const NUL = '\0'
/** How much output is read at once, and a second from then on: a flood must not take the processor from its command. Bytes. */
const BURST_BYTES = 262_144
const BYTES_PER_SECOND = 131_072
/** What is kept of the end of the rest: bytes. */
const TAIL_BYTES = 8_192
const LINE_FEED = 0x0a

/** How a command ended. */
interface Ending {
  exitCode: number
  /** Whether we ended it, because a watcher cancelled the job. */
  isCancelled: boolean
}

/** Reports on a command: its progress, and its lines as the log. */
export class RunReport {
  readonly #job: Pick<JobReporter, 'progress' | 'status' | 'step' | 'error' | 'log'>
  readonly #reader: ProgressReader
  readonly #limit: LogLimit
  readonly #clock: Clock
  readonly #decoders = new Map<number, TextDecoder>()
  /** Streams that are no text. */
  readonly #binary = new Set<number>()
  readonly #steps = new Map<string, string>()
  #errors = 0
  #allowed = BURST_BYTES
  #at: number
  /** The end of what was not read, by its stream. */
  readonly #tails = new Map<number, Uint8Array>()
  /** The last progress that was reported. */
  #progress = ''

  constructor(
    job: Pick<JobReporter, 'progress' | 'status' | 'step' | 'error' | 'log'>,
    command: CommandLine,
    clock: Clock,
  ) {
    this.#job = job
    this.#reader = new ProgressReader(command)
    this.#limit = new LogLimit(clock)
    this.#clock = clock
    this.#at = clock.monotonic()
  }

  /** Takes output. @param source the stream that it came from */
  take(output: Uint8Array, source: number): void {
    if (this.#binary.has(source)) return
    const now = this.#clock.monotonic()
    this.#allowed = Math.min(BURST_BYTES, this.#allowed + ((now - this.#at) / 1_000) * BYTES_PER_SECOND)
    this.#at = now
    if (this.#allowed < output.length) {
      this.#tails.set(source, output.slice(-TAIL_BYTES))
      this.#limit.skip(countLines(output))
      return
    }
    this.#allowed -= output.length
    this.#readTail(source)
    this.#read(output, source)
  }

  #read(output: Uint8Array, source: number): void {
    const decoder = this.#decoders.get(source) ?? new TextDecoder()
    this.#decoders.set(source, decoder)
    const text = decoder.decode(output, { stream: true })
    // Data has no lines: an archive that is written to a file.
    if (text.includes(NUL)) this.#binary.add(source)
    else this.#report(this.#reader.feed(text, source))
  }

  /** Reads the end of what was left out, from the first whole line on. */
  #readTail(source: number): void {
    const tail = this.#tails.get(source)
    if (!tail) return
    this.#tails.delete(source)
    const whole = tail.subarray(tail.indexOf(LINE_FEED) + 1)
    this.#limit.skip(-countLines(whole))
    this.#read(whole, source)
  }

  /** Reports the bars that wait for their next drawing. Call it now and then. */
  rest(): void {
    for (const reading of this.#reader.rest()) this.#tell(reading)
  }

  /** The command has ended. */
  end({ exitCode, isCancelled }: Ending): void {
    for (const source of this.#tails.keys()) this.#readTail(source)
    this.#report(this.#reader.end())
    for (const line of this.#limit.end()) this.#job.log({ message: line })
    const result = { exitCode }
    if (isCancelled) this.#job.status({ status: 'cancelled', result })
    else if (exitCode === 0) this.#job.status({ status: 'completed', result })
    else {
      const { last } = this.#limit
      const why = describeExit(exitCode)
      if (last.length > 0) this.#job.error({ message: endOf(last), code: `exit-${exitCode}` })
      const line = last.findLast((text) => text.trim() !== '')
      this.#job.status({ status: 'failed', message: line === undefined ? why : `${why}: ${line.trim()}`, result })
    }
  }

  #report({ readings, log }: Understood): void {
    for (const reading of readings) this.#tell(reading)
    for (const text of log) {
      for (const line of this.#limit.take(clip(text, LINE_BYTES))) this.#job.log({ message: line })
    }
  }

  #tell({ done, total, unit, message, succeeded, failed, step, error }: ProgressReading): void {
    if (step) this.#tellStep(step)
    if (error !== undefined && this.#errors++ < MOST_ERRORS) this.#job.error({ message: clip(error, LINE_BYTES) })
    if (done === undefined || !Number.isFinite(done)) return
    // `null` clears what the bar before had.
    const progress = {
      done,
      total: total ?? null,
      unit: unit === undefined ? null : clip(unit, defaultLimits.titleBytes),
      message: message === undefined ? null : clip(message, LINE_BYTES),
      succeeded: succeeded ?? null,
      failed: failed ?? null,
    }
    const text = JSON.stringify(progress)
    if (text !== this.#progress) this.#job.progress(progress)
    this.#progress = text
  }

  #tellStep({ id, done, total }: NonNullable<ProgressReading['step']>): void {
    const name = clip(id, defaultLimits.titleBytes)
    if (!this.#steps.has(name) && this.#steps.size >= MOST_STEPS) return
    const status = total !== undefined && done >= total ? 'succeeded' : 'running'
    const text = `${status} ${done} ${total}`
    if (this.#steps.get(name) !== text) this.#job.step({ id: name, status, done, total: total ?? null })
    this.#steps.set(name, text)
  }
}

function countLines(bytes: Uint8Array): number {
  let count = 0
  for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) count += 1
  return count
}

/** `Exit code 2`, or the signal by which a command ended. */
function describeExit(exitCode: number): string {
  return exitCode > 128 ? `Exit code ${exitCode} (signal ${exitCode - 128})` : `Exit code ${exitCode}`
}

/** The last lines, as many as fit. */
function endOf(lines: readonly string[]): string {
  const end: string[] = []
  let bytes = 0
  for (const line of lines.toReversed()) {
    bytes += line.length * 3 + 1
    if (bytes > LAST_BYTES && end.length > 0) break
    end.unshift(line)
  }
  return end.join('\n')
}
