import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Job } from '../../shared/document/job.ts'
import { ApiClient } from '../support/api-client.ts'
import { hostileFolder } from '../support/hostile-folder.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken, SECRET } from '../support/tokens.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'milepost-startup-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** Runs the command line to its end: what it says, and with which code it exits. */
async function run(
  args: string[],
  env: Record<string, string> = {},
  command = [process.execPath, 'server/cli/main.ts'],
  cwd = process.cwd(),
) {
  const child = Bun.spawn([...command, ...args], {
    cwd,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, PORT: '0', HOST: '127.0.0.1', ...env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  return { out, err, code: await child.exited }
}

const serve = (env: Record<string, string>) => run(['serve'], env)

describe('milepost serve', () => {
  test('serve refuses a port that is in use, and says which setting chooses another', async () => {
    await using server = await ServerProcess.start()
    const { port } = new URL(server.url)
    const refused = { out: '', err: `Port ${port} is in use. Choose another with PORT.\n`, code: 1 }
    expect(await serve({ PORT: port, MILEPOST_ENGINE: 'memory:' })).toEqual(refused)
  })

  test('serve refuses a file that is not its own, and leaves it as it is', async () => {
    const place = join(folder, 'foreign')
    await mkdir(place)
    const file = join(place, 'notes.txt')
    await writeFile(file, 'These are notes.')
    const { out, err, code } = await serve({ MILEPOST_ENGINE: `sqlite:${file}` })
    expect([out, err, code]).toEqual(['', expect.stringContaining(`${file} is not a SQLite file`), 1])
    expect([await Bun.file(file).text(), await readdir(place)]).toEqual(['These are notes.', ['notes.txt']])
  })

  test('serve refuses a store that another process has open', async () => {
    const engine = `sqlite:${join(folder, 'taken.db')}`
    await using _server = await ServerProcess.start({ MILEPOST_ENGINE: engine })
    const { out, err, code } = await serve({ MILEPOST_ENGINE: engine })
    expect([out, err, code]).toEqual(['', expect.stringContaining('is in use by another process'), 1])
  })

  test.each([
    [{ PORT: 'eighty' }, 'PORT'],
    [{ MILEPOST_SECRET: 'short' }, 'MILEPOST_SECRET'],
    [{ MILEPOST_ENGINE: 'mysql:' }, 'MILEPOST_ENGINE'],
    [{ MILEPOST_ORIGINS: 'example.com/a' }, 'MILEPOST_ORIGINS'],
    [{ MILEPOST_FRAME_MS: '-1' }, 'MILEPOST_FRAME_MS'],
    [{ MILEPOST_ITEMS: 'many' }, 'MILEPOST_ITEMS'],
    [{ MILEPOST_ENGIN: 'memory:' }, 'MILEPOST_ENGIN'],
  ])('serve refuses %o in one sentence that names the setting', async (env, name) => {
    const { out, err, code } = await serve({ MILEPOST_ENGINE: 'memory:', ...(env as Record<string, string>) })
    expect([out, err, code]).toEqual(['', expect.stringMatching(new RegExp(`^${name} .*\\.\n$`)), 1])
  })
})

describe('milepost', () => {
  test('milepost --help names every command and setting', async () => {
    const { out, code } = await run(['--help'])
    for (const word of [
      'serve',
      'sign-in',
      'sync',
      'token',
      '--engine',
      'MILEPOST_RETENTION_SECONDS',
      'MILEPOST_LIVE_JOBS',
    ]) {
      expect(out).toContain(word)
    }
    expect(code).toBe(0)
  })

  test('milepost refuses a command or a flag that there is not', async () => {
    expect([(await run(['serv'])).code, (await run(['serve', '--prot', '1'])).code]).toEqual([1, 1])
  })

  test('milepost takes no secret among its arguments, and says where it belongs', async () => {
    const secret = 'a-secret-that-nobody-may-see-00000'
    const refusals = await Promise.all([
      run(['serve', '--secret', secret]),
      run(['serve', `--secret=${secret}`]),
      run(['token', '--sub', 'ada', '--secret', secret]),
      run(['sync', 'from', 'to', '--url', 'http://localhost/', '--token', secret]),
    ])
    for (const { out, err, code } of refusals)
      expect([out, err, code]).toEqual(['', expect.stringContaining('Set MILEPOST_'), 1])
    expect(JSON.stringify(refusals)).not.toContain(secret)
    expect((await run(['--help'])).out).not.toMatch(/--secret\b(?!-file)/)
  })

  test('milepost takes no password in the URL of a server, does not repeat it, and says where a secret belongs', async () => {
    const password = 'a-password-that-nobody-may-see'
    const target = join(folder, 'not-made')
    for (const url of [
      `http://ada:${password}@localhost/`,
      `https://${password}@localhost/`,
      `ada:${password}@localhost`,
    ]) {
      const [sync, signIn] = await Promise.all([
        run(['sync', folder, target, '--url', url], { MILEPOST_TOKEN: 'x' }),
        run(['sign-in', '--url', url], { MILEPOST_SECRET: SECRET }),
      ])
      for (const { out, err, code } of [sync, signIn]) {
        expect([out, code]).toEqual(['', 1])
        expect(err).not.toContain(password)
      }
      expect(sync.err).toContain('the token of a producer belongs in MILEPOST_TOKEN')
      expect(signIn.err).toContain('signed with MILEPOST_SECRET')
    }
    expect(existsSync(target)).toBe(false)
  })

  test('milepost reads secrets from files, and its server signs with them', async () => {
    const [secretFile, tokenFile] = [join(folder, 'secret'), join(folder, 'token')]
    await writeFile(secretFile, `${SECRET}\n`)
    await using server = await ServerProcess.start({ MILEPOST_SECRET: '', MILEPOST_SECRET_FILE: secretFile })
    const { out } = await run(['token', '--sub', 'ada'], { MILEPOST_SECRET_FILE: secretFile })
    await writeFile(tokenFile, out)
    const from = join(folder, 'nothing')
    await mkdir(from)
    const sync = (args: string[], env = {}) => run(['sync', from, `${from}-copied`, '--url', server.url, ...args], env)
    expect(await sync(['--token-file', tokenFile])).toMatchObject({ err: '', code: 0 })
    expect(await sync([], { MILEPOST_TOKEN_FILE: tokenFile })).toMatchObject({ err: '', code: 0 })
    const answer = await fetch(`${server.url}api/jobs`, {
      headers: { authorization: `Bearer ${await accessToken('ada')}` },
    })
    expect((await answer.json()).jobs).toHaveLength(2)
  })

  test('milepost serve goes on where the token of another command is set', async () => {
    await using server = await ServerProcess.start({ MILEPOST_TOKEN: 'a-token', MILEPOST_TOKEN_FILE: '/nowhere' })
    expect((await fetch(`${server.url}healthz`)).status).toBe(200)
  })

  test('milepost token makes a token that the server takes', async () => {
    const settings = { MILEPOST_ISSUER: 'us', MILEPOST_AUDIENCE: 'them', MILEPOST_TOKEN_SECONDS: '7200' }
    await using server = await ServerProcess.start(settings)
    const env = { ...settings, MILEPOST_SECRET: SECRET }
    const { err, code } = await run(['token', '--sub', 'ada', '--seconds', '7201'], env)
    expect([err, code]).toEqual([
      'Give --seconds a whole number from 1 to 7200, the maximum set by MILEPOST_TOKEN_SECONDS.\n',
      1,
    ])
    const { out } = await run(['token', '--sub', 'ada', '--seconds', '7200'], env)
    // The regular expression of SECURITY.md.
    expect(out.trim()).toMatch(/^mpst_(access|watch|publish|session)_[\w.-]{40,}$/)
    const answer = await fetch(`${server.url}api/jobs`, { headers: { authorization: `Bearer ${out.trim()}` } })
    expect([answer.status, await answer.json()]).toEqual([200, { jobs: [] }])
  })

  test('milepost token and sign-in name a tenant, by the claim that is set', async () => {
    const settings = { MILEPOST_TENANT_CLAIM: 'org' }
    await using server = await ServerProcess.start(settings)
    const env = { ...settings, MILEPOST_SECRET: SECRET }
    const { out } = await run(['token', '--sub', 'ada', '--tenant', 'acme'], env)
    const headers = { authorization: `Bearer ${out.trim()}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ id: 'j', kind: 'k', title: 'Of acme' })
    expect((await fetch(`${server.url}api/jobs`, { method: 'POST', headers, body })).status).toBe(201)
    const link = await run(['sign-in', '--url', server.url, '--sub', 'ada', '--tenant', 'acme'], env)
    const cookie = (await fetch(link.out.trim(), { redirect: 'manual' })).headers.get('set-cookie')?.split(';')[0] ?? ''
    const read = await fetch(`${server.url}api/jobs/j`, { headers: { cookie } })
    expect(await read.json()).toMatchObject({ title: 'Of acme', owner: 'ada' })
    for (const args of [
      ['--sub', 'ada', '--tenant', 'a:b'],
      ['--sub', 'acme::ada'],
    ])
      expect(await run(['token', ...args], env)).toMatchObject({
        out: '',
        err: expect.stringMatching(/^The server would refuse this token: .*Name a tenant by --tenant\.\n$/),
        code: 1,
      })
  })

  test('milepost sign-in prints a link to a running server, for a person and for the operator', async () => {
    await using server = await ServerProcess.start({ MILEPOST_ISSUER: 'us', MILEPOST_AUDIENCE: 'them' })
    const env = { MILEPOST_SECRET: SECRET, MILEPOST_ISSUER: 'us', MILEPOST_AUDIENCE: 'them', MILEPOST_TOKEN: 'x' }
    const signIn = async (...args: string[]) => {
      const { out, err, code } = await run(['sign-in', ...args], { ...env, PORT: new URL(server.url).port })
      expect([err, code]).toEqual(['', 0])
      return fetch(out.trim(), { redirect: 'manual' })
    }
    const isAdmin = async (answer: Response) => {
      const cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? ''
      return (await fetch(`${server.url}metrics`, { headers: { cookie } })).ok
    }
    const person = await signIn('--sub', 'ada', '--job', 'import-7')
    const [operator, admin] = [await signIn('--url', server.url), await signIn('--admin')]
    expect([person.status, person.headers.get('location')]).toEqual([303, '/jobs/import-7'])
    expect([operator.status, operator.headers.get('location')]).toEqual([303, '/'])
    expect(await Promise.all([person, operator, admin].map(isAdmin))).toEqual([false, false, true])
    const cookie = operator.headers.get('set-cookie') ?? ''
    expect(cookie).toContain('Max-Age=43200;')
    // Who follows README's first lines finds their jobs in the list that the printed link leads to.
    const claims = { iss: 'us', aud: 'them' }
    const { id } = await new ApiClient(server.url, await accessToken('local', undefined, claims)).create()
    const listed = await fetch(`${server.url}api/jobs`, { headers: { cookie: cookie.split(';')[0] ?? '' } })
    expect(await listed.json()).toMatchObject({ jobs: [{ id }] })
  })

  test('milepost sign-in needs no secret on the machine of a server that made its own, which its next start goes on with', async () => {
    const engine = `sqlite:${join(folder, 'own', 'jobs.db')}`
    await using server = await ServerProcess.start({ MILEPOST_SECRET: '', MILEPOST_ENGINE: engine })
    expect(server.output).toContain(
      'The link works for ten minutes, and shows the jobs of "local". For another, "milepost sign-in" prints one, and with --admin one that shows everyone\'s jobs.',
    )
    const file = join(folder, 'own', 'jobs.db.secret')
    expect(((await stat(file)).mode & 0o777).toString(8)).toBe('600')
    const { out } = await run(['sign-in', '--sub', 'ada', '--url', server.url], { MILEPOST_ENGINE: engine })
    const signedIn = await fetch(out.trim(), { redirect: 'manual' })
    const cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? ''
    await server.kill()
    await server.restart()
    expect((await fetch(`${server.url}api/jobs`, { headers: { cookie } })).status).toBe(200)
    const refused = async () => (await run(['sign-in', '--url', server.url], { MILEPOST_ENGINE: engine })).err
    await chmod(file, 0o640)
    expect(await refused()).toBe(`${file} can be read by others. Delete it: the server generates another.\n`)
    await writeFile(file, 'short')
    expect(await refused()).toBe(`${file} has no secret of 32 bytes. Delete it: the server generates another.\n`)
  })

  test('milepost sign-in says what is missing: a secret, a server, the right one', async () => {
    await using server = await ServerProcess.start({ MILEPOST_SECRET: '', MILEPOST_ENGINE: 'memory:' })
    expect(server.output).toContain('For another, start again; set MILEPOST_SECRET for "milepost sign-in"')
    const refused = async (env: Record<string, string>, url = server.url) => {
      const { out, err, code } = await run(['sign-in', '--url', url], { MILEPOST_ENGINE: 'memory:', ...env })
      expect([out, code]).toEqual(['', 1])
      return err
    }
    expect(await refused({})).toStartWith('Set MILEPOST_SECRET or MILEPOST_SECRET_FILE to the secret of the server.')
    expect(await refused({ MILEPOST_SECRET: SECRET })).toContain('refuses this secret. Set MILEPOST_SECRET')
    await server.kill()
    expect(await refused({ MILEPOST_SECRET: SECRET })).toContain(' does not answer. Is the server running?')
    expect(await refused({ MILEPOST_SECRET: SECRET }, 'here')).toStartWith('"here" is not a URL.')
  })

  test('milepost sync copies a directory, and is a job on a server', async () => {
    await using server = await ServerProcess.start({ MILEPOST_BASE_PATH: '/base' })
    const url = server.url.slice(0, -1)
    const [from, to] = [join(folder, 'from'), join(folder, 'made', 'to')]
    await mkdir(join(from, 'b'), { recursive: true })
    await writeFile(join(from, 'a.txt'), 'a')
    await writeFile(join(from, 'b/c.txt'), 'c')
    const token = await accessToken('ada')
    const { out, err, code } = await run(['sync', from, to, '--url', url], { MILEPOST_TOKEN: token })
    expect([out, err, code]).toEqual([expect.stringContaining('2 copied, 0 unchanged, 0 failed'), '', 0])
    expect(await Bun.file(join(to, 'b/c.txt')).text()).toBe('c')
    const answer = await fetch(`${url}/api/jobs`, { headers: { authorization: `Bearer ${token}` } })
    const { jobs } = (await answer.json()) as { jobs: object[] }
    expect(jobs).toEqual([expect.objectContaining({ kind: 'sync', status: 'completed', title: 'from → to' })])
  })
})

describe('milepost sync', () => {
  test('sync names what it left out, without the control characters of its name, and exits with 1', async () => {
    const [from, to] = [join(folder, 'mixed'), join(folder, 'mixed-copy')]
    await mkdir(from, { mode: 0o700 })
    await writeFile(join(from, 'a.txt'), 'a')
    await symlink('/etc/passwd', join(from, 'link\u001b[2J'))
    const { out, err, code } = await run(['sync', from, to])
    expect([out, err, code]).toEqual([
      '1 copied, 0 unchanged, 0 failed, 1 left out\n',
      'link\\u{1b}[2J: A symbolic link, not followed\n',
      1,
    ])
    expect([await readdir(to), (await stat(to)).mode & 0o777]).toEqual([['a.txt'], 0o700])
  })

  test('sync reports on every file, through a server that takes 32 events at once', async () => {
    await using server = await ServerProcess.start({ MILEPOST_BATCH_EVENTS: '32' })
    const from = join(folder, 'many')
    await mkdir(from)
    await Promise.all(Array.from({ length: 300 }, (_, i) => writeFile(join(from, `${i}`), `${i}`)))
    const token = await accessToken('ada')
    const env = { MILEPOST_TOKEN: token }
    const { out, err, code } = await run(['sync', from, `${from}-copy`, '--url', server.url], env)
    expect([err, code]).toEqual(['', 0])
    const id = /jobs\/(\S+)/.exec(out)?.[1]
    const answer = await fetch(`${server.url}api/jobs/${id}`, { headers: { authorization: `Bearer ${token}` } })
    const job = (await answer.json()) as Job
    expect([job.status, job.itemCounts.succeeded, job.items.length]).toEqual(['completed', 300, 300])
    expect(job.logs.at(-1)?.message).toStartWith('300 files copied')
  })

  test('sync says in a sentence what it can not work with', async () => {
    const link = join(folder, 'link-to-nothing')
    const [apart, into] = [join(folder, 'apart'), join(folder, 'link-into')]
    await mkdir(apart)
    await symlink(apart, link)
    await symlink(apart, into)
    const overlap = 'overlap. Name two separate directories.\n'
    const cases = [
      [[join(folder, 'no\u001bwhere'), folder], 'no\\u{1b}where: It is not there.\n'],
      [[link, join(folder, 'x')], 'link-to-nothing: It is a symbolic link: name its target.\n'],
      [['server', link], 'link-to-nothing: It is a symbolic link: name its target.\n'],
      [[apart, join(apart, 'made', 'here')], overlap],
      [[apart, join(into, 'made')], overlap],
      [[apart, folder], overlap],
      [[apart, apart], overlap],
    ] as const
    for (const [args, sentence] of cases) {
      const { out, err, code } = await run(['sync', ...args])
      expect([out, err, code]).toEqual(['', expect.stringContaining(sentence), 1])
    }
    expect(await readdir(apart)).toEqual([])
    expect((await run(['sync', apart, `${apart}-as-well`])).code).toBe(0)
  })
})

describe('the folder that milepost is called from', () => {
  test('the folder that milepost is called from sets nothing and runs nothing', async () => {
    const hostile = await hostileFolder()
    try {
      const PATH = `${resolve('node_modules/.bin')}:${process.env.PATH}`
      // As a shell does it that finds the command in its path.
      const { out, err, code } = await run(
        ['token', '--sub', 'ada'],
        { PATH },
        [resolve('server/cli/main.ts')],
        hostile,
      )
      expect([out, err, code]).toEqual(['', expect.stringMatching(/^Set MILEPOST_SECRET.*\n$/), 1])
    } finally {
      await rm(hostile, { recursive: true })
    }
  })

  test('a .env in the project sets nothing', async () => {
    const config = resolve('bunfig.toml')
    const hostile = await hostileFolder()
    try {
      await cp(config, join(hostile, 'bunfig.toml'))
      await rm(join(hostile, 'tsconfig.json'))
      const command = [process.execPath, resolve('server/cli/main.ts')]
      const { err, code } = await run(['token', '--sub', 'ada'], {}, command, hostile)
      expect([err, code]).toEqual([expect.stringMatching(/^Set MILEPOST_SECRET.*\n$/), 1])
    } finally {
      await rm(hostile, { recursive: true })
    }
  })
})
