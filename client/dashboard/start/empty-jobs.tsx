import { useState } from 'preact/hooks'
import { jobsPath } from '../../../shared/wire/paths.ts'
import { base } from '../navigation.ts'
import { format } from '../page.ts'
import { CodeBlock } from '../parts/code-block.tsx'
import { Icon } from '../parts/icon.tsx'
import { Notice } from '../parts/notice.tsx'
import { text } from '../text.ts'
import { services } from './services.ts'
import { SAMPLE_SECONDS, sampleForm, startJob } from './start-job.ts'

/** What a reader without jobs sees: what a job is, and how to get one. */
export function EmptyJobs() {
  const [error, setError] = useState<unknown>()
  const [starting, setStarting] = useState(false)
  const start = async (name: (typeof services)[number]['name']) => {
    setStarting(true)
    setError(undefined)
    await startJob(name, sampleForm()).catch(setError)
    setStarting(false)
  }
  return (
    <section class="card empty">
      <h2>{text.empty.title}</h2>
      <p class="lead">{text.empty.what}</p>
      <p>{text.empty.start(format.duration(SAMPLE_SECONDS * 1_000))}</p>
      <div class="choices">
        {services.map(({ name, icon, label, does }) => (
          <button key={name} type="button" class="choice" disabled={starting} onClick={() => start(name)}>
            <Icon icon={icon} />
            <strong>{label}</strong>
            <span>{does}</span>
          </button>
        ))}
      </div>
      {error !== undefined && <Notice error={error} />}
      <p>{text.empty.curl}</p>
      <CodeBlock label="curl" code={curlLine(base)} />
    </section>
  )
}

/** A line that makes a job, for a shell. */
function curlLine(at: URL): string {
  const job = JSON.stringify({ kind: 'import', title: 'My first job' })
  return `curl ${new URL(jobsPath, at)} -H "authorization: Bearer $TOKEN" --json '${job}'`
}
