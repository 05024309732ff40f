/** A command of `milepost`, for its help and for completion in shells. */
interface Command {
  name: string
  /** What follows the name. */
  form: string
  summary: string
  /** Its flags, without those of settings. */
  flags: readonly string[]
  /** The words that may follow it, or a flag of it. */
  words?: Readonly<Record<string, readonly string[]>>
}

const ACCESS = ['--url', '--token-file']

/** All commands, in the order of the help. */
export const commands: readonly Command[] = [
  { name: 'serve', form: '[settings]', summary: 'runs the server and its dashboard', flags: [] },
  {
    name: 'sign-in',
    form: '[--admin]',
    summary: 'prints a sign-in link to a running server',
    flags: ['--sub', '--tenant', '--admin', '--job', '--url'],
  },
  {
    name: 'run',
    form: '-- COMMAND',
    summary: 'runs a command, and reports its progress and its lines',
    flags: ['--title', ...ACCESS],
  },
  {
    name: 'watch',
    form: 'JOB',
    summary: 'shows a job live in the terminal',
    flags: ['--json', ...ACCESS],
  },
  {
    name: 'jobs',
    form: '[--status STATUS]',
    summary: 'lists jobs',
    flags: ['--status', '--kind', '--parent', '--limit', '--all', '--json', ...ACCESS],
    words: { '--status': ['pending', 'running', 'paused', 'completed', 'failed', 'cancelled'] },
  },
  { name: 'cancel', form: 'JOB', summary: 'asks a job to stop', flags: ['--yes', ...ACCESS] },
  {
    name: 'sync',
    form: 'SOURCE TARGET',
    summary: 'copies new and changed files to a directory, and reports progress',
    flags: ['--title', '--concurrency', ...ACCESS],
  },
  {
    name: 'token',
    form: '--sub NAME',
    summary: 'prints an access token, signed with MILEPOST_SECRET',
    flags: ['--sub', '--tenant', '--scope', '--seconds'],
    words: { '--scope': ['jobs:read', 'jobs:write', 'jobs:assign', 'jobs:admin'] },
  },
  { name: 'backup', form: 'FILE', summary: 'copies the database while the server runs', flags: ['--engine'] },
  {
    name: 'restore',
    form: 'FILE',
    summary: 'replaces the database by a backup; stop the server first',
    flags: ['--engine'],
  },
  {
    name: 'copy',
    form: 'FROM TO',
    summary: 'copies all jobs to another engine: sqlite:PATH, redis://HOST; stop the servers first',
    flags: [],
  },
  {
    name: 'completion',
    form: 'SHELL',
    summary: 'prints completion for bash, zsh or fish',
    flags: [],
    words: { completion: ['bash', 'zsh', 'fish'] },
  },
]
