/** @jsxImportSource react */
/** The hooks and the element in an app of React. */
import { useJobProgress, useJobs } from 'milepost/react'

export function App() {
  const { job, percent } = useJobProgress('a', { baseUrl: 'https://progress.example' })
  const { rows, loadMore } = useJobs({ status: ['running'] })
  return (
    <main onClick={() => loadMore()} onKeyDown={undefined}>
      {job?.title} {percent} {rows.map(({ job }) => job.title)}
      <job-progress src="/api/jobs/a" variant="ring" className="small" onjob-end={(event) => event.detail.status} />
    </main>
  )
}
// @ts-expect-error: no variant
export const unknown = <job-progress variant="circle" />
