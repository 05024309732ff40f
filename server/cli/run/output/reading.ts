import type { OutputLine } from './lines.ts'

/** What a line of output says about the progress. */
export interface ProgressReading {
  done?: number
  total?: number | undefined
  unit?: string | undefined
  message?: string | undefined
  succeeded?: number
  failed?: number
  /** A bar inside another. */
  step?: { id: string; done: number; total: number | undefined }
  /** Something that failed without ending the command. */
  error?: string
}

/** A command and its arguments. */
export type CommandLine = readonly string[]

/** Understands the output of one kind of program. */
export interface Tool {
  name: string
  /** What it understands, for the documents. */
  understands: string
  /** Whether the lines that it reads are lines of the log, too; drawn ones never are. */
  isLogged: boolean
  /** Begins to read. @returns what a line says, or `undefined` when it is none of this program */
  start(command: CommandLine): (line: OutputLine) => ProgressReading | undefined
}

/** A share as progress: `45` → 45 of 100 %. */
export function percentage(percent: string, message?: string): ProgressReading {
  return { done: Math.min(100, Number(percent)), total: 100, unit: '%', message }
}

/** Whether a command, or one within it, as in `sh -c 'pv -n file | gzip'`, is called so. */
export function names(command: CommandLine, program: RegExp): boolean {
  return program.test(command.join(' '))
}

const PREFIXES = 'kmgtpe'

/**
 * A size with a prefix: `4.5M`, `683k`, `1.46MiB`, `1,234`.
 *
 * @param base of the prefixes; with an `i` it is 1,024
 */
export function sizeOf(text: string, base: 1_000 | 1_024): number {
  const [, digits = '', prefix = '', binary] = /^([\d.,]+)\s?([kKMGTPE])?(i)?/.exec(text) ?? []
  const power = prefix === '' ? 0 : PREFIXES.indexOf(prefix.toLowerCase()) + 1
  return Math.round(Number(digits.replaceAll(',', '')) * (binary ? 1_024 : base) ** power)
}
