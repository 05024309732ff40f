import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { blocks } from '../examples/blocks.ts'
import { ApiClient } from '../support/api-client.ts'
import { RedisServer } from '../support/redis-server.ts'
import { RuledProxy } from '../support/ruled-proxy.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'

const RUBY = '/usr/bin/ruby'
const SIDEKIQ = '/usr/bin/sidekiq'
const missing = [RUBY, SIDEKIQ, '/usr/bin/redis-server'].find((path) => !existsSync(path))

function withSidekiq(name: string, run: () => Promise<void>): void {
  if (missing) test.skip(`${name} (no ${missing}: install ruby-sidekiq and redis-server)`, () => {})
  else test(name, run)
}

/** The jobs of the tests, for what adds them and for workers. */
const JOBS = `
require 'milepost/sidekiq'
Milepost.sidekiq(heartbeat_seconds: 1, timeout_seconds: 60)
Sidekiq.configure_server { |config| config.average_scheduled_poll_interval = 1 }

class Export
  include Sidekiq::Worker
  include Milepost::Worker
  def perform(rows)
    total rows
    rows.times { |row| at row + 1, "Row #{row + 1}" }
    milepost.log('Exported')
  end
end

class Retried
  include Sidekiq::Worker
  sidekiq_options retry: 1
  sidekiq_retry_in { 0 }
  def perform(always)
    is_again = File.exist?('again')
    File.write('again', '') unless always
    raise 'Not yet' if always || !is_again
  end
end

class Endless
  include Sidekiq::Worker
  include Milepost::Worker
  def perform
    (1..).each { |n| at n; sleep 0.01 }
  end
end
`

let server: ServerProcess
let ada: ApiClient
let redis: RedisServer
let folder: string
let env: Record<string, string>
let worker: Bun.Subprocess | undefined

beforeAll(async () => {
  if (missing) return
  server = await ServerProcess.start()
  ada = new ApiClient(server.url, await accessToken('ada'))
  redis = await RedisServer.start()
  folder = await mkdtemp(join(tmpdir(), 'milepost-sidekiq-'))
  await writeFile(join(folder, 'jobs.rb'), JOBS)
  env = {
    PATH: process.env.PATH ?? '',
    HOME: process.env.HOME ?? '',
    RUBYLIB: resolve('client/ruby'),
    REDIS_URL: redis.setting,
    MILEPOST_URL: server.url,
    MILEPOST_TOKEN: await accessToken('ada'),
  }
  worker = startWorker('jobs.rb')
})
afterAll(async () => {
  if (missing) return
  worker?.kill('SIGKILL')
  await worker?.exited
  await redis[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

function startWorker(file: string, more: Record<string, string> = {}): Bun.Subprocess {
  return Bun.spawn([RUBY, SIDEKIQ, '-r', `./${file}`, '-c', '3'], {
    env: { ...env, ...more },
    cwd: folder,
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'ignore',
  })
}

/** Runs Ruby with the reporter in its path, and returns the lines that it prints. */
async function ruby(code: string, more: Record<string, string> = {}): Promise<string[]> {
  const program = Bun.spawn([RUBY, '-w', '-e', code], {
    env: { ...env, ...more },
    cwd: folder,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [output, errors] = await Promise.all([new Response(program.stdout).text(), new Response(program.stderr).text()])
  // Warnings about other libraries are not ours.
  expect(errors.split('\n').filter((line) => line.includes('milepost'))).toEqual([])
  expect(await program.exited).toBe(0)
  return output.trim().split('\n')
}

async function passOn(request: Request): Promise<void> {
  const { pathname, search } = new URL(request.url)
  const { method, headers } = request
  await fetch(new URL(pathname + search, server.url), { method, headers, body: await request.text() })
}

const ended = (id: string) => ada.until(id, ({ endedAt }) => endedAt !== undefined)

describe('Milepost.sidekiq', () => {
  withSidekiq('reports jobs from when they are added to their end, with total and at', async () => {
    const [id = '', later = ''] = await ruby(`
require './jobs'
puts Export.set(milepost: { title: 'Yearly export', metadata: { year: 2026 } }).perform_async(3)
puts Export.perform_in(600, 1)
`)
    expect(await ended(id)).toMatchObject({
      status: 'completed',
      title: 'Yearly export',
      kind: 'Export',
      metadata: { year: 2026 },
      progress: { done: 3, total: 3, message: 'Row 3' },
      logs: [{ message: 'Exported' }],
      timeoutSeconds: 60,
    })
    expect((await ada.read(later)).status).toBe('pending')
  })

  withSidekiq('reports tries, and the failure of the last one', async () => {
    const [dead = '', saved = ''] = await ruby(`
require './jobs'
puts Retried.perform_async(true)
puts Retried.perform_async(false)
`)
    const failed = await ended(dead)
    expect([failed.status, failed.message]).toEqual(['failed', 'RuntimeError: Not yet'])
    expect(failed.logs.map(({ message }) => message)).toEqual(Array(2).fill('To be tried again: Not yet'))
    const good = await ended(saved)
    expect([good.status, good.attempt, good.message]).toEqual(['completed', 2, 'Try 2'])
  })

  withSidekiq('stops a job that a watcher cancels, which Sidekiq does not try again', async () => {
    const [id = ''] = await ruby("require './jobs'\nputs Endless.perform_async")
    await ada.until(id, ({ status }) => status === 'running')
    await ada.operate(id, 'cancel')
    expect((await ended(id)).status).toBe('cancelled')
    const [retries] = await ruby(
      "require './jobs'; require 'sidekiq/api'\nputs Sidekiq::RetrySet.new.select { |job| job.klass == 'Endless' }.size",
    )
    expect(retries).toBe('0')
  })
})

/** The ends of these jobs after three rows. */
describe.each([
  ['languages.md', 'server/docs/languages.md', [{ done: 3, total: 3, message: 'Row 3' }, 3600]],
  ['README', 'README.md', [{ done: 3 }, undefined]],
] as const)('%s', (_, path, end) => {
  withSidekiq('has a job of Sidekiq that reports as it stands', async () => {
    const [code = ''] = await blocks(path, 'ruby')
    await writeFile(join(folder, 'documented.rb'), code)
    // A database of its own: the other worker has another job of this name.
    const own = { REDIS_URL: `${redis.setting}/${path === 'README.md' ? 2 : 1}` }
    const [id = ''] = await ruby("require './documented'\nputs Export.perform_async(3)", own)
    const documented = startWorker('documented.rb', own)
    const { status, progress, timeoutSeconds } = await ended(id)
    expect<unknown[]>([status, progress, timeoutSeconds]).toEqual(['completed', ...end])
    documented.kill('SIGKILL')
    await documented.exited
  })
})

describe('Milepost::Job', () => {
  withSidekiq('asks its owner, and has children of its kind and owner', async () => {
    const printed = ruby(
      `
require 'milepost'
reporter = Milepost::Reporter.new { |problem| puts problem[/.*taken/] }
new = ->(id) { reporter.create(title: id, kind: 'export', id: id, owner: 'ada', heartbeat_seconds: 1) }
job = new.call('asks')
p job.ask('Start?', id: 'start')
job.status('running')
p job.ask('Who?', id: 'who', schema: { type: 'string' }, expires_at: Time.now + 600)
p job.ask('Start?', id: 'start'), job.ask('Is anybody there?', timeout: 0.01)
p job.ask('?', schema: { type: 'nonsense' })
job.fork('Part', id: 'part').complete
Thread.new { sleep 0.1; job.complete }
p job.ask('Deploy?')
other = new.call('ask-cancelled')
begin
  other.ask('Deploy?')
rescue Milepost::Stopped
  puts 'Stopped'
end
reporter.close
p job.ask('Deploy?')
`,
    )
    const answer = async (ask: string, value: unknown) => {
      await ada.until('asks', ({ asks }) => asks?.some(({ id }) => id === ask) ?? false)
      await ada.json(202, 'POST', `api/jobs/asks/answers/${ask}`, { value })
    }
    await answer('start', false)
    const asked = await ada.until('asks', ({ asks, openAsks }) => asks?.length === 2 && openAsks === 1)
    // Heartbeats, or nobody would hear of the answer.
    await ada.until('asks', ({ version }) => version >= asked.version + 2)
    await answer('who', 'Ada')
    await ada.until('ask-cancelled', ({ openAsks }) => openAsks === 1)
    await ada.operate('ask-cancelled', 'cancel')
    const refused = 'A ask event of job asks was not taken'
    expect(await printed).toEqual(['false', '"Ada"', 'false', 'nil', refused, 'nil', 'nil', 'Stopped', 'nil'])
    const { kind, owner, parentId, status } = await ended('part')
    expect([kind, owner, parentId, status]).toEqual(['export', 'ada', 'asks', 'completed'])
  })
})

describe('Milepost::Reporter', () => {
  withSidekiq('loses and repeats nothing behind a proxy that answers by itself, and tells once', async () => {
    await using proxy = new RuledProxy(server.url)
    let count = 0
    const pages = [
      () => new Response('<h1>Welcome</h1>', { headers: { 'content-type': 'text/html' } }),
      () => new Response('<h1>No</h1>', { status: 401 }),
      () => new Response('<h1>No</h1>', { status: 404, headers: { 'retry-after': '3600' } }),
      () => Response.json({ login: true }),
      () => Response.redirect('http://127.0.0.1:9/', 307),
    ]
    proxy.rule = async (request) => {
      if (Number(request.headers.get('content-length')) > 2_000) return new Response('large', { status: 413 })
      count += 1
      // The server gets some of these requests all the same.
      if (count % 3 === 1) await passOn(request.clone())
      return count % 3 === 0 ? undefined : pages[count % pages.length]?.()
    }
    const told = await ruby(
      `
require 'milepost'
Milepost.send(:remove_const, :RETRY_FIRST); Milepost::RETRY_FIRST = 0.01
Milepost.send(:remove_const, :FOREIGN_WAIT_MAX); Milepost::FOREIGN_WAIT_MAX = 0.01
reporter = Milepost::Reporter.new { |problem| puts problem }
job = reporter.create(title: 'Proxy', id: 'proxy')
job.status('running')
100.times { |n| job.log("#{n} " + ('x' * 50)); job.progress(n + 1, total: 100); sleep 0.001 }
job.item('wrong', 'nonsense')
job.status('running', result: Float::NAN)
job.log('y' * 5_000)
fork { job.item('child', 'succeeded'); job.flush(30) }
Process.wait
job.complete(result: { rows: 100 })
reporter.flush(30)
puts job.dropped
`,
      { MILEPOST_URL: proxy.url },
    )
    const job = await ada.read('proxy')
    expect([job.status, job.result, job.progress]).toEqual(['completed', { rows: 100 }, { done: 100, total: 100 }])
    expect(job.logs.map(({ message }) => Number(message.split(' ')[0]))).toEqual(
      Array.from({ length: 100 }, (_, n) => n),
    )
    expect(job.items.map(({ id }) => id)).toEqual(['child'])
    expect(told.filter((line) => line.includes('The work goes on')).length).toBeLessThanOrEqual(2)
    expect(told.filter((line) => line.includes('was not taken')).length).toBe(1)
    expect(told.at(-1)).toBe('2')
  })

  withSidekiq('keeps a bounded queue without a server, and lets the work end', async () => {
    const [sizes] = await ruby(
      `
require 'milepost'
reporter = Milepost::Reporter.new { |problem| }
job = reporter.create(title: 'Away')
30_000.times { |n| job.log('x') }
job.complete
reporter.close(1)
puts job.dropped
`,
      { MILEPOST_URL: 'http://127.0.0.1:9' },
    )
    expect(sizes).toBe('30001')
  })
})
