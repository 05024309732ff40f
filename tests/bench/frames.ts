/**
 * How many events a second a server on SQLite acknowledges over WebSockets: `bun tests/bench/frames.ts`.
 *
 * Producers have a job each and send one event a frame, 64 frames without an answer at once; without keys and with them. The server and the
 * producers are a process each. CPU time is that of all of the server's threads: on a machine that is shared it says more than the rate.
 */
import { readFile } from 'node:fs/promises'
import { ApiClient } from '../support/api-client.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'

const PRODUCERS = 64
const WINDOW = 64
const WARM_UP_MS = 2_000
const MEASURED_MS = 5_000
const settings = { MILEPOST_PUBLISHES_PER_SECOND: '1000000' }

/** CPU time that a process has used: seconds, from clock ticks of 10 ms (proc_pid_stat(5)). */
async function cpuSeconds(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(' ')
  return (Number(fields[13]) + Number(fields[14])) / 100
}

/** Reports on a job without end. @param onAnswer called for each acknowledged event */
async function produce(url: string, token: string, isKeyed: boolean, onAnswer: () => void): Promise<WebSocket> {
  const { id } = await new ApiClient(url, token).create()
  const headers = { authorization: `Bearer ${token}` }
  const socket = new WebSocket(new URL('api/report', url.replace(/^http/, 'ws')), { headers } as unknown as string[])
  let n = 0
  const send = () => {
    n += 1
    const key = isKeyed ? `,"key":"${n}"` : ''
    socket.send(`{"n":${n},"job":"${id}","events":[{"type":"progress","done":${n}}]${key}}`)
  }
  socket.onmessage = ({ data }) => {
    const text = String(data)
    if (text.includes('"problem"')) throw new Error(text)
    if (!text.startsWith('{"n"')) return
    onAnswer()
    send()
  }
  await new Promise((resolve, reject) => {
    socket.onopen = resolve
    socket.onerror = reject
  })
  for (let frames = 0; frames < WINDOW; frames++) send()
  return socket
}

for (const isKeyed of [false, true]) {
  await using server = await ServerProcess.start(settings)
  const token = await accessToken('producer')
  let answers = 0
  const producers = Array.from({ length: PRODUCERS }, () =>
    produce(server.url, token, isKeyed, () => {
      answers += 1
    }),
  )
  const sockets = await Promise.all(producers)
  await Bun.sleep(WARM_UP_MS)
  const [before, start, cpu] = [answers, performance.now(), await cpuSeconds(server.pid)]
  await Bun.sleep(MEASURED_MS)
  const [events, seconds] = [answers - before, (performance.now() - start) / 1_000]
  const used = (await cpuSeconds(server.pid)) - cpu
  const rate = Math.round(events / seconds).toLocaleString('en')
  const each = ((used / events) * 1e6).toFixed(1)
  console.log(
    `${isKeyed ? 'with' : 'without'} keys: ${rate} events/s, ${each} µs of CPU each, ${(used / seconds).toFixed(2)} cores`,
  )
  for (const socket of sockets) socket.close()
}
process.exit(0)
