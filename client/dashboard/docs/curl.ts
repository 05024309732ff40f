import { createExample } from './example.ts'
import type { Call, OpenApi } from './openapi.ts'

/** A curl command for an operation. `$TOKEN` is the caller's. */
export function createCurl({ method, path, operation }: Call, api: OpenApi, base: URL): string {
  const url = new URL(path.replace(/^\//, ''), base).href.replaceAll('%7B', '{').replaceAll('%7D', '}')
  const filled = url.replaceAll('{id}', 'import-7').replaceAll('{name}', 'sync')
  const parts = ['curl']
  const content = operation.requestBody?.content
  const json = content?.['application/json']?.schema
  const isStream = Object.values(operation.responses).some((response) => response.content?.['text/event-stream'])
  if (isStream) parts.push('-N')
  if (method !== 'GET' && !(method === 'POST' && content)) parts.push('-X', method)
  parts.push(quote(filled), '-H', '"authorization: Bearer $TOKEN"')
  if (json) parts.push('--json', quote(JSON.stringify(createExample(json, api))))
  else if (content?.['multipart/form-data']) parts.push('-F', 'sample=true')
  return parts.join(' ')
}

/** Quotes a word for a shell, if needed. */
function quote(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
