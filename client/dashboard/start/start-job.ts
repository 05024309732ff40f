import { navigate } from '../navigation.ts'
import { toHref } from '../route.ts'
import { upload } from '../upload.ts'
import type { ServiceOffer } from './services.ts'

/**
 * Starts a service with a form, and goes to the page of its job.
 *
 * @throws Refusal, or the signal's reason
 */
export async function startJob(
  name: ServiceOffer['name'],
  form: FormData,
  onProgress: (share: number) => void = () => {},
  signal: AbortSignal = new AbortController().signal,
): Promise<void> {
  const location = await upload(`api/services/${name}`, form, onProgress, signal)
  const id = decodeURIComponent(location.slice(location.lastIndexOf('/') + 1))
  navigate(toHref({ page: 'job', id }))
}

/** What a sample is slowed down to: it would be over before anyone looks. The page says so. */
export const SAMPLE_SECONDS = 15

/** A form that asks for the data that come with a service. */
export function sampleForm(): FormData {
  const form = new FormData()
  form.set('sample', 'true')
  form.set('paceSeconds', `${SAMPLE_SECONDS}`)
  return form
}
