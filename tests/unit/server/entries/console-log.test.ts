import { describe, expect, test } from 'bun:test'

/** Starts a server that logs requests, makes one, and returns the line that it wrote for it. */
async function lineOf(path: string, isTerminal: boolean): Promise<string> {
  let output = ''
  let isAsked = false
  const line = Promise.withResolvers<string>()
  const onData = (bytes: Uint8Array) => {
    output += new TextDecoder().decode(bytes)
    const url = /listens on (http:\S+)/.exec(output)?.[1]
    if (url !== undefined && !isAsked) {
      isAsked = true
      void fetch(new URL(path, url))
    }
    const written = output.split(/\r?\n/).slice(0, -1)
    const found = written.find((text) => text.includes(`/${path}`))
    if (found !== undefined) line.resolve(found)
  }
  const { PATH, HOME } = process.env
  const child = Bun.spawn([process.execPath, 'server/cli/main.ts', 'serve'], {
    env: { PATH, HOME, PORT: '0', HOST: '127.0.0.1', MILEPOST_ENGINE: 'memory:', MILEPOST_LOG: 'requests' },
    ...(isTerminal ? { terminal: { data: (_, bytes) => onData(bytes) } } : { stdin: 'ignore', stdout: 'pipe' }),
  })
  const read = async () => {
    if (child.stdout) for await (const bytes of child.stdout) onData(bytes)
    await child.exited
    line.reject(new Error(`The server ended before it wrote the line:\n${output}`))
  }
  void read()
  try {
    return await line.promise
  } finally {
    child.kill()
    await child.exited
  }
}

describe('MILEPOST_LOG=requests', () => {
  test('the server log has a line for people in a terminal', async () => {
    expect(await lineOf('healthz', true)).toMatch(/^\d\d:\d\d:\d\d\.\d{3} {2}200 {2}GET {2}\/healthz {2}\d+\.\d ms$/)
  }, 60_000)

  test('the server log has JSON elsewhere', async () => {
    expect(JSON.parse(await lineOf('healthz', false))).toMatchObject({ level: 'info', path: '/healthz', status: 200 })
  }, 60_000)
})
