import { problems } from '../errors.ts'

/**
 * A 503 with a problem document, sent before the app has the request.
 *
 * @param more headers besides those of the document
 */
export function unavailable(detail: string, more: Readonly<Record<string, string>> = {}): Response {
  const problem = problems.unavailable(detail)
  const headers = { 'content-type': 'application/problem+json', 'cache-control': 'no-store', ...more }
  return Response.json(problem, { status: problem.status, headers })
}
