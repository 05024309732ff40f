/** A message of an event stream (WHATWG HTML, 9.2 Server-sent events). */
export interface Message {
  event: string
  /** Sent back as `Last-Event-ID`; left out, the previous one stays. */
  id?: string
  data: unknown
}

const ENDS_A_LINE = /\r\n|\r|\n/
const NOT_IN_A_FIELD = /[\r\n\0]/

/**
 * The wire form of a message.
 *
 * Data is JSON, and JSON escapes CR, LF and NUL within strings, so a producer can't end a line and forge a field or a message. Event names
 * and ids are made by the server: one that would break the framing is a bug, and throws.
 */
export function encodeMessage(message: Message): string {
  if (NOT_IN_A_FIELD.test(message.event)) throw new TypeError('An event name must be one line without NUL')
  if (message.id !== undefined && NOT_IN_A_FIELD.test(message.id))
    throw new TypeError('An id must be one line without NUL')
  const id = message.id === undefined ? '' : `id: ${message.id}\n`
  return `event: ${message.event}\n${id}data: ${encodeJson(message.data)}\n\n`
}

/** JSON without U+2028 and U+2029, which are line ends to some parsers though not to this protocol. */
function encodeJson(value: unknown): string {
  return JSON.stringify(value).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')
}

/**
 * The first line of a stream: how long a client waits before it connects again.
 *
 * It is in the block of the first message: to some clients a block without data is an empty message.
 */
export function encodeRetry(milliseconds: number): string {
  return `retry: ${Math.round(milliseconds)}\n`
}

/** A comment: bytes that every client ignores. */
export function encodeComment(text: string): string {
  return `${text
    .split(ENDS_A_LINE)
    .map((line) => `: ${line}`)
    .join('\n')}\n\n`
}

/**
 * The SSE name of an event. `error` is taken: EventSource fires its own `error` when a connection is lost,
 * and a listener can't tell the two apart.
 */
export function eventName(type: string): string {
  return type === 'error' ? 'job-error' : type
}
