import type { Target } from '../target.ts'

/** A server to be measured. */
export interface Peer {
  /** As the table calls it. */
  name: string
  /** Why it can't be run on this machine, if it can't. */
  missing(): string | undefined
  /** Starts it anew, on a port of its own choice. */
  start(): Promise<Running>
}

export interface Running {
  target: Target
  stop(): Promise<void>
}

/** Processes that must not outlive this one. */
const children = new Set<Bun.Subprocess>()

/**
 * Lets no server or load generator run on when the bench is interrupted.
 *
 * @param onInterrupt called for the first signal, when they are told to end; by default, and for the second, the process exits
 */
export function endWithUs(onInterrupt: () => void = () => process.exit(1)): void {
  const endChildren = () => {
    for (const child of children) child.kill('SIGTERM')
  }
  let isInterrupted = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (isInterrupted) process.exit(1)
      isInterrupted = true
      endChildren()
      onInterrupt()
    })
  }
  process.once('exit', endChildren)
}

/** Remembers a process until it ends. */
export function owned<T extends Bun.Subprocess>(child: T): T {
  children.add(child)
  void child.exited.then(() => children.delete(child))
  return child
}

/** The core that servers have to themselves, as far as the machine lets them; the load generator has the next. Several processes get both. */
const CORES = { server: '0', load: '1', both: '0,1' }

/** A command that stays on one core. */
export function pinned(to: keyof typeof CORES, command: string[]): string[] {
  return Bun.which('taskset') ? ['taskset', '-c', CORES[to], ...command] : command
}

/** Keeps a process that runs already on one core, with all its threads. */
export function pin(to: keyof typeof CORES, pid: number): void {
  if (Bun.which('taskset')) Bun.spawnSync(['taskset', '-acp', CORES[to], `${pid}`])
}

/**
 * Starts a server that prints the URL that it listens on.
 *
 * @param command run from the top of the repository
 */
export async function startServer(
  command: string[],
  paths: Pick<Target, 'publishPath' | 'watchPath' | 'wire' | 'token' | 'otherToken' | 'store'>,
  environment: Record<string, string> = {},
): Promise<Running> {
  const child = owned(
    Bun.spawn(pinned('server', command), {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  )
  const stop = async () => {
    child.kill('SIGKILL')
    await child.exited
  }
  try {
    return { target: { pid: child.pid, port: await portOf(child.stdout), ...paths }, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function portOf(stdout: ReadableStream<Uint8Array>): Promise<number> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of stdout) {
    text += decoder.decode(chunk, { stream: true })
    const port = /http:\/\/[^:/]+:([0-9]+)/.exec(text)?.[1]
    if (port) return Number(port)
  }
  throw new Error('The server ended before it listened')
}
