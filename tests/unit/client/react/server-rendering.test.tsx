/** @jsxImportSource react */
import { describe, expect, test } from 'bun:test'
import { useJobProgress, useJobs } from 'milepost/react'
import { renderToString } from 'react-dom/server'
import type { JobHeader } from '../../../../shared/document/job.ts'
import { newDocument } from '../../../arbitraries.ts'
import { FakeEnvironment } from '../../../fake-environment.ts'

const running = newDocument({ status: 'running', progress: { done: 13, total: 100 } })

describe('useJobProgress of React', () => {
  function Shown({ environment, initial }: { environment: FakeEnvironment; initial?: typeof running | undefined }) {
    const { job, percent, connection } = useJobProgress('job-1', { environment, initial })
    return (
      <output>
        {job?.status} {percent} {connection}
      </output>
    )
  }
  const render = (environment: FakeEnvironment, initial?: typeof running) =>
    renderToString(<Shown environment={environment} initial={initial} />).replaceAll('<!-- -->', '')

  test('useJobProgress renders what it is given on a server, which connects to nothing', async () => {
    const environment = new FakeEnvironment()
    expect(render(environment)).toBe('<output>  connecting</output>')
    expect(render(environment, running)).toBe('<output>running 13 connecting</output>')
    // That of one reader is not another's.
    expect(render(environment)).toBe('<output>  connecting</output>')
    expect(render(environment, { ...running, status: 'completed' })).toBe('<output>completed 100 ended</output>')
    await environment.clock.advance(1_000)
    expect(environment.sources).toHaveLength(0)
  })
})

describe('the element in JSX of React', () => {
  test('job-progress has its attributes and events', () => {
    const onEnd = (event: CustomEvent<JobHeader>) => event.detail.status
    const element = <job-progress src="/api/jobs/a" token="t" variant="ring" className="small" onjob-end={onEnd} />
    expect(renderToString(element)).toBe(
      '<job-progress src="/api/jobs/a" token="t" variant="ring" class="small"></job-progress>',
    )
    // @ts-expect-error: no variant
    void (<job-progress variant="circle" />)
  })
})

describe('useJobs of React', () => {
  test('useJobs renders an empty list on a server', () => {
    function Rows() {
      const { rows, ready } = useJobs({ environment: new FakeEnvironment(), status: 'running' })
      return <output>{`${rows.length} ${ready}`}</output>
    }
    expect(renderToString(<Rows />)).toBe('<output>0 false</output>')
  })
})
