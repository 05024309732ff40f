import { readdir } from 'node:fs/promises'
import net from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { ApiClient } from '../support/api-client.ts'
import { ServerProcess } from '../support/server-process.ts'
import { accessToken } from '../support/tokens.ts'
import { rawRequests, type Writes, written } from './requests/raw-requests.ts'
import { CANARY } from './world/canary.ts'

/** What a connection got until the server closed it, after everything was written and its end was said. */
function exchange(url: string, writes: Writes): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = net.connect(Number(port), hostname)
    const late = setTimeout(() => {
      socket.destroy()
      reject(new Error(`The server keeps a connection whose other end has gone:\n${written(writes)}\n\n${text}`))
    }, 15_000)
    socket.on('connect', async () => {
      for (const write of writes) {
        socket.write(write)
        await Bun.sleep(0)
      }
      socket.end()
    })
    socket.on('data', (data) => {
      text += Buffer.from(data).toString('latin1')
    })
    // A reset is one way to be closed.
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(late)
      resolve(text)
    })
  })
}

/** What is wrong with what a connection got. */
function faultOf(text: string): string | undefined {
  if (text.includes(CANARY)) return "it holds what is another principal's"
  if (text !== '' && !/^HTTP\/1\.1 \d\d\d/.test(text)) return 'no answer of HTTP'
  // 505 is the runtime's own, for a version of HTTP that it does not speak.
  const failed = [...text.matchAll(/^HTTP\/1\.1 (5\d\d)/gm)].find(([, status]) => status !== '505')
  return failed && `the server failed: ${failed[1]}`
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await isSo()); tries += 1) {
    if (tries === 200) throw new Error(`It never comes to this: ${what}`)
    await Bun.sleep(50)
  }
}

export interface RawFuzzOptions {
  seed: number
  connections: number
}

/**
 * Opens connections to a real server, one after another, with bytes that are nearly requests.
 *
 * @returns how many answers there were, by their status
 * @throws Error with the smallest connection that fails; or when something of them is left, is changed, or is in the log
 */
export async function fuzzConnections({ seed, connections }: RawFuzzOptions): Promise<Map<string, number>> {
  await using server = await ServerProcess.start()
  const victim = new ApiClient(server.url, await accessToken('victim'))
  const token = await accessToken('mallory')
  const mallory = new ApiClient(server.url, token)
  const operator = new ApiClient(server.url, await accessToken('operator', 'jobs:admin'))
  const theirs = await victim.create({ title: CANARY, metadata: { CANARY } })
  const { id: job } = await mallory.create()
  const descriptors = async () => (await readdir(`/proc/${server.pid}/fd`)).length
  const opened = await descriptors()
  const seen = new Map<string, number>()
  const property = fc.asyncProperty(rawRequests({ token, job, theirs: theirs.id }), async (writes) => {
    const text = await exchange(server.url, writes)
    for (const [, status = ''] of text.matchAll(/^HTTP\/1\.1 (\d+)/gm)) seen.set(status, (seen.get(status) ?? 0) + 1)
    const fault = faultOf(text)
    if (fault !== undefined) throw new Error(`${fault}:\n${written(writes)}\n\n${text.slice(0, 2_000)}`)
  })
  await fc.assert(property, { seed, numRuns: connections })
  if (!isDeepStrictEqual(await victim.read(theirs.id), theirs)) throw new Error("Another's job was changed")
  await mallory.publish(job, { type: 'progress', done: 7 })
  await until('no stream and no channel is open', async () => {
    const text = await (await operator.request('GET', 'metrics')).text()
    return text.includes('\nmilepost_streams 0\n') && text.includes('\nmilepost_channels 0\n')
  })
  await until('no more descriptors than before', async () => (await descriptors()) <= opened + 4)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\0-\x09\x0b-\x1f\x7f]/.test(server.output)) throw new Error(`Control characters in the log:\n${server.output}`)
  if ([CANARY, token].some((secret) => server.output.includes(secret))) throw new Error('Secrets in the log')
  return seen
}
