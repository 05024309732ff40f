import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import denoConfig from '../../deno.json' with { type: 'json' }
import { DENO, onDeno } from '../support/on-deno.ts'
import { ServerProcess } from '../support/server-process.ts'
import { StreamReader } from '../support/stream-reader.ts'
import { accessToken, SECRET } from '../support/tokens.ts'

const ENTRY = resolve('server/entries/deno.ts')
/** What Milepost prints, or Deno on its behalf. */
const LISTENS = /isten(?:s|ing) on (http\S+)/
const ENVIRONMENT = '--allow-env=PORT,HOST,MILEPOST_*,DENO_DEPLOYMENT_ID'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'milepost-deno-'))
})

afterAll(() => rm(folder, { recursive: true }))

interface Options {
  command?: 'run' | 'serve'
  env?: Record<string, string>
  config?: string
}

/** Deno with the entry, in a folder of its own. */
class DenoProcess {
  printed = ''
  /** Where it listens, once it has said so. */
  readonly url: Promise<string>
  readonly #child: Bun.Subprocess<'ignore', 'pipe', 'pipe'>
  readonly #read: Promise<unknown>

  constructor(flags: string[], { command = 'run', env = {}, config = resolve('deno.json') }: Options = {}) {
    this.#child = Bun.spawn([resolve(DENO), command, '--no-prompt', `--config=${config}`, ...flags], {
      cwd: folder,
      env: { HOME: folder, DENO_DIR: join(folder, 'deno'), PORT: '0', NO_COLOR: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const { promise, resolve: ready, reject } = Promise.withResolvers<string>()
    this.url = promise
    const read = async (stream: ReadableStream<Uint8Array>) => {
      const decoder = new TextDecoder()
      for await (const chunk of stream) {
        this.printed += decoder.decode(chunk, { stream: true })
        const url = LISTENS.exec(this.printed)?.[1]
        if (url) ready(url)
      }
    }
    this.#read = Promise.all([read(this.#child.stdout), read(this.#child.stderr)])
    this.#read.then(() => reject(new Error(this.printed))).catch(() => {})
    promise.catch(() => {})
  }

  /** How it ended by itself, and what it had to say. */
  async end(): Promise<[code: number, said: string]> {
    await this.#read
    return [await this.#child.exited, this.printed.trim().replaceAll(folder, 'HERE')]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#child.exited
  }
}

const refusal = (flags: string[], options?: Options) => new DenoProcess(flags, options).end()

describe('deno.json', () => {
  test('deno.json lists the permissions that the server needs, and gives no others', () => {
    const flags = denoConfig.tasks.start.command.split(' ').filter((word) => word.startsWith('-'))
    expect(flags).toEqual(['--allow-net', ENVIRONMENT, '--allow-read=data,server,shared', '--allow-write=data'])
  })
})

describe('entries/deno.ts says what is missing', () => {
  test('a permission: which, and how it is given', async () => {
    const hint = '"deno task start" grants all permissions needed.'
    expect(await refusal([ENTRY])).toEqual([
      1,
      `Requires env access to "PORT", run again with the --allow-env flag. ${hint}`,
    ])
    expect(await refusal([ENVIRONMENT, ENTRY, 'serve'], { env: { MILEPOST_ENGINE: 'memory:' } })).toEqual([
      1,
      `Requires net access to "127.0.0.1:0", run again with the --allow-net flag. ${hint}`,
    ])
    const kv = { env: { MILEPOST_ENGINE: 'deno-kv:other/jobs.kv' } }
    expect(await refusal([ENVIRONMENT, ENTRY, 'serve'], kv)).toEqual([
      1,
      'other/jobs.kv can\'t be opened: Requires read access to "other/jobs.kv", run again with the --allow-read flag.',
    ])
    const [code, said] = await refusal([ENVIRONMENT, ENTRY, 'serve'])
    expect(code).toBe(1)
    // Before it, Deno (2.9.5) says by itself what the thread lacks.
    expect(said).toEndWith(
      `./data/milepost.db can't be opened (Requires read access to "${resolve('server/engines/sqlite/worker.ts')}", run again with the --allow-read flag): give this user permission to read and write the file and its folder.`,
    )
  })

  test('the flag for Deno KV', async () => {
    const config = join(folder, 'stable.json')
    await writeFile(config, JSON.stringify({ nodeModulesDir: 'manual', lock: false }))
    const options = { config, env: { MILEPOST_ENGINE: 'deno-kv:jobs.kv' } }
    expect(await refusal(['--allow-all', ENTRY, 'serve'], options)).toEqual([
      1,
      'Deno KV is switched off: add --unstable-kv, or "unstable": ["kv"] to deno.json.',
    ])
  })

  test('a port that is free', async () => {
    const busy = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
    const env = { PORT: `${busy.port}`, MILEPOST_ENGINE: 'memory:' }
    expect(await refusal(['--allow-net', ENVIRONMENT, ENTRY, 'serve'], { env })).toEqual([
      1,
      `Port ${busy.port} is in use. Choose another with PORT.`,
    ])
    busy.stop()
  })

  test('an engine that there is', async () => {
    expect(await refusal([ENVIRONMENT, ENTRY], { env: { MILEPOST_ENGINE: 'oracle://here' } })).toEqual([
      1,
      'MILEPOST_ENGINE is "oracle://here". Here it can be sqlite:PATH or memory: or redis://HOST or deno-kv:PATH.',
    ])
  })

  test('a secret, before `deno serve` serves anyone but this machine', async () => {
    const flags = ['--allow-net', ENVIRONMENT, '--port=0', ENTRY]
    expect(await refusal(flags, { command: 'serve', env: { MILEPOST_ENGINE: 'memory:' } })).toEqual([
      1,
      'Without MILEPOST_SECRET the server may listen on this machine only: set it, or add --host 127.0.0.1.',
    ])
  })
})

describe('entries/deno.ts listens once', () => {
  const flags = ['--allow-net', ENVIRONMENT]
  const memory = { MILEPOST_ENGINE: 'memory:' }

  test('on `deno run`, with and without its argument', async () => {
    for (const args of [[ENTRY, 'serve'], [ENTRY]]) {
      await using server = new DenoProcess([...flags, ...args], { env: memory })
      const url = await server.url
      expect(url).toStartWith('http://127.0.0.1:')
      expect((await fetch(new URL('readyz', url))).status).toBe(200)
      expect(server.printed.match(/istens on/g)).toHaveLength(1)
      expect(server.printed).toContain('sign-in?code=')
      expect(server.printed.includes('warning')).toBe(args.length === 1)
    }
  })

  test('on `deno serve`, where its flags say', async () => {
    const args = [...flags, '--host=127.0.0.1', '--port=0', ENTRY]
    await using server = new DenoProcess(args, { command: 'serve', env: memory })
    const url = await server.url
    expect((await fetch(new URL('readyz', url))).status).toBe(200)
    expect(server.printed.match(/istens on/g)).toHaveLength(1)
  })
})

describe('entries/deno.ts on Deno Deploy', () => {
  // Deploy itself says so to what it runs, and where to listen.
  const deployed = { DENO_DEPLOYMENT_ID: 'd1', DENO_SERVE_ADDRESS: 'tcp:127.0.0.1:0' }
  const flags = ['--allow-net', '--allow-env', ENTRY]

  test('without a secret every request is answered 503, with how to set it', async () => {
    await using server = new DenoProcess(flags, { env: deployed })
    const url = await server.url
    for (const path of ['', 'healthz', 'api/jobs']) {
      const response = await fetch(new URL(path, url))
      expect([response.status, response.headers.get('content-type')]).toEqual([503, 'application/problem+json'])
      expect(await response.json()).toMatchObject({
        status: 503,
        detail:
          'There is no MILEPOST_SECRET. Make one with "openssl rand -hex 32", and add it to the environment variables of the app.',
      })
    }
  })

  test('an engine that is not there is named, and the one that is', async () => {
    const env = { ...deployed, MILEPOST_SECRET: SECRET, MILEPOST_ENGINE: 'sqlite:jobs.db' }
    await using server = new DenoProcess(flags, { env })
    const url = await server.url
    expect(await (await fetch(url)).json()).toMatchObject({
      detail: 'MILEPOST_ENGINE is "sqlite:jobs.db". Deno Deploy supports only deno-kv:, so unset it.',
    })
  })

  test('with a secret it serves, from the store that Deploy gives, and prints no link', async () => {
    await using server = new DenoProcess(flags, { env: { ...deployed, MILEPOST_SECRET: SECRET } })
    const url = await server.url
    expect(await (await fetch(new URL('readyz', url))).json()).toEqual({ status: 'ok', engine: 'deno-kv' })
    const authorization = `Bearer ${await accessToken('ada')}`
    const created = await fetch(new URL('api/jobs', url), {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ kind: 'k', title: 't' }),
    })
    expect(created.status).toBe(201)
    expect(server.printed).not.toContain('sign-in')
  })
})

test('entries/deno.ts takes uploads of 4 MiB, which Deno reads in one go, and no longer ones', async () => {
  const authorization = `Bearer ${await accessToken('ada', 'jobs:write')}`
  const upload = async (server: ServerProcess, bytes: number) => {
    const body = new FormData()
    body.set('files', new File(['a '.repeat(bytes / 2)], 'a.txt'))
    return (await fetch(`${server.url}/api/services/analysis`, { method: 'POST', headers: { authorization }, body }))
      .status
  }
  // A setting that is empty is none.
  for (const settings of [{}, { MILEPOST_UPLOAD_BYTES: '' }]) {
    await using server = await ServerProcess.start(settings, onDeno('sqlite'))
    expect([await upload(server, 4_000_000), await upload(server, 4_200_000)]).toEqual([202, 413])
  }
}, 180_000)

test('entries/deno.ts ends its streams and leaves whole files behind when it is asked to stop', async () => {
  for (const engine of ['sqlite', 'deno-kv'] as const) {
    await using server = await ServerProcess.start({}, onDeno(engine))
    const headers = { authorization: `Bearer ${await accessToken('ada')}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ id: 'a', kind: 'k', title: 't' })
    await fetch(new URL('api/jobs', server.url), { method: 'POST', headers, body })
    const stream = await StreamReader.open(new URL('api/jobs/a/progress', server.url), headers)
    expect((await stream.next())?.event).toBe('snapshot')
    const [rest, code] = await Promise.all([stream.rest(), server.kill('SIGTERM')])
    expect([rest, code]).toEqual([[], 0])
    await server.restart()
    expect((await fetch(new URL('api/jobs/a', server.url), { headers })).status).toBe(200)
  }
})
