import type { Context } from 'hono'
import { textDigest } from '../../support/digest.ts'
import { matchesEtag } from '../request/request-parameters.ts'

interface Served {
  etag: string
  plain: Uint8Array<ArrayBuffer>
  gzip: Uint8Array<ArrayBuffer>
}

const served = new Map<string, Promise<Served>>()

/**
 * Answers with a text that only another release changes: compressed if the client takes that, with its length, also to HEAD, and an ETag.
 *
 * @param headers `content-type` and others
 */
export async function serveText(c: Context, text: string, headers: Record<string, string>): Promise<Response> {
  const known = served.get(text) ?? prepare(text)
  served.set(text, known)
  const { etag, plain, gzip } = await known
  // Workers say that every client takes gzip, compress by themselves what clients take, and mark their requests.
  const compressesItself = 'cf' in c.req.raw
  const takesGzip =
    !compressesItself && /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/.test(c.req.header('accept-encoding') ?? '')
  const body = takesGzip ? gzip : plain
  const all = { ...headers, etag, vary: 'Accept-Encoding' }
  for (const [name, value] of Object.entries(all)) c.header(name, value)
  if (matchesEtag(c.req.header('if-none-match'), etag)) return c.body(null, 304)
  if (takesGzip) c.header('content-encoding', 'gzip')
  c.header('content-length', `${body.length}`)
  return c.body(body)
}

async function prepare(text: string): Promise<Served> {
  // A copy: by the types of Workers the encoder's buffer might be shared, which a body may not be.
  const plain = new Uint8Array(new TextEncoder().encode(text))
  const compressed = new Blob([plain]).stream().pipeThrough(new CompressionStream('gzip'))
  const gzip = new Uint8Array(await new Response(compressed).arrayBuffer())
  // Weak: it is the same for both forms.
  return { etag: `W/"${(await textDigest(text)).slice(0, 24)}"`, plain, gzip }
}
