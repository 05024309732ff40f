import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { ProducerEvent } from '../../shared/document/events.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'
import { milepost, start, startOnTerminal } from './command-line.ts'

let server: ServerProcess
let token: string
beforeAll(async () => {
  server = await ServerProcess.start()
  token = await accessToken('watcher')
})
afterAll(() => server[Symbol.asyncDispose]())

const env = () => ({ MILEPOST_URL: server.url, MILEPOST_TOKEN: token })
const post = async (path: string, body: unknown) => {
  const response = await fetch(`${server.url}api/jobs${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  expect(response.ok).toBe(true)
}
const report = (id: string, ...events: ProducerEvent[]) => post(`/${id}/events`, events)

const EVIL = '\u001b]0;owned\u0007\u001b[2J\u009b31m\u202eevil'
// biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there.
const CONTROLS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/

describe('milepost watch', () => {
  test('watch draws a job on a terminal over a kill of the server, until its end', async () => {
    await post('', { id: 'drawn', kind: 'test', title: 'Yearly export' })
    await report(
      'drawn',
      { type: 'status', status: 'running' },
      { type: 'progress', done: 13, total: 100, unit: 'rows' },
    )
    await report(
      'drawn',
      { type: 'step', id: 'Load', status: 'running', done: 1, total: 2 },
      { type: 'log', message: 'a line' },
    )
    const { ran, shows } = startOnTerminal(milepost('watch', 'drawn'), env())
    await shows('13 of 100 rows')
    await shows('a line')
    await shows('Load')
    await server.kill()
    await server.restart()
    await report(
      'drawn',
      { type: 'progress', done: 60 },
      { type: 'item', id: 'row-7', status: 'failed', error: 'no name' },
    )
    await shows('row-7: no name')
    await report('drawn', { type: 'status', status: 'failed', message: 'Disk full' })
    const { out, code } = await ran
    expect(code).toBe(1)
    expect(out).toContain('Disk full')
    // It is drawn over itself, line by line, and the log stays above.
    expect(out.slice(out.lastIndexOf('\u001b[', out.lastIndexOf('A\u001b[')))).toContain('Failed')
    expect(out.split('a line')).toHaveLength(2)
  }, 30_000)

  test('watch, jobs and cancel let nothing of a stranger reach the terminal raw', async () => {
    await post('', { id: 'evil', kind: 'test', title: EVIL })
    await report(
      'evil',
      { type: 'status', status: 'running' },
      { type: 'progress', done: 1, unit: EVIL, message: EVIL },
    )
    await report(
      'evil',
      { type: 'log', message: EVIL },
      { type: 'error', message: EVIL },
      { type: 'step', id: EVIL, message: EVIL },
    )
    await report('evil', { type: 'item', id: EVIL, status: 'running', label: EVIL, message: EVIL })
    const listed = await start(milepost('jobs', '--limit', '5'), env()).ran
    const json = await start(milepost('jobs', '--json'), env()).ran
    const { ran, shows } = startOnTerminal(milepost('watch', 'evil'), { ...env(), NO_COLOR: '1' })
    const plain = start(milepost('watch', 'evil'), env())
    const messages = start(milepost('watch', '--json', `${server.url}jobs/evil`), env())
    await shows('running of 1\u00a0item')
    const cancelled = await start(milepost('cancel', 'evil'), env()).ran
    expect(cancelled.out).toEndWith('evil: asked to stop\n')
    await report('evil', { type: 'status', status: 'cancelled', message: EVIL })
    const drawn = await ran
    const texts = [listed, json, cancelled, await plain.ran, await messages.ran].map(({ out }) => out)
    for (const text of texts) expect([text.includes('evil'), text.match(CONTROLS)]).toEqual([true, null])
    // Of a terminal its own: erasing, and moving up.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: as above.
    expect(drawn.out.replaceAll(/\u001b\[\d*[AKJ]|\r/g, '')).not.toMatch(CONTROLS)
    expect([drawn.code, (await plain.ran).code, (await messages.ran).code]).toEqual([3, 3, 3])
    const events = (await messages.ran).out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect([events[0].event, events[0].data.title]).toEqual(['snapshot', EVIL])
    expect(events.at(-1)).toMatchObject({ event: 'end', data: { reason: 'cancelled' } })
  }, 20_000)

  test('an address on another server gets no token', async () => {
    const asked: string[] = []
    using other = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch({ headers }) {
        asked.push(`${headers.get('authorization')}`)
        return new Response(null, { status: 404 })
      },
    })
    const runs = await Promise.all(
      ['watch', 'cancel'].map((command) => start(milepost(command, `${other.url}jobs/a`), env()).ran),
    )
    expect(runs.map(({ code }) => code)).toEqual([2, 1])
    expect(asked).toEqual([])
  }, 20_000)

  test('watch ends when its token is refused', async () => {
    await post('', { id: 'unseen', kind: 'test', title: 'Unseen' })
    const { code, out } = await start(milepost('watch', 'unseen'), { ...env(), MILEPOST_TOKEN: 'revoked' }).ran
    expect(code).toBe(4)
    expect(out.trim().split('\n').at(-1)).toMatch(/expired/i)
  }, 20_000)

  test('watch and cancel exit with their own codes for what is not there', async () => {
    const codes = await Promise.all(
      [['watch', 'nobody'], ['watch'], ['cancel', 'nobody'], ['jobs', '--limit', 'x']].map(
        (args) => start(milepost(...args), env()).ran,
      ),
    )
    expect(codes.map(({ code }) => code)).toEqual([4, 2, 1, 1])
  }, 20_000)

  test('jobs lists what its filters say, and cancel asks on a terminal', async () => {
    await post('', { id: 'waiting', kind: 'nightly', title: '日本語のとても長い題名' })
    const { out } = await start(milepost('jobs', '--status', 'pending', '--kind', 'nightly'), env()).ran
    expect(out).toMatch(/^Waiting +waiting {2}日本語のとても長い題名 {2}created .* ago\n$/)
    const asked = startOnTerminal(milepost('cancel', 'waiting'), env())
    await asked.shows('[y/N]')
    asked.type('\r')
    expect(await asked.ran).toMatchObject({ out: expect.stringContaining('Nothing was cancelled.'), code: 1 })
    const agreed = startOnTerminal(milepost('cancel', 'waiting'), env())
    await agreed.shows('[y/N]')
    agreed.type('y\r')
    expect(await agreed.ran).toMatchObject({ out: expect.stringContaining('題名: cancelled'), code: 0 })
  }, 20_000)
})
