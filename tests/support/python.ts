import { resolve } from 'node:path'
import { accessToken } from './tokens.ts'

/** The Python that has Debian's packages: tqdm, Celery, RQ. */
export const DEBIAN_PYTHON = '/usr/bin/python3'
/** Where `import milepost` finds the reporter. */
const REPORTER = resolve('client/python')

/** How a Python program ended, and what it wrote. */
export interface PythonRun {
  code: number | null
  output: string
  errors: string
}

/** Why a package can't be imported by Debian's Python, if it can't. */
export function missingModule(...names: string[]): string | undefined {
  const { success } = Bun.spawnSync([DEBIAN_PYTHON, '-c', `import ${names.join(', ')}`])
  return success ? undefined : `no ${names.join(', ')} for ${DEBIAN_PYTHON}: install python3-${names[0]}`
}

/** The environment of a program that reports to a server. */
export async function reporting(url: string, more: Record<string, string> = {}): Promise<Record<string, string>> {
  return {
    PATH: process.env.PATH ?? '',
    HOME: process.env.HOME ?? '',
    PYTHONPATH: REPORTER,
    PYTHONDONTWRITEBYTECODE: '1',
    PYTHONUNBUFFERED: '1',
    // Of `fork` in a process with threads, from Python 3.12 on.
    PYTHONWARNINGS: 'ignore::DeprecationWarning',
    MILEPOST_URL: url,
    MILEPOST_TOKEN: await accessToken('ada'),
    ...more,
  }
}

/** Starts a Python program. */
export function startPython(code: string, env: Record<string, string>, python = 'python3') {
  return Bun.spawn([python, '-c', code], { env, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
}

/** Runs a Python program to its end. */
export async function runPython(code: string, env: Record<string, string>, python?: string): Promise<PythonRun> {
  const program = startPython(code, env, python)
  const [output, errors] = await Promise.all([new Response(program.stdout).text(), new Response(program.stderr).text()])
  await program.exited
  return { code: program.exitCode, output, errors }
}
