import { describe, expect } from 'bun:test'
import { ApiClient } from '../support/api-client.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'
import { attack } from './attack.ts'
import { jobCalls, statusIn } from './job-calls.ts'
import { othersNotice } from './others.ts'

const ROUNDS = 100

describe('attacks on jobs', () => {
  attack('Another’s job by every call', async () => {
    await using server = await ServerProcess.start()
    const ada = new ApiClient(server.url, await accessToken('ada'))
    const mallory = new ApiClient(server.url, await accessToken('mallory'))
    const job = await ada.create({ id: 'theirs' })
    const others = othersNotice(ada)
    const answers = async (id: string) => {
      const all: string[] = []
      for (const request of jobCalls(id)) {
        const response = await mallory.request(...request)
        const text = await response.text()
        all.push(`${statusIn(request[1], response.status, text)} ${response.headers.get('content-type')} ${text}`)
      }
      return all
    }
    const [there, notThere] = [await answers(job.id), await answers('nobodys')]
    const same = there.filter((answer, index) => answer.startsWith('404 ') && answer === notThere[index])
    expect(await ada.read(job.id)).toEqual(job)
    return {
      gets: `404, ${same.length} of ${there.length} times, byte for byte that of a job that is not there`,
      others: await others,
    }
  })

  attack('A job’s creation is repeated', async () => {
    await using server = await ServerProcess.start()
    const ada = new ApiClient(server.url, await accessToken('ada'))
    const mallory = new ApiClient(server.url, await accessToken('mallory'))
    const others = othersNotice(new ApiClient(server.url, await accessToken('bob')))
    let shown = 0
    for (let round = 0; round < ROUNDS; round += 1) {
      const id = `race-${round}`
      await mallory.create({ id })
      const repeated = mallory.request('POST', 'api/jobs', { id, kind: 'test', title: 'Test' })
      const removed = mallory.request('DELETE', `api/jobs/${id}`)
      const made = ada.request('POST', 'api/jobs', { id, kind: 'test', title: 'Secret' })
      const answers = await Promise.all([repeated, removed, made])
      const [answer = ''] = await Promise.all(answers.map((response) => response.text()))
      if (answer.includes('Secret') || ![200, 201, 409].includes(answers[0].status)) shown += 1
    }
    return { gets: `409 or its own job; ${shown} of ${ROUNDS} answers show the other’s`, others: await others }
  })

  attack('A producer reports on an id', async () => {
    await using server = await ServerProcess.start()
    const ada = new ApiClient(server.url, await accessToken('ada'))
    const mallory = new ApiClient(server.url, await accessToken('mallory'))
    const others = othersNotice(new ApiClient(server.url, await accessToken('bob')))
    let written = 0
    for (let round = 0; round < ROUNDS; round += 1) {
      const id = `race-${round}`
      const { epoch } = await mallory.create({ id })
      const { token } = await mallory.share(id, { can: 'publish' })
      const guest = new ApiClient(server.url, token)
      const event = { type: 'log', message: 'Forged' }
      const removed = mallory.request('DELETE', `api/jobs/${id}`)
      const made = ada.request('POST', 'api/jobs', { id, kind: 'test', title: 'Test' })
      const published = guest.request('POST', `api/jobs/${id}/events?epoch=${epoch}`, event)
      for (const response of await Promise.all([removed, published])) await response.text()
      const { status } = await made
      if (status !== 201) await ada.create({ id })
      const late = await guest.request('POST', `api/jobs/${id}/events?epoch=${epoch}`, event)
      if (late.status !== 404) written += 1
      await late.text()
      if ((await ada.read(id)).version !== 1) written += 1
    }
    return { gets: `404 once it is gone; ${written} of ${ROUNDS} events are in the other’s job`, others: await others }
  })

  attack('Jobs for others', async () => {
    await using server = await ServerProcess.start()
    const ada = new ApiClient(server.url, await accessToken('ada'))
    const mallory = new ApiClient(server.url, await accessToken('mallory'))
    const { status, fields } = await mallory.refusal('POST', 'api/jobs', { kind: 'k', title: 't', owner: 'ada' })
    expect(fields).toEqual(['owner'])
    const { jobs } = await ada.json<{ jobs: unknown[] }>(200, 'GET', 'api/jobs')
    return { gets: `${status}`, others: jobs.length === 0 ? 'nothing: their list is empty' : 'jobs in their list' }
  })
})
