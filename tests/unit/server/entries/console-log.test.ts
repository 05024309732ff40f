import { describe, expect, spyOn, test } from 'bun:test'
import { logAudit, logError } from '../../../../server/entries/console-log.ts'

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

describe('logAudit', () => {
  /** What is written for a record. */
  function written(isTerminal: boolean): string {
    const spy = spyOn(console, 'log').mockImplementation(() => {})
    try {
      logAudit({ at: '2026-01-01T00:00:00.000Z', action: 'refused', sub: 'a\u202e', status: 403 }, isTerminal)
      return String(spy.mock.calls[0]?.[0])
    } finally {
      spy.mockRestore()
    }
  }

  test('logAudit writes a line for people in a terminal, and JSON elsewhere, without unseen characters', () => {
    expect(written(true)).toBe('00:00:00.000  refused  sub=a\\u202e  status=403')
    expect(written(false)).toBe(
      '{"at":"2026-01-01T00:00:00.000Z","level":"warn","audit":"refused","sub":"a\\u202e","status":403}',
    )
  })
})

describe('logError', () => {
  /** What is written for an error where requests are JSON. */
  function written(error: unknown): Record<string, unknown> {
    const spy = spyOn(console, 'error').mockImplementation(() => {})
    try {
      logError(false)(error)
      return JSON.parse(String(spy.mock.calls[0]?.[0]))
    } finally {
      spy.mockRestore()
    }
  }

  test('logError names the request that failed, in JSON and for people in a terminal', () => {
    const spy = spyOn(console, 'error').mockImplementation(() => {})
    try {
      const error = new Error('the disk is on fire')
      for (const isTerminal of [false, true]) {
        logError(isTerminal)(error, { requestId: 'r-1', traceId: 't-1' })
        logError(isTerminal)(error)
      }
      const calls = spy.mock.calls as unknown[][]
      expect(JSON.parse(String(calls[0]?.[0]))).toMatchObject({
        requestId: 'r-1',
        traceId: 't-1',
        message: error.message,
      })
      expect(Object.keys(JSON.parse(String(calls[1]?.[0])))).toEqual(['at', 'level', 'message', 'stack'])
      expect(calls.slice(2)).toEqual([['Request r-1 failed:', error], [error]])
    } finally {
      spy.mockRestore()
    }
  })

  test('logError writes the causes of an error', () => {
    const locked = new Error('The file is locked', { cause: 'EAGAIN' })
    const { level, message, stack, cause } = written(new Error('The store is away', { cause: locked }))
    expect([level, message]).toEqual(['error', 'The store is away'])
    expect(stack).toContain('console-log.test.ts')
    expect(cause).toEqual({
      message: 'The file is locked',
      stack: expect.stringContaining('console-log.test.ts'),
      cause: { message: 'EAGAIN' },
    })
  })

  test('logError writes eight causes of an error that causes itself', () => {
    const error = new Error('again')
    error.cause = error
    expect(JSON.stringify(written(error)).match(/"message":"again"/g)).toHaveLength(9)
  })

  test('logError writes a message that is no error', () => {
    expect(written('The store answers again.')).toEqual({
      at: expect.any(String),
      level: 'error',
      message: 'The store answers again.',
    })
  })
})
