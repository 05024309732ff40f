import type { Target } from '../target.ts'

/** The bytes of a request on a connection that stays open. @param key its idempotency key, if any */
export function requestBytes(target: Target, method: string, path: string, json = '', key = ''): Buffer {
  const idempotency = key ? `Idempotency-Key: ${key}\r\n` : ''
  const authorization = target.token ? `Authorization: Bearer ${target.token}\r\n` : ''
  const body = json ? `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(json)}\r\n` : ''
  return Buffer.from(
    `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream, */*\r\n${authorization}${idempotency}${body}\r\n${json}`,
  )
}

const TEXT = 'a line of text as long as people write it, which brings this event to about two hundred bytes in all'

/** A progress event of about 200 bytes, in JSON, with its number in it. */
export function progressEvent(done: number): string {
  return `{"type":"progress","done":${done},"total":1000000,"unit":"records","message":"${TEXT}"}`
}
