/** @jsxImportSource react */
/**
 * The bar of `<job-progress>` as one would write it with React and TanStack Query: one job, fetched once, then kept up to date by its stream.
 * It is bundled to be weighed, and has nothing of what the element has beside: no states in words, no time left, no polling where streams
 * are mute, one connection for each bar.
 */
import { QueryClient, QueryClientProvider, useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { createRoot } from 'react-dom/client'

function JobProgress({ id }) {
  const client = useQueryClient()
  const { data: job, isError } = useQuery({
    queryKey: ['job', id],
    queryFn: async () => {
      const response = await fetch(`/api/jobs/${id}?parts=header`)
      if (!response.ok) throw new Error(`The server answered ${response.status}`)
      return response.json()
    },
  })
  useEffect(() => {
    const stream = new EventSource(`/api/jobs/${id}/progress?parts=header`)
    const show = (change) => client.setQueryData(['job', id], (before) => ({ ...before, ...change }))
    stream.addEventListener('snapshot', ({ data }) => show(JSON.parse(data)))
    stream.addEventListener('patch', ({ data }) => show(JSON.parse(data).job))
    stream.addEventListener('end', () => stream.close())
    return () => stream.close()
  }, [client, id])
  if (isError) return <p>The server does not answer.</p>
  if (!job) return <p>Connecting</p>
  const { done, total, unit } = job.progress
  return (
    <label>
      {job.title}: {job.status}, {done} of {total} {unit} <progress value={done} max={total} />
    </label>
  )
}

const root = document.querySelector('main')
if (root) {
  createRoot(root).render(
    <QueryClientProvider client={new QueryClient()}>
      <JobProgress id={root.id} />
    </QueryClientProvider>,
  )
}
