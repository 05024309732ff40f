import { base } from './navigation.ts'
import { Refusal, refusalOf } from './refusal.ts'

/**
 * Calls the API with the session's cookie. The path is relative to where the app is mounted.
 *
 * @throws Refusal
 */
export async function call(path: string, method: 'GET' | 'POST' | 'DELETE' = 'GET', body?: unknown): Promise<Response> {
  const json = body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  // A proxy's sign-in page is no success.
  const redirect = method === 'GET' ? 'follow' : 'error'
  const response = await fetch(new URL(path, base), { method, redirect, ...json }).catch(() => {
    throw new Refusal(0)
  })
  if (!response.ok) throw refusalOf(response.status, await response.text().catch(() => ''))
  return response
}
