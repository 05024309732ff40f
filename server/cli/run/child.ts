import { accessSync, closeSync, constants, fstatSync, openSync, readFileSync, statSync } from 'node:fs'
import { constants as system } from 'node:os'
import { openPipe, type Pipe, writeAll } from './pipe.ts'
import { Keys, terminalSize, terminals, writeToTerminal } from './terminal.ts'

/** Called with output after it was passed on, and the stream that it came from: 1 or 2. */
type OnOutput = (output: Uint8Array, source: number) => void

/** Signals that are passed on to the command. */
const PASSED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const
/** The exit codes of shells for a command that is missing, or is no program. */
const NOT_FOUND = 127
const NOT_EXECUTABLE = 126

/** A command that runs, with all that belongs to its process group. */
export interface Child {
  /** Its exit code, 128 + n after a signal; all output was passed on. */
  readonly exited: Promise<number>
  /** Sends a signal to its process group. */
  signal(name: NodeJS.Signals): void
  /** Gives our terminal back, and stops passing signals on. */
  release(): void
}

/** Why a command can't be started, with the exit code that shells give. */
export class StartError extends Error {
  readonly exitCode: number

  constructor(message: string, exitCode: number) {
    super(message)
    this.exitCode = exitCode
  }
}

/**
 * Starts a command. Its output goes to ours, and its input is ours. Where ours are terminals, it has a pseudo-terminal; otherwise pipes. It has
 * a session of its own, so that signals reach all of it and not us.
 *
 * @throws StartError for a command that does not exist or can't be executed
 */
export async function startChild(command: readonly string[], onOutput: OnOutput): Promise<Child> {
  const found = [findProgram(command[0] ?? ''), ...command.slice(1)]
  const isTerminal = terminals()
  if (!isTerminal.some(Boolean)) return startWithPipes(found, onOutput)
  const input = isTerminal[0] ? undefined : openInputAgain()
  return input === null ? startWithPipes(found, onOutput) : startInTerminal(found, isTerminal, input, onOutput)
}

/**
 * A second descriptor of stdin, because Bun puts the terminal in the place of the first before it copies it. `null` where a second is not the
 * same: of a file that was read from, and of a socket.
 */
function openInputAgain(): number | null {
  try {
    const position = /^pos:\s*(\d+)$/m.exec(readFileSync('/proc/self/fdinfo/0', 'utf8'))?.[1]
    return fstatSync(0).isFile() && position !== '0' ? null : openSync('/dev/fd/0', constants.O_RDONLY)
  } catch {
    return null
  }
}

function findProgram(name: string): string {
  if (!name.includes('/')) {
    const path = Bun.which(name)
    if (path === null) throw new StartError(`${name}: command not found`, NOT_FOUND)
    return path
  }
  if (!statSync(name, { throwIfNoEntry: false })) throw new StartError(`${name}: no such file`, NOT_FOUND)
  try {
    accessSync(name, constants.X_OK)
    if (!statSync(name).isDirectory()) return name
  } catch {
    // As below.
  }
  throw new StartError(`${name}: can't be executed`, NOT_EXECUTABLE)
}

/** Passes signals on to the process group of a command. */
function attach(subprocess: Bun.Subprocess, exited: Promise<number>, releaseTerminal = () => {}): Child {
  const signal = (name: NodeJS.Signals) => {
    try {
      process.kill(-subprocess.pid, name)
    } catch {
      // It has ended.
    }
  }
  const passed = PASSED.map((name) => [name, () => signal(name)] as const)
  for (const [name, pass] of passed) process.on(name, pass)
  return {
    exited,
    signal,
    release() {
      releaseTerminal()
      for (const [name, pass] of passed) process.off(name, pass)
    },
  }
}

/** The exit code of a command that has ended, as shells tell it. */
function exitCodeOf({ exitCode, signalCode }: Bun.Subprocess): number {
  return signalCode === null ? (exitCode ?? 1) : 128 + system.signals[signalCode as keyof typeof system.signals]
}

/** Whether two descriptors are of the same file: one pipe keeps the order of what is written to both. */
function isSameFile(one: number, other: number): boolean {
  const [{ dev, ino }, second] = [fstatSync(one), fstatSync(other)]
  return dev === second.dev && ino === second.ino
}

async function startWithPipes(command: string[], onOutput: OnOutput): Promise<Child> {
  const out = await openPipe()
  const error = isSameFile(1, 2) ? out : await openPipe()
  const subprocess = Bun.spawn(command, { stdin: 'inherit', stdout: out.fd, stderr: error.fd, detached: true })
  const pipes = error === out ? [out] : [out, error]
  for (const pipe of pipes) pipe.handOver()
  const read = pipes.map((pipe, index) => relay(pipe, index + 1, subprocess.exited, onOutput))
  const exited = Promise.all([subprocess.exited, ...read]).then(() => exitCodeOf(subprocess))
  const suspend = () => {
    // A session without a terminal ignores SIGTSTP.
    child.signal('SIGSTOP')
    process.kill(process.pid, 'SIGSTOP')
  }
  const resume = () => child.signal('SIGCONT')
  process.on('SIGTSTP', suspend).on('SIGCONT', resume)
  const child = attach(subprocess, exited, () => process.off('SIGTSTP', suspend).off('SIGCONT', resume))
  return child
}

/** Passes the output of a pipe on to the same stream of ours. */
function relay(pipe: Pipe, fd: number, ended: Promise<unknown>, onOutput: OnOutput): Promise<void> {
  return pipe.read(async (bytes) => {
    const isTaken = await writeAll(fd, bytes)
    onOutput(bytes, fd)
    return isTaken
  }, ended)
}

/** Starts a command on a pseudo-terminal; those of its streams that are no terminal here are none there. */
async function startInTerminal(
  command: string[],
  isTerminal: readonly boolean[],
  input: number | undefined,
  onOutput: OnOutput,
): Promise<Child> {
  const shown = [1, 2, 0].find((fd) => isTerminal[fd]) ?? 1
  const opened = await Promise.all(
    [1, 2].map(async (fd) => (isTerminal[fd] ? undefined : ([fd, await openPipe()] as const))),
  )
  const pipes = opened.filter((pipe) => pipe !== undefined)
  const others = [
    ...(input === undefined ? [] : [[0, input] as const]),
    ...pipes.map(([to, { fd }]) => [to, fd] as const),
  ]
  // Bun connects all three streams to the terminal. A shell puts the others in their places, and the command in its own.
  const redirects = others.map(([to], index) => `${to}${to === 0 ? '<' : '>'}&${index + 3} ${index + 3}>&-`)
  // Our own terminal makes \r\n of \n: this one passes everything on as it is.
  const script = `stty -opost; exec "$@" ${redirects.join(' ')}`

  const ended = Promise.withResolvers<void>()
  const subprocess = Bun.spawn(['/bin/sh', '-c', script, 'sh', ...command], {
    stdio: [null, null, null, ...others.map(([, fd]) => fd)],
    terminal: {
      ...terminalSize(),
      name: process.env.TERM ?? 'dumb',
      data(_terminal, bytes) {
        writeToTerminal(shown, bytes)
        onOutput(bytes, shown)
      },
      exit: () => ended.resolve(),
    },
  })
  const { terminal } = subprocess
  if (!terminal) throw new Error('Bun has made no terminal')
  if (input !== undefined) closeSync(input)
  for (const [, pipe] of pipes) pipe.handOver()
  const read = pipes.map(([fd, pipe]) => relay(pipe, fd, subprocess.exited, onOutput))
  const exited = Promise.all([subprocess.exited, ended.promise, ...read]).then(() => exitCodeOf(subprocess))

  const resize = () => {
    const { cols, rows } = terminalSize()
    terminal.resize(cols, rows)
  }
  const suspend = () => {
    child.signal('SIGSTOP')
    keys.release()
    process.kill(process.pid, 'SIGSTOP')
  }
  const resume = () => {
    if (isTerminal[0]) keys.take()
    child.signal('SIGCONT')
  }
  const keys = new Keys(terminal, suspend)
  if (isTerminal[0]) keys.take()
  process.on('SIGWINCH', resize).on('SIGCONT', resume)
  const child = attach(subprocess, exited, () => {
    keys.release()
    process.off('SIGWINCH', resize).off('SIGCONT', resume)
  })
  return child
}
