import { readFileSync, writeSync } from 'node:fs'
import { isatty } from 'node:tty'

/** What sends SIGTSTP, and the flags of a terminal (termios) that say whether it does. */
const CONTROL_Z = 0x1a
const ISIG = 0o1
const ICANON = 0o2
const DEFAULT_SIZE = { cols: 80, rows: 24 }
/** The wait before a terminal that takes nothing is written to again: milliseconds. */
const WRITE_AGAIN_MS = 5

/** Which of stdin, stdout and stderr are terminals. */
export const terminals = (): boolean[] => [0, 1, 2].map((fd) => isatty(fd))

/** The size of our terminal. */
export function terminalSize(): { cols: number; rows: number } {
  const { columns, rows } = process.stdout.isTTY ? process.stdout : process.stderr
  return columns > 0 && rows > 0 ? { cols: columns, rows } : DEFAULT_SIZE
}

/**
 * Writes to a terminal. Waits while it takes nothing, as the command itself would: a pseudo-terminal can't be told to wait.
 * What a terminal that is gone would have shown is dropped.
 */
export function writeToTerminal(fd: number, bytes: Uint8Array): void {
  for (let from = 0; from < bytes.length; ) {
    try {
      from += writeSync(fd, bytes, from)
    } catch (error) {
      if (Object(error).code !== 'EAGAIN') return
      Bun.sleepSync(WRITE_AGAIN_MS)
    }
  }
}

/**
 * Whether this process may read from its terminal: the shell stops others. Only Linux tells; elsewhere it counts as true.
 */
function isInForeground(): boolean {
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8')
    // proc(5): state, ppid, pgrp, session, tty_nr, tpgid; after the name, which may hold anything.
    const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return group === foreground
  } catch {
    return true
  }
}

/** Passes our terminal's keys on to the pseudo-terminal of a command. */
export class Keys {
  readonly #terminal: Bun.Terminal
  readonly #onSuspend: () => void
  #isRaw = false

  /** @param onSuspend called when someone presses Ctrl-Z, unless the command reads that key itself */
  constructor(terminal: Bun.Terminal, onSuspend: () => void) {
    this.#terminal = terminal
    this.#onSuspend = onSuspend
  }

  /** Takes the keys, unless this process is in the background: then later, when it is in the foreground. */
  take(): void {
    if (this.#isRaw || !isInForeground()) return
    this.#isRaw = true
    process.stdin.setRawMode(true)
    process.stdin.on('data', this.#pass).resume()
  }

  /** Gives the terminal back as it was. */
  release(): void {
    if (!this.#isRaw) return
    this.#isRaw = false
    process.stdin.off('data', this.#pass).pause()
    process.stdin.setRawMode(false)
  }

  readonly #pass = (keys: Uint8Array) => {
    if (keys.includes(CONTROL_Z) && (this.#terminal.localFlags & (ISIG | ICANON)) === (ISIG | ICANON)) this.#onSuspend()
    else this.#terminal.write(keys)
  }
}
