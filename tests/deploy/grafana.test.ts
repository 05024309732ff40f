import { describe, expect, test } from 'bun:test'
import dashboard from '../../server/deploy/grafana.json' with { type: 'json' }
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'

/** The suffixes of the samples of a metric family, by its type (OpenMetrics 1.0, 5). */
const suffixes: Record<string, string[]> = {
  counter: ['_total'],
  gauge: [''],
  histogram: ['_bucket', '_count', '_sum'],
}

const queries = [
  ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
  ...dashboard.templating.list.flatMap(({ definition = '' }) => definition),
]

describe('server/deploy/grafana.json', () => {
  test('grafana.json asks for all metrics that a server has, and for no others, with labels that they have', async () => {
    await using server = await ServerProcess.start({ MILEPOST_REQUESTS_PER_SECOND: '1' })
    const headers = { authorization: `Bearer ${await accessToken('root', 'jobs:admin')}` }
    // Refusals have a reason and a limit only once there are some.
    for (let n = 0; n < 20; n += 1) await fetch(`${server.url}api/nothing`, { headers })
    const text = await (await fetch(`${server.url}metrics`, { headers })).text()
    const families = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)]
    const names = families.flatMap(([, name = '', type = '']) => (suffixes[type] ?? []).map((suffix) => name + suffix))
    const asked = new Set(queries.flatMap((query) => query.match(/\b(milepost|process)_[a-z_]+/g) ?? []))
    expect([...asked].sort()).toEqual(names.toSorted())
    for (const query of queries) {
      for (const [, label = ''] of query.matchAll(/sum by \((\w+)\)/g)) {
        const metric = /\bmilepost_[a-z_]+/.exec(query)?.[0]
        // Prometheus adds the instance.
        if (label !== 'instance') expect(text).toMatch(new RegExp(`^${metric}\\{[^}]*${label}="`, 'm'))
      }
    }
  })

  test('grafana.json has panels with ids of their own, side by side, that say what they show', () => {
    const { panels } = dashboard
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    for (const { title, description, targets, gridPos, datasource } of panels) {
      expect([title, description.length > 10, targets.length > 0]).toEqual([title, true, true])
      expect([gridPos.x + gridPos.w <= 24, datasource.uid.slice(1)]).toEqual([true, '{datasource}'])
      const over = panels.filter(
        ({ gridPos: other }) =>
          other !== gridPos &&
          other.x < gridPos.x + gridPos.w &&
          gridPos.x < other.x + other.w &&
          other.y < gridPos.y + gridPos.h &&
          gridPos.y < other.y + other.h,
      )
      expect(over.map((panel) => panel.title)).toEqual([])
    }
  })
})
