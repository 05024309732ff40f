import { afterEach, describe, expect, test } from 'bun:test'
import { greeting, openLocal } from '../../../../server/entries/local.ts'
import { setJobEvents } from '../../../../server/jobs/emitter.ts'
import { SECRET } from '../../../support/tokens.ts'

afterEach(() => setJobEvents(undefined))

/** What is printed with these settings. */
async function greet(environment: Record<string, string>): Promise<string[]> {
  const local = await openLocal({ MILEPOST_ENGINE: 'memory:', ...environment }, { addressOf: () => undefined })
  const lines = greeting(local, 8787).split('\n')
  await local.app.close()
  return lines
}

describe('greeting', () => {
  const everywhere = 'It listens on all addresses of this machine, over HTTP. HOST=127.0.0.1 limits it to this machine.'
  test.each([
    [{ MILEPOST_SECRET: SECRET }, 'localhost', [everywhere]],
    [{ HOST: '0.0.0.0' }, 'localhost', [everywhere]],
    [{ HOST: '::' }, 'localhost', [everywhere]],
    [{ MILEPOST_SECRET: SECRET, HOST: '127.0.0.1' }, '127.0.0.1', []],
    [{ HOST: '::1' }, '[::1]', []],
    [{}, '127.0.0.1', []],
  ])(
    'greeting with %o is where to go, and says when every address of the machine leads here',
    async (env, host, more) => {
      const [listens, signIn, another, ...rest] = await greet(env as Record<string, string>)
      expect(listens).toBe(`Milepost listens on http://${host}:8787/`)
      expect(signIn).toStartWith(`Sign in, once:     http://${host}:8787/sign-in?code=`)
      expect(another).toStartWith('The link works for ten minutes, and shows the jobs of "local". For another, ')
      expect(rest).toEqual(more)
    },
  )

  test('greeting signs in where people reach the server, and says where it listens itself', async () => {
    const [listens, signIn] = await greet({ HOST: '127.0.0.1', MILEPOST_PUBLIC_URL: 'https://example.com/mp' })
    expect(listens).toBe('Milepost listens on http://127.0.0.1:8787/mp/')
    expect(signIn).toStartWith('Sign in, once:     https://example.com/mp/sign-in?code=')
  })
})
