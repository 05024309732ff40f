import { expect, test } from 'bun:test'
import 'milepost/element'
import type { JobHeader } from '../../../../shared/document/job.ts'

test('job-progress has its attributes and events in JSX of Preact', () => {
  const onEnd = (event: CustomEvent<JobHeader>) => event.detail.status
  const element = <job-progress src="/api/jobs/a" token="t" variant="ring" class="small" onjob-end={onEnd} />
  expect(element).toMatchObject({ type: 'job-progress', props: { src: '/api/jobs/a', variant: 'ring' } })
  // @ts-expect-error: no variant
  void (<job-progress variant="circle" />)
})
