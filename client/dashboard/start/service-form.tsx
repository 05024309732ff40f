import { useEffect, useRef, useState } from 'preact/hooks'
import { format } from '../page.ts'
import { Notice } from '../parts/notice.tsx'
import { text } from '../text.ts'
import { FilePicker } from './file-picker.tsx'
import { buildForm, missingFields, withLabels } from './form.ts'
import type { ServiceOffer } from './services.ts'
import { SAMPLE_SECONDS, sampleForm, startJob } from './start-job.ts'

/** The files that a service works on, and the ways to start it. */
export function ServiceForm({ service, onStarted }: { service: ServiceOffer; onStarted(): void }) {
  const [chosen, setChosen] = useState<Record<string, readonly File[]>>({})
  const [share, setShare] = useState<number>()
  const [error, setError] = useState<unknown>()
  const [incomplete, setIncomplete] = useState(false)
  const sending = useRef(new AbortController())
  // A dialog closed during an upload must not start a job later.
  useEffect(() => () => sending.current.abort(), [])

  const start = async (form: FormData) => {
    setError(undefined)
    setShare(0)
    try {
      await startJob(service.name, form, setShare, sending.current.signal)
      onStarted()
    } catch (reason) {
      if (!sending.current.signal.aborted) setError(withLabels(reason, service))
    } finally {
      setShare(undefined)
    }
  }
  const missing = missingFields(service, chosen)
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    setIncomplete(missing.length > 0)
    if (missing.length === 0) start(buildForm(service, chosen))
  }
  return (
    <form class="service" onSubmit={submit}>
      {service.fields.map((field) => (
        <FilePicker
          key={field.name}
          field={field}
          files={chosen[field.name] ?? []}
          isMissing={incomplete && missing.includes(field)}
          onChoose={(files) => setChosen({ ...chosen, [field.name]: files })}
        />
      ))}
      {error !== undefined && <Notice error={error} />}
      <div class="actions">
        <p class="muted grow">
          {share === undefined
            ? text.start.samplePace(format.duration(SAMPLE_SECONDS * 1_000))
            : share < 1
              ? text.start.uploading(format.percent(share * 100))
              : text.start.uploaded}
        </p>
        <button type="button" disabled={share !== undefined} onClick={() => start(sampleForm())}>
          {text.start.sample}
        </button>
        <button type="submit" class="primary" disabled={share !== undefined}>
          {text.start.submit}
        </button>
      </div>
    </form>
  )
}
