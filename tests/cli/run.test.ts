import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import type { Job, JobHeader } from '../../shared/document/job.ts'
import type { JobList } from '../../shared/wire/api.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'
import { milepost, type Ran, start, startOnTerminal } from './command-line.ts'

let server: ServerProcess
let token: string
beforeAll(async () => {
  server = await ServerProcess.start()
  token = await accessToken('runner')
})
afterAll(() => server[Symbol.asyncDispose]())

const env = () => ({ MILEPOST_URL: server.url, MILEPOST_TOKEN: token })
const api = async (path: string, method = 'GET') =>
  (await fetch(`${server.url}api/jobs${path}`, { method, headers: { authorization: `Bearer ${token}` } })).json()

/** The job of a title, once it is as it should be. */
async function jobOf(title: string, isSo: (job: JobHeader) => boolean): Promise<Job> {
  for (;;) {
    const { jobs }: JobList = await api('')
    const job = jobs.find((one) => one.title === title)
    if (job && isSo(job)) return api(`/${job.id}`)
    await Bun.sleep(20)
  }
}

const run = (title: string, script: string) => milepost('run', '--title', title, '--', 'sh', '-c', script)
const messages = ({ logs }: Job) => logs.map(({ message }) => message)

/** Starts of processes, and a reporter that gathers for seconds: on a busy machine that takes longer than the default. */
setDefaultTimeout(30_000)

describe('milepost run', () => {
  test('run passes output and exit code on, and reports them', async () => {
    const { ran } = start(run('passes', 'echo out; echo err >/dev/stderr; printf "[1/2] cc\\n"; exit 3'), env())
    expect(await ran).toEqual({ out: 'out\n[1/2] cc\n', error: 'err\n', code: 3 })
    const job = await jobOf('passes', ({ status }) => status === 'failed')
    expect(job).toMatchObject({
      kind: 'run',
      message: expect.stringMatching(/^Exit code 3: (err|\[1\/2\] cc)$/),
      result: { exitCode: 3 },
    })
    expect(job.progress).toMatchObject({ done: 1, total: 2, unit: 'steps' })
    expect(messages(job).sort()).toEqual(['[1/2] cc', 'err', 'out'])
    expect(job.errors).toMatchObject([{ code: 'exit-3' }])
  })

  test('run passes bytes on unchanged, and no faster than they are read', async () => {
    const script = 'head -c 20000000 /dev/urandom | tee /dev/stderr'
    const { ran } = start(
      [
        'sh',
        '-c',
        '"$@" 2>"$0" | (sleep 0.2; sha256sum); sha256sum <"$0"',
        `/tmp/milepost-run-${process.pid}`,
        ...run('bytes', script),
      ],
      env(),
    )
    const { out } = await ran
    await Bun.file(`/tmp/milepost-run-${process.pid}`).delete()
    const [first, second] = out.trim().split('\n')
    expect([first?.length, first]).toEqual([67, second])
  })

  test('run ends as its command does', async () => {
    const codes = await Promise.all(
      [
        run('signal', 'kill -9 $$'),
        milepost('run', '--', 'no-such-command'),
        milepost('run', '--', '/etc/passwd'),
        milepost('run', '--bogus', '--', 'x'),
      ]
        .map((command) => start(command, env()).ran)
        .concat(start(['sh', '-c', '{ "$@"; echo $? >&2; } | head -n 1', 'sh', ...run('pipe', 'yes')], env()).ran),
    )
    expect(codes.map(({ code }) => code)).toEqual([137, 127, 126, 125, 0])
    // The reader has gone: SIGPIPE.
    expect(codes.at(-1)).toEqual({ out: 'y\n', error: '141\n', code: 0 })
  })

  test('run passes signals on to all of its command', async () => {
    const { child, ran } = start(run('signals', "trap 'echo caught; exit 5' TERM; echo ready; sleep 60 & wait"), env())
    await jobOf('signals', ({ logCount }) => logCount > 0)
    child.kill('SIGTERM')
    expect(await ran).toMatchObject({ out: expect.stringContaining('caught'), code: 5 })
  })

  test('run pauses, resumes and cancels its command', async () => {
    const script = 'echo ready; while :; do sleep 0.1; done'
    const { child, ran } = start(run('control', script), env())
    const { id } = await jobOf('control', ({ logCount }) => logCount > 0)
    await api(`/${id}/pause`, 'POST')
    await jobOf('control', ({ status }) => status === 'paused')
    const stateOf = async () => {
      const { out } = await start(['ps', '-o', 'stat=', '--ppid', `${child.pid}`], {}).ran
      return out[0]
    }
    expect(await stateOf()).toBe('T')
    await api(`/${id}/resume`, 'POST')
    await jobOf('control', ({ status }) => status === 'running')
    expect(await stateOf()).not.toBe('T')
    await api(`/${id}/cancel`, 'POST')
    expect((await ran).code).toBe(143)
    expect(await jobOf('control', ({ status }) => status === 'cancelled')).toMatchObject({ result: { exitCode: 143 } })
  })

  test('run gives its command a terminal where there is one', async () => {
    const script =
      'test -t 0 && test -t 1 && test -t 2 && stty size; printf "a\\nb\\n"; read line; echo "got $line"; exit 7'
    const { ran, type, shows } = startOnTerminal(run('terminal', script), env())
    await shows('b\r\n')
    type('hello\r')
    const { out, code } = await ran
    expect(out).toMatch(/^milepost: Watch it at http:\/\/\S+\/jobs\/\S+\r\n/)
    expect([out.split('\r\n').slice(1), code]).toEqual([['24 80', 'a', 'b', 'hello', 'got hello', ''], 7])
  })

  test('run passes keys on, and leaves the terminal as it was', async () => {
    const { ran, type, shows } = startOnTerminal(
      ['sh', '-c', '"$@"; echo "code $?"; stty -a', 'sh', ...run('keys', 'echo ready; exec sleep 60')],
      env(),
    )
    await shows('ready')
    type('\u0003')
    const { out } = await ran
    expect(out).toContain('code 130')
    expect(out).toMatch(/ icanon .* echo /s)
  })

  test('run stops with its command at Ctrl-Z, and goes on with it', async () => {
    const script = '"$@"; echo "stopped $?"; fg >/dev/null; echo "code $?"'
    const command = run('suspend', 'echo ready; read line; echo "got $line"')
    const { ran, type, shows } = startOnTerminal(['bash', '-m', '-c', script, 'bash', ...command], env())
    await shows('ready')
    type('\u001a')
    await shows('stopped')
    type('again\r')
    const { out } = await ran
    expect(out).toContain('got again')
    expect(out).toContain('code 0')
  })

  test('run gives a terminal only to streams that have one', async () => {
    const script = 'cat; test -t 1 || echo no terminal; test -t 2 && echo terminal >&2'
    const line = 'echo piped | "$@" | cat'
    const { ran } = startOnTerminal(['sh', '-c', line, 'sh', ...run('mixed', script)], env())
    const lines = (await ran).out.split('\r\n').slice(1)
    expect(lines.sort()).toEqual(['', 'no terminal', 'piped', 'terminal'])
  })

  test('run lets its command work when the server is away, lies or refuses, and says so once', async () => {
    const html = Bun.serve({
      port: 0,
      fetch: () => new Response('<html>', { headers: { 'content-type': 'text/html' } }),
    })
    const mute = Bun.serve({ port: 0, fetch: () => new Promise<Response>(() => {}) })
    try {
      const ran = await Promise.all(
        [
          { MILEPOST_URL: 'http://127.0.0.1:1', MILEPOST_TOKEN: token },
          { MILEPOST_URL: html.url.href, MILEPOST_TOKEN: token },
          { MILEPOST_URL: mute.url.href, MILEPOST_TOKEN: token },
          { MILEPOST_URL: server.url, MILEPOST_TOKEN: 'no token' },
          { MILEPOST_URL: 'nonsense', MILEPOST_TOKEN: token },
          { MILEPOST_URL: server.url },
        ].map((bad: Record<string, string>) => start(run('bad', 'seq 30000; echo work >&2; exit 4'), bad).ran),
      )
      for (const { out, error, code } of ran as Ran[]) {
        expect([out.length, code]).toEqual([168_894, 4])
        expect(error.split('\n').filter((line) => line.startsWith('milepost: '))).toHaveLength(1)
        expect(error).not.toContain(token)
      }
    } finally {
      await Promise.all([html.stop(true), mute.stop(true)])
    }
  })

  test('run goes on while the server is killed and started again', async () => {
    const { ran } = start(run('outage', 'for n in $(seq 30); do printf "\\r$n/30"; sleep 0.1; done; echo'), env())
    await jobOf('outage', ({ progress }) => progress.done > 0)
    await server.kill()
    await server.restart()
    expect(await ran).toMatchObject({ code: 0 })
    expect(await jobOf('outage', ({ status }) => status === 'completed')).toMatchObject({
      progress: { done: 30, total: 30 },
    })
  })
})
