import type { Context } from 'hono'
import type { Principal } from '../auth/access.ts'
import type { Viewer } from '../hub/hub.ts'
import type { Access } from '../hub/stream/event-stream.ts'
import type { Env } from './request/context.ts'

const STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  // `no-transform`: a proxy that compresses also buffers.
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
}

/** The viewer of the stream that a request opens. @param access when it ends */
export function viewerOf(c: Context<Env>, { sub, tenant, jobs }: Principal, access: Access = {}): Viewer {
  const viewer: Viewer = { sub, tenant, signal: c.req.raw.signal, ...access }
  if (jobs) viewer.jobs = [...new Set(jobs.map(({ job }) => job))]
  return viewer
}

/** Answers with an event stream. */
export async function answerStream(
  c: Context<Env>,
  open: () => Promise<ReadableStream<Uint8Array>>,
): Promise<Response> {
  // HEAD runs this handler too, and no client would read or cancel its stream.
  if (c.req.method === 'HEAD') return c.body(null, 200, STREAM_HEADERS)
  return c.body(await open(), 200, STREAM_HEADERS)
}
