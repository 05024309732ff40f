/** Where the server under measure listens, and what it is spoken to with. */
export interface Target {
  port: number
  token: string
}

/** The bytes of a request on a connection that stays open. */
export function requestBytes(target: Target, method: string, path: string, body?: unknown): Uint8Array {
  const json = body === undefined ? '' : JSON.stringify(body)
  const lines = [
    `${method} ${path} HTTP/1.1`,
    'Host: localhost',
    `Authorization: Bearer ${target.token}`,
    ...(json ? ['Content-Type: application/json', `Content-Length: ${new TextEncoder().encode(json).length}`] : []),
  ]
  return new TextEncoder().encode(`${lines.join('\r\n')}\r\n\r\n${json}`)
}

/** Creates a job, and answers its id. */
export async function createJob(target: Target): Promise<string> {
  const answer = await fetch(`http://localhost:${target.port}/api/jobs`, {
    method: 'POST',
    headers: { authorization: `Bearer ${target.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ kind: 'bench', title: 'Bench' }),
  })
  if (answer.status !== 201) throw new Error(`A job was not created: ${answer.status} ${await answer.text()}`)
  return ((await answer.json()) as { id: string }).id
}

/** An event of about 200 bytes. */
export const sampleEvent = (done: number) => ({
  type: 'progress',
  done,
  total: 1_000_000,
  unit: 'records',
  message: 'a line of text as long as people write it, which brings this event to about two hundred bytes in all',
})
