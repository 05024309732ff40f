import { type OutputLine, OutputLines } from './lines.ts'
import type { CommandLine, ProgressReading, Tool } from './reading.ts'
import { curl, dd, docker, pv, rsync, wget } from './transfers.ts'
import { anyBar, builds, ffmpeg, npm, pytest, tqdm } from './work.ts'

/** The tools whose output is understood. The first that understands a line has it. */
export const tools: readonly Tool[] = [curl, wget, rsync, ffmpeg, tqdm, pv, dd, builds, docker, npm, pytest, anyBar]

/** What a piece of output says: the newest progress, and what else there is. */
export interface Understood {
  /** In their order. */
  readings: ProgressReading[]
  /** Lines for the log. */
  log: string[]
}

/** Reads the output of a command, piece by piece. Any tool may run within it, so that all are tried on each line. */
export class ProgressReader {
  /** By where the output comes from: lines of two sources must not mix. */
  readonly #sources = new Map<number, OutputLines>()
  readonly #tools: { isLogged: boolean; read: (line: OutputLine) => ProgressReading | undefined }[]

  constructor(command: CommandLine) {
    this.#tools = tools.map(({ isLogged, start }) => ({ isLogged, read: start(command) }))
  }

  /**
   * Takes output.
   *
   * @param source the number of the stream that it came from
   * @returns what its complete lines say
   */
  feed(output: string, source = 1): Understood {
    const lines = this.#sources.get(source) ?? new OutputLines()
    this.#sources.set(source, lines)
    return this.#understand(lines.feed(output))
  }

  /** What the lines that have not ended say: the newest states of bars. Call it when the output rests. */
  rest(): ProgressReading[] {
    return [...this.#sources.values()].flatMap(({ open }) => (open && this.#read(open)?.reading) ?? [])
  }

  /** The output has ended, and with it the last lines. */
  end(): Understood {
    return this.#understand([...this.#sources.values()].flatMap((lines) => lines.feed('\n')))
  }

  #understand(lines: readonly OutputLine[]): Understood {
    const understood: Understood = { readings: [], log: [] }
    for (const line of lines) {
      const found = this.#read(line)
      if (found) understood.readings.push(found.reading)
      if (!line.isDrawn && (found?.isLogged ?? true)) understood.log.push(line.text)
    }
    return understood
  }

  #read(line: OutputLine): { reading: ProgressReading; isLogged: boolean } | undefined {
    for (const { isLogged, read } of this.#tools) {
      const reading = read(line)
      if (reading) return { reading, isLogged }
    }
    return undefined
  }
}
