import type { Target } from '../target.ts'

/** A server to be measured. */
export interface Peer {
  /** As the table calls it. */
  name: string
  /** What runs it: rows are for one runtime or the other. */
  runtime: 'Bun' | 'Deno' | 'other'
  /** Why it can't be run on this machine, if it can't. */
  missing(): string | undefined
  /** Starts it anew, on a port of its own choice. */
  start(): Promise<Running>
}

export interface Running {
  target: Target
  stop(): Promise<void>
}

/** The core that servers have to themselves, as far as the machine lets them; the load generator has the next. */
const CORES = { server: 0, load: 1 }

/** A command that stays on one core. */
export function pinned(to: keyof typeof CORES, command: string[]): string[] {
  return Bun.which('taskset') ? ['taskset', '-c', `${CORES[to]}`, ...command] : command
}

/**
 * Starts a server that prints the URL that it listens on.
 *
 * @param command run from the top of the repository
 */
export async function startServer(
  command: string[],
  paths: Pick<Target, 'publishPath' | 'watchPath' | 'wire' | 'token'>,
  environment: Record<string, string> = {},
): Promise<Running> {
  const child = Bun.spawn(pinned('server', command), {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
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
