import { navigate } from '../navigation.ts'
import { toHref } from '../route.ts'
import { upload } from '../upload.ts'
import type { Service } from './services.ts'

/**
 * Starts a service with a form, and goes to the page of its job.
 *
 * @throws Refusal, or the signal's reason
 */
export async function startJob(
  name: Service['name'],
  form: FormData,
  onProgress: (share: number) => void = () => {},
  signal: AbortSignal = new AbortController().signal,
): Promise<void> {
  const location = await upload(`api/services/${name}`, form, onProgress, signal)
  const id = decodeURIComponent(location.slice(location.lastIndexOf('/') + 1))
  navigate(toHref({ page: 'job', id }))
}

/** Starts a service with the data that comes with it. */
export function startSample(name: Service['name']): Promise<void> {
  const form = new FormData()
  form.set('sample', 'true')
  return startJob(name, form)
}
