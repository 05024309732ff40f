import { createInterface } from 'node:readline/promises'
import { parseArgs } from 'node:util'
import { isTerminalStatus } from '../../../shared/document/selectors.ts'
import { isJob } from '../../../shared/wire/answers.ts'
import { jobPath } from '../../../shared/wire/paths.ts'
import { accessFlags, accessUsage, refuseToken, request } from './access.ts'
import { readJobAddress } from './job-argument.ts'
import { plain } from './plain-text.ts'

const cancelUsage = `milepost cancel JOB [--yes] [--url URL] [--token-file FILE]

Asks a job to stop. A job that has not begun is cancelled at once; another when its producer has heard it. On a terminal the command asks first, unless --yes is given.
JOB is an id, or the address of the job's page. Exits with 1 if the job was not cancelled.

${accessUsage}`

/** Runs `milepost cancel`. @returns the text to print. @throws ConfigError for wrong arguments, and for what the server refuses */
export async function cancel(args: string[], env: Readonly<Record<string, string | undefined>>): Promise<string> {
  refuseToken(args)
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { ...accessFlags, yes: { type: 'boolean', short: 'y' }, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help) return cancelUsage
  const { access, id } = await readJobAddress(positionals, values, env, 'milepost cancel JOB')
  if (!values.yes && process.stdin.isTTY) {
    const { title, status } = await request(access, 'GET', `${jobPath(id)}?parts=header`, isJob)
    if (!isTerminalStatus(status) && !(await confirm(`Cancel "${plain(title)}"?`))) {
      process.exitCode = 1
      return 'Nothing was cancelled.'
    }
  }
  const { title, status } = await request(access, 'POST', `${jobPath(id)}/cancel`, isJob)
  return `${plain(title)}: ${status === 'cancelled' ? 'cancelled' : 'asked to stop'}`
}

async function confirm(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim())
  } finally {
    terminal.close()
  }
}
