import { createJob, requestBytes, sampleEvent, type Target } from './http.ts'

/** What one watcher saw: the newest version, and in how many messages. */
interface Seen {
  version: number
  messages: number
}

/**
 * Events that watchers of one job see a second, all watchers together. A patch counts for the events that it covers; the messages are
 * counted beside. Nothing is parsed: the version is read off the `id:` lines.
 */
export async function measureDeliveries(
  target: Target,
  { watchers, perSecond, seconds }: { watchers: number; perSecond: number; seconds: number },
): Promise<{ events: number; messages: number; lost: number }> {
  const id = await createJob(target)
  const seen = await Promise.all(Array.from({ length: watchers }, () => watch(target, id)))
  while (seen.some(({ version }) => version < 1)) await Bun.sleep(10)
  for (const watcher of seen) watcher.messages = 0

  const begun = performance.now()
  let published = 0
  while (performance.now() < begun + seconds * 1_000) {
    const due = Math.floor(((performance.now() - begun) / 1_000) * perSecond)
    while (published < due) await publish(target, id, ++published)
    await Bun.sleep(1)
  }
  const took = (performance.now() - begun) / 1_000
  const patience = performance.now() + 5_000
  while (seen.some(({ version }) => version < published + 1) && performance.now() < patience) await Bun.sleep(10)
  let lost = 0
  let messages = 0
  for (const watcher of seen) {
    lost += published + 1 - watcher.version
    messages += watcher.messages
  }
  return { events: (published * watchers - lost) / took, messages: messages / took, lost }
}

async function publish(target: Target, id: string, done: number): Promise<void> {
  const answer = await fetch(`http://localhost:${target.port}/api/jobs/${id}/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${target.token}`, 'content-type': 'application/json' },
    body: JSON.stringify(sampleEvent(done)),
  })
  if (!answer.ok) throw new Error(`Refused: ${answer.status} ${await answer.text()}`)
  await answer.arrayBuffer()
}

async function watch(target: Target, id: string): Promise<Seen> {
  const seen: Seen = { version: 0, messages: 0 }
  const request = requestBytes(target, 'GET', `/api/jobs/${id}/progress`)
  let rest = ''
  await Bun.connect({
    hostname: 'localhost',
    port: target.port,
    socket: {
      open: (socket) => void socket.write(request),
      data(_socket, chunk) {
        const lines = (rest + chunk.toString('latin1')).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) {
          if (!line.startsWith('id: ')) continue
          seen.version = Number(line.slice(line.indexOf('-') + 1))
          seen.messages += 1
        }
      },
    },
  })
  return seen
}
