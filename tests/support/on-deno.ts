import { join } from 'node:path'
import config from '../../deno.json' with { type: 'json' }
import type { Launch } from './server-process.ts'

/** Deno itself, as npm has installed it. */
export const DENO = 'node_modules/.bin/deno'

/** Starts the server as `deno task start` does, with exactly those permissions, but that its store is in another folder. */
export function onDeno(engine: 'sqlite' | 'deno-kv'): Launch {
  const [, ...args] = config.tasks.start.command.split(' ')
  return {
    command: (folder) => [DENO, ...args.map((arg) => arg.replace(/^(--allow-(?:read|write))=data/, `$1=${folder}`))],
    engine: (folder) => `${engine}:${join(folder, 'jobs')}`,
  }
}
