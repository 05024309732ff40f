import { describe, expect } from 'bun:test'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AuditList } from '../../shared/wire/api.ts'
import { ApiClient } from '../support/api-client.ts'
import { ServerProcess } from '../support/server-process.ts'
import { signIn } from '../support/sign-in.ts'
import { accessToken, SECRET } from '../support/tokens.ts'
import { attack, tally } from './attack.ts'
import { othersNotice } from './others.ts'

const unlimited = { MILEPOST_STRANGERS_PER_SECOND: '1000000', MILEPOST_LOG: 'audit' }

/** Waits until the audit has a record that fits. Responses do not wait for it. */
async function untilRecorded(root: ApiClient, query: string): Promise<AuditList> {
  for (;;) {
    const list = await root.json<AuditList>(200, 'GET', `api/audit?${query}`)
    if (list.records.length > 0) return list
    await Bun.sleep(20)
  }
}

describe('attacks on the audit', () => {
  attack('Secrets in every place of requests that are refused', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'milepost-audit-'))
    try {
      const secrets: string[] = [SECRET]
      let output = ''
      {
        await using server = await ServerProcess.start({
          ...unlimited,
          MILEPOST_ENGINE: `sqlite:${join(folder, 'jobs.db')}`,
        })
        const token = await accessToken('ada')
        const ada = new ApiClient(server.url, token)
        const root = new ApiClient(server.url, await accessToken('root', 'jobs:admin'))
        const { id } = await ada.create()
        const watch = (await ada.share(id)).token
        const publish = (await ada.share(id, { can: 'publish' })).token
        const { cookie } = await signIn(server.url, 'ada')
        const link = new URL(
          (await root.json<{ url: string }>(201, 'POST', 'api/sign-in-links', { sub: 'eve' })).url,
          server.url,
        )
        const forged = await accessToken('ada', 'jobs:admin', { exp: 1 })
        const code = link.searchParams.get('code') ?? ''
        const all = [token, watch, publish, forged, code, cookie.split('=')[1] ?? '']
        secrets.push(...all)
        const statuses: number[] = []
        const ask = async (method: string, path: string, headers: Record<string, string>, body?: string) => {
          const response = await fetch(new URL(path, server.url), {
            method,
            headers,
            redirect: 'manual',
            ...(body === undefined ? {} : { body }),
          })
          statuses.push(response.status)
          await response.body?.cancel()
        }
        for (const secret of all) {
          const bad = { authorization: `Bearer ${secret}x`, cookie: `milepost_session=${secret}x` }
          const guest = { authorization: `Bearer ${watch}`, 'content-type': 'application/json' }
          await ask('GET', `api/jobs/${secret}x?token=${secret}x`, bad)
          await ask('DELETE', `api/${secret}x`, { ...bad, 'x-request-id': '<>' })
          await ask('POST', `api/jobs/${id}/events?epoch=${secret}`, guest, JSON.stringify({ [secret]: secret }))
          await ask('GET', `metrics?x=${secret}`, { authorization: `Bearer ${token}`, referer: secret })
          await ask('GET', `sign-in?code=${secret}x`, {})
          await ask('POST', 'sign-out', { cookie, 'sec-fetch-site': 'cross-site', origin: secret })
        }
        const { records } = await untilRecorded(root, 'action=refused&sub=ada')
        expect(records[0]?.path).toBe('/metrics')
        expect(statuses.filter((status) => ![401, 403, 422].includes(status))).toEqual([])
        await server.kill('SIGTERM')
        output = server.output.replaceAll(server.signInLink, '')
      }
      expect(output).toContain('"audit":"credentials-refused"')
      let found = secrets.filter((secret) => output.includes(secret)).length
      const files = (await readdir(folder)).filter((name) => name.startsWith('jobs.db'))
      for (const name of files) {
        const bytes = await readFile(join(folder, name))
        found += secrets.filter((secret) => bytes.includes(secret)).length
      }
      return {
        gets: `401, 403 or 422; ${found} of ${secrets.length} secrets are in the store or the server log`,
        others: 'nothing',
      }
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  attack('5,000 requests that are refused', async () => {
    await using server = await ServerProcess.start(unlimited)
    const ada = new ApiClient(server.url, await accessToken('ada'))
    const mallory = new ApiClient(server.url, await accessToken('mallory'))
    const root = new ApiClient(server.url, await accessToken('root', 'jobs:admin'))
    const statuses: number[] = []
    const flood = async () => {
      for (let n = 0; n < 500; n += 1) {
        const response = await mallory.request('GET', 'api/audit')
        statuses.push(response.status)
        await response.body?.cancel()
      }
    }
    const flooding = Promise.all(Array.from({ length: 10 }, flood))
    const others = await othersNotice(ada)
    await flooding
    await ada.request('GET', 'api/audit')
    await untilRecorded(root, 'action=refused&sub=ada')
    const { records } = await root.json<AuditList>(200, 'GET', 'api/audit?limit=100&sub=mallory')
    const linesOf = (sub: string) =>
      server.output.split('\n').filter((line) => line.includes('"audit":"refused"') && line.includes(`"sub":"${sub}"`))
    while (linesOf('ada').length === 0) await Bun.sleep(20)
    const lines = linesOf('mallory').length
    return { gets: `${tally(statuses, [403])}; ${records.length} records, and ${lines} lines in the log`, others }
  })
})
