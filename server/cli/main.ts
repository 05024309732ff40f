#!/usr/bin/env -S bun --no-env-file --config=/dev/null --tsconfig-override=/dev/null
// The flags above stop Bun from reading files of the current folder: .env can set secrets, bunfig.toml and tsconfig.json can run code.
/** The command line, whose commands `commands.ts` lists. */
import { ConfigError } from '../config.ts'
import { EngineOpenError } from '../jobs/engine.ts'
import { escapeControls } from '../services/kit/untrusted-text.ts'
import { version } from '../version.ts'
import { copyDatabase } from './backup.ts'
import { completion } from './completion.ts'
import { CopyError } from './copy/copy-error.ts'
import { runCopy } from './copy/run-copy.ts'
import { environmentFrom, help } from './flags.ts'
import { cancel } from './remote/cancel.ts'
import { printJobs } from './remote/jobs.ts'
import { run } from './run/run.ts'
import { buildAndServe } from './serve.ts'
import { createSignInLink } from './sign-in.ts'
import { sync } from './sync.ts'
import { createToken } from './token.ts'
import { watch } from './watch/watch.ts'

/** Whether the user can fix the error: it is printed without a stack. */
const isForTheUser = (error: unknown): error is Error =>
  error instanceof ConfigError ||
  error instanceof EngineOpenError ||
  error instanceof CopyError ||
  (error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'))

async function main([command, ...args]: string[]): Promise<void> {
  switch (command) {
    case 'serve':
      if (args.includes('--help')) console.log(help())
      else await buildAndServe(environmentFrom(args, process.env))
      break
    case 'sign-in':
      console.log(await createSignInLink(args, process.env))
      break
    case 'sync':
      await sync(args, process.env)
      break
    case 'run':
      process.exit(await run(args, process.env))
      break
    case 'token':
      console.log(await createToken(args, process.env))
      break
    case 'backup':
    case 'restore':
      console.log(await copyDatabase(command, args, process.env))
      break
    case 'copy':
      console.log(await runCopy(args, process.env))
      break
    case 'watch':
      process.exit(await watch(args, process.env))
      break
    case 'jobs':
      console.log(await printJobs(args, process.env))
      break
    case 'cancel':
      console.log(await cancel(args, process.env))
      break
    case 'completion':
      console.log(completion(args))
      break
    case '--version':
      console.log(version)
      break
    case undefined:
    case '-h':
    case 'help':
    case '--help':
      console.log(help())
      break
    default:
      throw new ConfigError(`"${command}" is not a command. "milepost --help" lists all commands.`)
  }
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!isForTheUser(error)) throw error
  // The message may contain an argument, and so a file name with terminal escapes.
  console.error(error.message.split('\n').map(escapeControls).join('\n'))
  // The other codes of watch tell how a job ended.
  process.exit(error instanceof CopyError ? error.exitCode : process.argv[2] === 'watch' ? 2 : 1)
}
