import { describe, expect, test } from 'bun:test'
import type { FakeRequest } from '../../../../fake-environment.ts'
import { receipt, report } from './test-reporter.ts'

describe('createReporter with getToken', () => {
  const authorization = ({ headers }: FakeRequest) => headers.get('authorization')

  test('createReporter asks for a token first, and for another when the server refuses it, with the same batch', async () => {
    let asked = 0
    const { reporter, environment, problems, clock } = report({ token: undefined, getToken: () => `token-${++asked}` })
    const job = reporter.job('a')
    job.log({ message: 'one' })
    await clock.advance(250)
    const { request: first } = environment
    await first.answer(401, { detail: 'Expired.' })
    await clock.advance(5_000)
    const { request: second } = environment
    expect([first, second].map(authorization)).toEqual(['Bearer token-1', 'Bearer token-2'])
    expect(second.headers.get('idempotency-key')).toBe(first.headers.get('idempotency-key'))
    await second.answer(200, receipt)
    job.log({ message: 'two' })
    await clock.advance(5_000)
    expect([authorization(environment.request), problems]).toEqual(['Bearer token-2', []])
  })

  test.each<[string, () => Promise<string>, problem: string]>([
    ['throws', () => Promise.reject(new Error('Away')), 'Error: Away'],
    ['hangs', () => new Promise(() => {}), 'Error: No token after 10 s'],
  ])(
    'createReporter keeps its events while getToken %s, tells it once, and sends them with the next token',
    async (_what, fail, problem) => {
      let isDown = true
      const { reporter, environment, problems, clock } = report({
        token: undefined,
        getToken: () => (isDown ? fail() : Promise.resolve('good')),
      })
      const job = reporter.job('a')
      job.status({ status: 'running' })
      for (let waits = 0; waits < 60; waits++) await clock.advance(1_000)
      expect([environment.requests.length, problems]).toEqual([0, [`getToken failed, and is asked again: ${problem}`]])
      isDown = false
      for (let waits = 0; waits < 20; waits++) await clock.advance(1_000)
      await environment.request.answer(200, receipt)
      expect([authorization(environment.request), job.dropped]).toEqual(['Bearer good', 0])
      await reporter.close()
    },
  )
})
