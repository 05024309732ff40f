import type { Plan } from '../requests/plans.ts'

/** A request as it was made, to be made again. */
export interface Made {
  /** To be read by people. */
  text: string
  request: Request
  isAdmin: boolean
}

/** How a plan is filled in. */
export interface Filling {
  isAdmin: boolean
  /** The headers that say who asks. */
  credentials: Record<string, string>
  signal: AbortSignal
  /** What stands in the place of what is between {{ }}. */
  fill(text: string): string
}

/** A plan as a request. */
export function make(plan: Plan, { isAdmin, credentials, signal, fill }: Filling): Made {
  const headers = new Headers(credentials)
  for (const [name, value] of plan.headers) headers.set(name, headerValue(fill(value)))
  const { body } = plan
  const content = typeof body?.content === 'string' ? fill(body.content) : body?.content
  if (body?.type !== undefined) headers.set('content-type', body.type)
  const path = fill(plan.path)
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
  const init = { method: plan.method, headers, signal, ...(bytes ? { body: bytes } : {}) }
  const request = new Request(new URL(`http://localhost${path}`), init)
  return { request, isAdmin, text: written(plan.as, request, path, headers, content) }
}

/** A text as the bytes that a header may have. */
function headerValue(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text)) return text
  const bytes = new TextEncoder().encode(text)
  return String.fromCharCode(...bytes.filter((byte) => byte >= 0x20 && byte !== 0x7f))
}

function written(
  as: string,
  { method }: Request,
  path: string,
  headers: Headers,
  content: string | Uint8Array | undefined,
): string {
  const lines = [...headers]
    .filter(([name]) => name !== 'authorization' && name !== 'cookie')
    .map(([name, value]) => `${name}: ${value.slice(0, 200)}`)
  const body = content instanceof Uint8Array ? `hex ${Buffer.from(content).toString('hex')}` : (content ?? '')
  return [`# as ${as}`, `${method} ${path}`, ...lines, '', JSON.stringify(body.slice(0, 2_000))].join('\n')
}

/** How long an answer may take: milliseconds. One that takes longer never comes. */
const HANGS_MS = 20_000

/** What an answer comes to. @throws Error that shows the request, when it never comes */
export async function within<T>(work: T | Promise<T>, made: Made): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${HANGS_MS} ms\n\n${made.text}`)), HANGS_MS)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

/** Bytes as text. @throws Error that shows the request, when they are not UTF-8 */
export function decodeStrictly(bytes: ArrayBuffer, made: Made): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new Error(`the answer is not UTF-8\n\n${made.text}`)
  }
}
