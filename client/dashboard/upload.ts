import { base } from './navigation.ts'
import { Refusal, refusalOf } from './refusal.ts'

/**
 * Uploads a form with progress, which `fetch` does not report.
 *
 * @param path relative to where the app is mounted
 * @param onProgress called with a share, 0 to 1
 * @returns the answer's `Location`
 * @throws Refusal, or the signal's reason
 */
export function upload(path: string, form: FormData, onProgress: (share: number) => void, signal: AbortSignal) {
  return new Promise<string>((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.upload.onprogress = ({ loaded, total }) => onProgress(total === 0 ? 0 : loaded / total)
    request.onerror = () => reject(new Refusal(0))
    request.onabort = () => reject(signal.reason)
    request.onload = () => {
      const location = request.getResponseHeader('location')
      if (request.status === 202 && location) resolve(location)
      else reject(refusalOf(request.status, request.responseText))
    }
    signal.addEventListener('abort', () => request.abort(), { once: true })
    request.open('POST', new URL(path, base))
    request.send(form)
  })
}
