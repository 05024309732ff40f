import { describe, expect } from 'bun:test'
import { sign } from 'hono/jwt'
import type { Job } from '../../shared/document/job.ts'
import { ApiClient } from '../support/api-client.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken, SECRET } from '../support/tokens.ts'
import { attack, tally } from './attack.ts'
import { othersNotice } from './others.ts'

const seconds = (from: number) => Math.floor(Date.now() / 1_000) + from
const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')

/** What would be ada's token, or an administrator's, if it were one. */
async function forgeries({ id, epoch }: Job): Promise<string[]> {
  const claims = { sub: 'ada', scope: 'jobs:read jobs:write jobs:admin', exp: seconds(3_600) }
  const good = await sign(claims, SECRET, 'HS256')
  const [header = '', payload = '', signature = ''] = good.split('.')
  const grant = { typ: 'milepost-job', sub: 'ada', job: id, epoch, can: 'watch', series: 0 }
  return [
    `${encode({ alg: 'none', typ: 'JWT' })}.${payload}.`,
    `${encode({ alg: 'None', typ: 'JWT' })}.${payload}.${signature}`,
    `${encode({ alg: 'RS256', typ: 'JWT' })}.${payload}.${signature}`,
    `${encode({ alg: 'HS384', typ: 'JWT' })}.${payload}.${signature}`,
    `${header}.${encode({ ...claims, sub: 'eve' })}.${signature}`,
    `${header}.${payload}.${signature.slice(0, -2)}`,
    `${header}.${payload}`,
    await sign(claims, `${SECRET}!`, 'HS256'),
    await sign(claims, SECRET, 'HS512'),
    await sign({ ...claims, exp: seconds(-1) }, SECRET, 'HS256'),
    await sign({ ...claims, nbf: seconds(60) }, SECRET, 'HS256'),
    await sign({ sub: 'ada', scope: 'jobs:admin' }, SECRET, 'HS256'),
    await sign({ ...claims, exp: seconds(100 * 86_400) }, SECRET, 'HS256'),
    await sign({ ...claims, typ: 'milepost-session' }, SECRET, 'HS256'),
    await sign({ ...grant, exp: seconds(-1) }, SECRET, 'HS256'),
  ]
}

const calls = (id: string): [method: string, path: string, body?: object][] => [
  ['POST', 'api/jobs', { kind: 'k', title: 't' }],
  ['GET', 'api/jobs'],
  ['DELETE', 'api/jobs'],
  ['GET', `api/jobs/${id}`],
  ['DELETE', `api/jobs/${id}`],
  ['POST', `api/jobs/${id}/events`, { type: 'progress', done: 1 }],
  ['POST', 'api/events', [{ job: id, events: [{ type: 'progress', done: 1 }] }]],
  ['GET', `api/jobs/${id}/retries`],
  ['GET', `api/jobs/${id}/progress`],
  ['GET', 'api/progress'],
  ['GET', 'api/report'],
  ['POST', `api/jobs/${id}/answers/ask`, { value: true }],
  ['POST', `api/jobs/${id}/cancel`],
  ['POST', `api/jobs/${id}/pause`],
  ['POST', `api/jobs/${id}/resume`],
  ['POST', `api/jobs/${id}/tokens`, {}],
  ['POST', 'api/sign-in-links', { sub: 'ada' }],
  ['GET', 'api/sessions'],
  ['GET', 'api/audit'],
  ['GET', 'api/operator'],
  ['GET', 'api/operator/progress'],
  ['GET', 'metrics'],
]

const unlimited = { MILEPOST_STRANGERS_PER_SECOND: '1000000' }

describe('attacks with tokens', () => {
  attack('Forged tokens', async () => {
    await using server = await ServerProcess.start(unlimited)
    const ada = new ApiClient(server.url, await accessToken('ada'))
    const job = await ada.create()
    const others = othersNotice(ada)
    const statuses: number[] = []
    const ask = async (client: ApiClient, ...request: Parameters<ApiClient['request']>) => {
      const response = await client.request(...request)
      statuses.push(response.status)
      await response.body?.cancel()
    }
    for (const token of await forgeries(job)) {
      for (const request of calls(job.id)) await ask(new ApiClient(server.url, token), ...request)
      await ask(new ApiClient(server.url), 'GET', `api/jobs/${job.id}?token=${token}`)
    }
    expect(await ada.read(job.id)).toEqual(job)
    return { gets: tally(statuses, [401]), others: await others }
  })

  attack('Watch and publish tokens', async () => {
    await using server = await ServerProcess.start(unlimited)
    const ada = new ApiClient(server.url, await accessToken('ada'))
    const mallory = new ApiClient(server.url, await accessToken('mallory'))
    const earlier = await ada.create({ id: 'again' })
    const old = await Promise.all((['watch', 'publish'] as const).map((can) => ada.share(earlier.id, { can })))
    await ada.request('DELETE', `api/jobs/${earlier.id}`)
    const job = await ada.create({ id: 'again' })
    const own = await mallory.create()
    const others = othersNotice(ada)
    const theirs = await Promise.all((['watch', 'publish'] as const).map((can) => mallory.share(own.id, { can })))
    const statuses: number[] = []
    const ask = async (token: string, ...request: Parameters<ApiClient['request']>) => {
      const response = await new ApiClient(server.url, token).request(...request)
      statuses.push(response.status)
      await response.body?.cancel()
    }
    // Of another job, and of this one before it was made again.
    for (const { token } of [...theirs, ...old]) {
      for (const request of calls(job.id)) if (request[1].includes(job.id)) await ask(token, ...request)
    }
    // A watch token reports nothing, a publish token reads nothing.
    const [watch, publish] = theirs
    await ask(watch?.token ?? '', 'POST', `api/jobs/${own.id}/events`, { type: 'progress', done: 1 })
    await ask(publish?.token ?? '', 'GET', `api/jobs/${own.id}`)
    expect(await ada.read(job.id)).toEqual(job)
    return { gets: tally(statuses, [401, 404]), others: await others }
  })
})
