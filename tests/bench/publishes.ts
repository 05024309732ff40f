import { createJob, requestBytes, sampleEvent, type Target } from './http.ts'

const MARK = 'HTTP/1.1 200'

/** Events that are acknowledged a second, each publisher with a job and a connection of its own, one batch at a time. */
export async function measurePublishes(
  target: Target,
  { publishers, batch, seconds }: { publishers: number; batch: number; seconds: number },
): Promise<{ events: number }> {
  let acknowledged = 0
  const ends = performance.now() + seconds * 1_000
  const begun = performance.now()
  const events = batch === 1 ? sampleEvent(1) : Array.from({ length: batch }, (_, index) => sampleEvent(index))
  await Promise.all(
    Array.from({ length: publishers }, async () => {
      const id = await createJob(target)
      const request = requestBytes(target, 'POST', `/api/jobs/${id}/events`, events)
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      let unsent = request.subarray(0)
      await Bun.connect({
        hostname: 'localhost',
        port: target.port,
        socket: {
          open(socket) {
            unsent = request.subarray(socket.write(request))
          },
          drain(socket) {
            unsent = unsent.subarray(socket.write(unsent))
          },
          data(socket, chunk) {
            const text = chunk.toString('latin1')
            if (!text.startsWith(MARK)) return reject(new Error(`Refused: ${text}`))
            acknowledged += batch
            if (performance.now() < ends) unsent = request.subarray(socket.write(request))
            else {
              socket.end()
              resolve()
            }
          },
        },
      })
      await promise
    }),
  )
  return { events: acknowledged / ((performance.now() - begun) / 1_000) }
}
