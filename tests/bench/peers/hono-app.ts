/** Relays what is posted to whoever watches, by Hono's `streamSSE`. Keeps the last message only, and checks nobody. */
import { Hono } from 'hono'
import { type SSEMessage, type SSEStreamingApi, streamSSE } from 'hono/streaming'

interface Channel {
  streams: Set<SSEStreamingApi>
  last: SSEMessage | undefined
  count: number
}

const PING_MS = 30_000
const channels = new Map<string, Channel>()

function channelOf(job: string): Channel {
  const channel = channels.get(job) ?? { streams: new Set(), last: undefined, count: 0 }
  channels.set(job, channel)
  return channel
}

export const app = new Hono()

app.get('/jobs/:job', (c) => {
  const channel = channelOf(c.req.param('job'))
  return streamSSE(c, async (stream) => {
    channel.streams.add(stream)
    stream.onAbort(() => void channel.streams.delete(stream))
    if (channel.last) await stream.writeSSE(channel.last)
    while (!stream.aborted) {
      await stream.sleep(PING_MS)
      await stream.writeSSE({ event: 'ping', data: '' })
    }
  })
})

app.post('/jobs/:job', async (c) => {
  const channel = channelOf(c.req.param('job'))
  const event = await c.req.json()
  channel.count += 1
  channel.last = { event: event.type, id: `${channel.count}`, data: JSON.stringify(event) }
  for (const stream of channel.streams) void stream.writeSSE(channel.last)
  return c.json({ count: channel.count })
})
