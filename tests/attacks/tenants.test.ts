import { describe, expect } from 'bun:test'
import { sign } from 'hono/jwt'
import type { Job } from '../../shared/document/job.ts'
import type { SessionList } from '../../shared/wire/api.ts'
import { ApiClient } from '../support/api-client.ts'
import { ServerProcess } from '../support/server-process.ts'
import { signIn } from '../support/sign-in.ts'
import { accessToken, SECRET } from '../support/tokens.ts'
import { attack, tally } from './attack.ts'
import { jobCalls, statusIn } from './job-calls.ts'
import { othersNotice } from './others.ts'

const ADMIN = 'jobs:admin jobs:assign jobs:read jobs:write'
const unlimited = { MILEPOST_STRANGERS_PER_SECOND: '1000000', MILEPOST_REQUESTS_PER_SECOND: '1000000' }

/** A server with a person of one tenant, and those of another who are called the same: a person, and an administrator. */
async function twoTenants(server: ServerProcess) {
  const client = async (tenant: string | undefined, sub: string, scope?: string) =>
    new ApiClient(server.url, await accessToken(sub, scope, { tenant }))
  const ada = await client('acme', 'ada')
  const bob = await client('acme', 'bob')
  const mallory = await client('umbra', 'ada')
  const chief = await client('umbra', 'ada', ADMIN)
  return { ada, bob, mallory, chief, client }
}

describe('attacks across tenants', () => {
  attack('A job of another tenant by every call', async () => {
    await using server = await ServerProcess.start(unlimited)
    const { ada, bob, mallory, chief, client } = await twoTenants(server)
    const job = await ada.create({ id: 'theirs' })
    const others = othersNotice(bob)
    const strangers = [mallory, chief, await client(undefined, 'ada'), await client(undefined, 'acme')]
    let [same, all] = [0, 0]
    for (const who of strangers) {
      const answers = async (id: string) => {
        const texts: string[] = []
        for (const request of jobCalls(id)) {
          const response = await who.request(...request)
          const text = await response.text()
          const status = statusIn(request[1], response.status, text)
          texts.push(`${status} ${response.headers.get('content-type')} ${text}`)
        }
        return texts
      }
      const notThere = await answers('nobodys')
      for (const id of ['theirs', 'acme::theirs', 'acme%3A%3Atheirs', 'umbra::theirs', '::theirs']) {
        const there = await answers(id)
        all += there.length
        same += there.filter((text, index) => text.startsWith('404 ') && text === notThere[index]).length
      }
    }
    expect(await ada.read(job.id)).toEqual(job)
    return {
      gets: `404, ${same} of ${all} times, byte for byte that of a job that is not there`,
      others: await others,
    }
  })

  attack('Lists and streams of all jobs, of owners and of parents', async () => {
    await using server = await ServerProcess.start(unlimited)
    const { ada, bob, mallory, chief } = await twoTenants(server)
    const parent = await ada.create({ id: 'theirs', title: 'Secret' })
    await ada.create({ parentId: parent.id, title: 'Secret' })
    await mallory.create({ id: 'mine', title: 'Mine' })
    const paths = ['', 'owner=*', 'owner=ada', 'owner=acme::ada', 'owner=acme::', 'owner=::', 'owner=acme']
    const ofParents = ['parent=theirs', 'parent=acme::theirs', 'owner=*&parent=theirs', 'owner=*&parent=acme::theirs']
    const asked = [...paths, ...ofParents].map((query) => `?${query}`)
    const streams = await Promise.all(asked.map((query) => chief.stream(`api/progress${query}`)))
    const others = await othersNotice(bob)
    await ada.publish(parent.id, { type: 'progress', done: 1 })
    for (const query of asked) await chief.request('DELETE', `api/jobs?${query.slice(1).replace(/parent=.*$/, '')}`)
    let texts = ''
    for (const query of asked) texts += await (await chief.request('GET', `api/jobs${query}`)).text()
    for (const who of [mallory, chief]) texts += await (await who.request('GET', 'api/sessions')).text()
    // What is theirs was sent before, if at all.
    await mallory.publish('mine', { type: 'log', message: 'L' })
    await streams[1]?.until(({ data }) => data.jobId === 'mine' && data.to === 2)
    for (const stream of streams) {
      texts += stream.text
      await stream.close()
    }
    expect(texts).toContain('Mine')
    expect((await ada.read(parent.id)).progress.done).toBe(1)
    return {
      gets: texts.includes('Secret') ? 'what is theirs' : 'its own jobs alone, in 11 lists and 11 streams',
      others,
    }
  })

  attack('Tokens of one tenant in another', async () => {
    await using server = await ServerProcess.start(unlimited)
    const { ada, bob, mallory, chief, client } = await twoTenants(server)
    const job = await ada.create({ id: 'same' })
    const own = await mallory.create({ id: 'same' })
    const outside = await (await client(undefined, 'ada')).create({ id: 'same' })
    const others = othersNotice(bob)
    const { token } = await mallory.share(own.id)
    const publish = await mallory.share(own.id, { can: 'publish' })
    const statuses: number[] = []
    const ask = async (by: string, ...request: Parameters<ApiClient['request']>) => {
      const response = await new ApiClient(server.url, by).request(...request)
      const isStream = response.headers.get('content-type') === 'text/event-stream'
      if (isStream) await response.body?.cancel()
      statuses.push(statusIn(request[1], response.status, isStream ? '' : await response.text()))
    }
    // Its own names the tenant: what it opens by the same id is the job there.
    for (const by of [token, publish.token]) {
      const response = await new ApiClient(server.url, by).request('GET', `api/jobs/${own.id}`)
      const text = await response.text()
      expect([job.epoch, outside.epoch].some((epoch) => text.includes(epoch))).toBe(false)
      for (const request of jobCalls('acme::same')) await ask(by, ...request)
    }
    // Signed with the secret by a backend that lets people choose claims: of a job, it would have to know the epoch too.
    const exp = Math.floor(Date.now() / 1_000) + 600
    const grant = { typ: 'milepost-job', sub: 'ada', job: 'same', epoch: own.epoch, series: 0, exp }
    for (const tenant of ['acme', undefined, 'umbra2'])
      for (const can of ['watch', 'publish']) {
        const forged = await sign({ ...grant, can, tenant }, SECRET, 'HS256')
        for (const request of jobCalls('same')) await ask(forged, ...request)
      }
    for (const tenant of ['', 'acme::x', 7, null, ['acme']]) {
      await ask(await sign({ ...grant, can: 'watch', tenant }, SECRET, 'HS256'), 'GET', 'api/jobs/same')
      await ask(await accessToken('ada', ADMIN, { tenant }), 'GET', 'api/jobs')
    }
    for (const sub of ['acme::ada', 'acme::']) await ask(await accessToken(sub, ADMIN), 'GET', 'api/jobs/same')
    const body = { sub: 'ada', tenant: 'acme' }
    const link = await chief.refusal('POST', 'api/sign-in-links', body)
    expect(link).toEqual({ status: 403, fields: ['tenant'] })
    const read = await Promise.all([ada.read('same'), (await client(undefined, 'ada')).read('same')])
    expect(read).toEqual([job, outside])
    return { gets: `${tally(statuses, [401, 404])}; 403 for a link`, others: await others }
  })

  attack('Sessions of another tenant', async () => {
    await using server = await ServerProcess.start(unlimited)
    const { ada, bob, mallory, chief, client } = await twoTenants(server)
    await ada.create({ id: 'same', title: 'Of acme' })
    const others = othersNotice(bob)
    const { url } = await (await client('acme', 'root', ADMIN)).json<{ url: string }>(
      201,
      'POST',
      'api/sign-in-links',
      {
        sub: 'ada',
      },
    )
    const anyone = new ApiClient(server.url)
    const cookie = (await anyone.request('GET', url)).headers.get('set-cookie')?.split(';')[0] ?? ''
    const { sessions } = await ada.json<SessionList>(200, 'GET', 'api/sessions')
    const own = await signIn(server.url, 'ada')
    const statuses: number[] = []
    for (const who of [mallory, chief, await client(undefined, 'ada')])
      statuses.push((await who.refusal('DELETE', `api/sessions/${sessions[0]?.id}`)).status)
    const headers = { ...own, 'content-type': 'application/json' }
    statuses.push((await anyone.request('DELETE', `api/sessions/${sessions[0]?.id}`, undefined, headers)).status)
    for (const query of ['', '?sub=ada', '?sub=acme::ada'])
      expect((await chief.json<SessionList>(200, 'GET', `api/sessions${query}`)).sessions).toEqual([])
    // The part of a cookie that names the tenant, left out or exchanged.
    const cookies = [
      cookie.replace(/(session_)[0-9a-f]{16}/, '$1'),
      cookie.replace(/(session_)[0-9a-f]{16}/, `$1${'0'.repeat(16)}`),
    ]
    for (const forged of cookies)
      statuses.push((await anyone.request('GET', 'api/jobs', undefined, { cookie: forged })).status)
    const job = await anyone.json<Job>(200, 'GET', 'api/jobs/same', undefined, { cookie })
    expect(job.title).toBe('Of acme')
    return { gets: tally(statuses, [401, 404]), others: await others }
  })
})
