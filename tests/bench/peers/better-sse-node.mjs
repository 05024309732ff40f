/** better-sse as its documentation shows it for Node's HTTP module. */
import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import { createSession } from 'better-sse'
import { broadcast, options, register } from './better-sse-channels.mjs'

const server = createServer(async (request, response) => {
  if (request.method === 'GET') {
    register(request.url, await createSession(request, response, options))
    return
  }
  broadcast(request.url, await json(request))
  const body = '{"ok":true}'
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body)
})
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`))
