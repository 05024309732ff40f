import { tmpdir } from 'node:os'

/** What a run of the command line printed, and how it ended. */
export interface Ran {
  out: string
  error: string
  code: number
}

const main = new URL('../../server/cli/main.ts', import.meta.url).pathname

/** `milepost` with arguments. */
export const milepost = (...args: string[]): string[] => [process.execPath, '--no-env-file', main, ...args]

const environment = (env: Record<string, string>) => {
  const { PATH, HOME } = process.env
  return { PATH, HOME, NO_PROXY: '*', ...env }
}

/** Starts a command with pipes. */
export function start(command: string[], env: Record<string, string>, cwd = tmpdir()) {
  const child = Bun.spawn(command, { env: environment(env), cwd, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  const ran = Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]).then(
    ([out, error, code]): Ran => ({ out, error, code }),
  )
  return { child, ran }
}

/** Starts a command on a terminal of 80 columns. */
export function startOnTerminal(command: string[], env: Record<string, string>) {
  let out = ''
  const waiting: { text: string; resolve(): void }[] = []
  const decoder = new TextDecoder()
  const child = Bun.spawn(command, {
    env: environment(env),
    cwd: tmpdir(),
    terminal: {
      cols: 80,
      rows: 24,
      data(_terminal, bytes) {
        out += decoder.decode(bytes, { stream: true })
        for (const { text, resolve } of waiting) if (out.includes(text)) resolve()
      },
    },
  })
  return {
    child,
    type: (keys: string) => child.terminal?.write(keys),
    /** Resolves once a text was shown. */
    shows: (text: string) =>
      out.includes(text) ? Promise.resolve() : new Promise<void>((resolve) => waiting.push({ text, resolve })),
    ran: child.exited.then((code): Omit<Ran, 'error'> => ({ out, code })),
  }
}
