/** An app as `create-vite` begins one: it has a Preact of its own, and shows a job with the hook. */
import { useJobProgress } from 'milepost/client'
import { h, render } from 'preact'

const query = new URLSearchParams(location.search)

function Progress() {
  const { job, percent } = useJobProgress(query.get('job') ?? '', {
    baseUrl: query.get('server') ?? '',
    token: query.get('token') ?? '',
  })
  return h('output', null, `${job.value?.status}: ${percent.value} %`)
}

render(h(Progress, null), document.body)
