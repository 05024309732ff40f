import { describe, expect } from 'bun:test'
import { ApiClient } from '../support/api-client.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'
import { attack, tally } from './attack.ts'
import { othersNotice } from './others.ts'

describe('attacks by what requests say of themselves', () => {
  attack('A form of another site', async () => {
    await using server = await ServerProcess.start()
    const anyone = new ApiClient(server.url)
    const signedIn = await anyone.request(
      'GET',
      new URL(server.signInLink).pathname.slice(1) + new URL(server.signInLink).search,
    )
    const cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? ''
    const statuses: number[] = []
    for (const from of [
      { 'sec-fetch-site': 'cross-site' },
      { origin: 'https://evil.example' },
      { origin: 'null', 'sec-fetch-site': 'same-site' },
    ]) {
      const form = { cookie, 'content-type': 'application/x-www-form-urlencoded', ...from }
      statuses.push((await anyone.request('POST', 'sign-out', 'a=b', form)).status)
      const job = { kind: 'k', title: 't' }
      statuses.push((await anyone.request('POST', 'api/jobs', job, { cookie, ...from })).status)
    }
    const { status } = await anyone.request('GET', 'api/jobs', undefined, { cookie })
    return {
      gets: tally(statuses, [403]),
      others: `nothing: they are signed ${status === 200 ? 'in as before' : 'out'}`,
    }
  })

  attack('A forged Host', async () => {
    await using server = await ServerProcess.start()
    const ada = new ApiClient(server.url, await accessToken('ada'))
    const others = othersNotice(new ApiClient(server.url, await accessToken('bob')))
    const { id } = await ada.create()
    const urls: string[] = []
    for (const forged of [
      { host: 'evil.example' },
      { 'x-forwarded-host': 'evil.example', host: 'evil.example' },
      { forwarded: 'host=evil.example', host: 'evil.example' },
    ]) {
      const { url } = await ada.json<{ url: string }>(201, 'POST', `api/jobs/${id}/tokens`, {}, forged)
      urls.push(url)
    }
    const paths = urls.filter((url) => url.startsWith(`/api/jobs/${id}/progress?token=`))
    expect(urls.join()).not.toContain('evil')
    return { gets: `a link without a host, ${paths.length} of ${urls.length} times`, others: await others }
  })
})
