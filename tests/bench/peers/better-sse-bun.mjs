/** better-sse as its documentation shows it for the Fetch API. */
import { createResponse } from 'better-sse'
import { broadcast, options, register } from './better-sse-channels.mjs'

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  idleTimeout: 255,
  async fetch(request) {
    const job = new URL(request.url).pathname
    if (request.method === 'GET') return createResponse(request, options, (session) => register(job, session))
    broadcast(job, await request.json())
    return Response.json({ ok: true })
  },
})
console.log(`http://127.0.0.1:${server.port}`)
