import { expect, test } from 'bun:test'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'

/** Prints the families of OpenMetrics text as JSON: `[[name, type, unit, [[sample, labels, value], …]], …]`. Strict: it ends with an error. */
const PARSER = `
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
print(json.dumps([[f.name, f.type, f.unit, [[s.name, s.labels, s.value] for s in f.samples]] for f in parse(sys.stdin.read())]))
`
type Family = [name: string, type: string, unit: string, samples: [name: string, labels: object, value: number][]]

const hasParser = Bun.spawnSync(['/usr/bin/python3', '-c', 'import prometheus_client.openmetrics.parser']).success

test.skipIf(!hasParser)(
  'GET /metrics is what a strict parser of OpenMetrics takes, with what happened in it',
  async () => {
    await using server = await ServerProcess.start()
    const headers = {
      authorization: `Bearer ${await accessToken('ada', 'jobs:read jobs:write jobs:admin')}`,
      'content-type': 'application/json',
    }
    const post = (path: string, body: unknown) =>
      fetch(`${server.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    await post('api/jobs', { id: 'j', kind: 'k', title: 't' })
    for (let done = 0; done < 5; done++)
      await post('api/jobs/j/events', [
        { type: 'progress', done },
        { type: 'log', message: 'm' },
      ])
    await post('api/jobs/j/events', { type: 'nonsense' })
    await post('api/jobs/none/events', { type: 'progress', done: 1 })
    await fetch(`${server.url}api/jobs`)
    const stream = await fetch(`${server.url}api/jobs/j/progress`, { headers })
    const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader()
    let received = ''
    while (!/^id: .*\n/m.test(received)) received += (await reader?.read())?.value ?? ''
    const version = /^id: (.*)$/m.exec(received)?.[1] ?? ''
    const resumed = await fetch(`${server.url}api/jobs/j/progress`, {
      headers: { ...headers, 'last-event-id': version },
    })
    const text = await (await fetch(`${server.url}metrics`, { headers })).text()
    await resumed.body?.cancel()

    const parser = Bun.spawn(['/usr/bin/python3', '-c', PARSER], {
      stdin: new Blob([text]),
      stdout: 'pipe',
      stderr: 'pipe',
    })
    expect([await new Response(parser.stderr).text(), await parser.exited]).toEqual(['', 0])
    const families: Family[] = await new Response(parser.stdout).json()
    const samples = new Map(
      families.flatMap(([, , , found]) =>
        found.map(([name, labels, value]) => [`${name} ${JSON.stringify(labels)}`, value]),
      ),
    )
    expect([...samples]).toEqual(
      expect.arrayContaining([
        ['milepost_publishes_total {}', 5],
        ['milepost_events_total {}', 10],
        ['milepost_refusals_total {"reason":"invalid"}', 1],
        ['milepost_refusals_total {"reason":"not-found"}', 1],
        ['milepost_refusals_total {"reason":"unauthenticated"}', 1],
        ['milepost_publish_seconds_count {}', 5],
        ['milepost_publish_seconds_bucket {"le":"+Inf"}', 5],
        ['milepost_streams {}', 2],
        ['milepost_streams_opened_total {}', 2],
        ['milepost_streams_resumed_total {}', 1],
      ]),
    )
    const value = (name: string) => samples.get(`${name} {}`) ?? Number.NaN
    expect(value('process_resident_memory_bytes')).toBeGreaterThan(10_000_000)
    expect(value('process_cpu_seconds_total')).toBeGreaterThan(0)
    expect(Math.abs(value('process_start_time_seconds') - Date.now() / 1_000)).toBeLessThan(600)
    expect(value('milepost_event_loop_delay_max_seconds')).toBeGreaterThanOrEqual(0)
    for (const [name, , unit] of families)
      if (/_(seconds|bytes)$/.test(name)) expect([name, unit]).toEqual([name, name.split('_').at(-1) ?? ''])
  },
)
