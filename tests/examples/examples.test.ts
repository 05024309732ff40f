import { describe, expect, test } from 'bun:test'
import type { Job } from '../../shared/document/job.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken, SECRET } from '../support/tokens.ts'

const run = (...command: string[]) =>
  Bun.spawn(command, { cwd: import.meta.dir, stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' })

async function read(url: string, sub = 'ada'): Promise<Job> {
  const answer = await fetch(url, { headers: { authorization: `Bearer ${await accessToken(sub)}` } })
  return (await answer.json()) as Job
}

describe('examples', () => {
  test('report.ts reports on its work over HTTP', async () => {
    await using server = await ServerProcess.start()
    const program = run(process.execPath, 'report.ts', server.url, await accessToken('ada'))
    expect(await program.exited).toBe(0)
    const job = await read(`${server.url}api/jobs/import-1`)
    expect([job.status, job.result, job.progress.done]).toEqual(['completed', { rows: 4 }, 4])
    expect(job.items.at(-1)).toMatchObject({ id: 'row 4', status: 'failed', error: 'It has no name' })
  })

  test('watch.sh prints the stream of a job, event by event', async () => {
    await using server = await ServerProcess.start()
    const token = await accessToken('ada', 'jobs:read jobs:write jobs:admin')
    const program = run('sh', 'watch.sh', server.url.replace(/\/$/, ''), token)
    const text = await new Response(program.stdout).text()
    expect(await program.exited).toBe(0)
    const messages = text.split('\n\n').map((message) => message.replace(/\n(id|data): .*/g, '\n$1'))
    expect(messages).toEqual([
      expect.stringMatching(/^retry: [1-5][0-9]{3}\nevent: snapshot\nid\ndata$/),
      'event: ping\ndata',
      'event: status\nid\ndata',
      'event: progress\nid\ndata',
      'event: status\nid\ndata',
      'event: end\ndata',
      '',
    ])
  })

  test('mount.ts serves Milepost under a path of another app, whose own services report', async () => {
    const program = run(process.execPath, 'mount.ts', '0', SECRET)
    try {
      const reader = program.stdout.getReader()
      const { value } = await reader.read()
      const url = /http:\S+/.exec(new TextDecoder().decode(value))?.[0] ?? ''
      const headers = { authorization: `Bearer ${await accessToken('ada')}` }
      const shipped = await fetch(`${url}orders/1/ship`, { method: 'POST', redirect: 'manual' })
      const path = shipped.headers.get('location') ?? ''
      const page = await fetch(new URL(path, url), { headers })
      expect([shipped.status, page.status, await page.text()]).toEqual([
        303,
        200,
        expect.stringContaining('<base href="/progress/">'),
      ])
      expect((await fetch(`${url}progress/dashboard.js`)).status).toBe(200)
      const api = `${url}progress/api/jobs/${path.split('/').at(-1)}`
      const stream = await fetch(`${api}/progress`, { headers })
      expect(await stream.text()).toContain('event: end\ndata: {"reason":"completed"}')
      const job = await read(api)
      expect([job.owner, job.itemCounts.succeeded, job.progress.done, job.result]).toEqual([
        'ada',
        3,
        3,
        { parcels: 3 },
      ])
      expect(await (await fetch(url)).text()).toBe('Our own page')
    } finally {
      program.kill()
      await program.exited
    }
  })
})
