/** A message as EventSource would dispatch it. */
export interface Dispatched {
  event: string
  data: string
  lastEventId: string
}

const LINE_END = /\r\n|\n|\r/

/**
 * The algorithm of WHATWG HTML, 9.2.6 "Interpreting an event stream", step by step: what an EventSource makes of bytes, however they
 * are cut into chunks. Written for tests, from the specification's text and apart from the client's own parser.
 */
export class EventStreamParser {
  readonly dispatched: Dispatched[] = []
  /** The reconnection time in milliseconds, once the stream has set it. */
  retry: number | undefined
  lastEventId = ''
  // "UTF-8 decode": strips one leading BOM, and turns what is not UTF-8 into U+FFFD.
  readonly #decoder = new TextDecoder()
  #rest = ''
  #endedWithCr = false
  #data = ''
  #event = ''

  push(chunk: Uint8Array): void {
    const text = this.#decoder.decode(chunk, { stream: true })
    // A CR ends its line at once; the LF that may follow in the next chunk belongs to it.
    this.#rest += this.#endedWithCr && text.startsWith('\n') ? text.slice(1) : text
    if (text !== '') this.#endedWithCr = text.endsWith('\r')
    for (let end = LINE_END.exec(this.#rest); end; end = LINE_END.exec(this.#rest)) {
      const line = this.#rest.slice(0, end.index)
      this.#rest = this.#rest.slice(end.index + end[0].length)
      this.#line(line)
    }
  }

  #line(line: string): void {
    if (line === '') {
      this.#dispatch()
      return
    }
    const colon = line.indexOf(':')
    if (colon === 0) return
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (field === 'event') this.#event = value
    else if (field === 'data') this.#data += `${value}\n`
    else if (field === 'id' && !value.includes('\0')) this.lastEventId = value
    else if (field === 'retry' && /^[0-9]+$/.test(value)) this.retry = Number(value)
  }

  #dispatch(): void {
    const data = this.#data
    const event = this.#event
    this.#data = ''
    this.#event = ''
    if (data === '') return
    this.dispatched.push({ event: event || 'message', data: data.slice(0, -1), lastEventId: this.lastEventId })
  }
}

/** What a whole stream comes to. */
export function parseEventStream(text: string): EventStreamParser {
  const parser = new EventStreamParser()
  parser.push(new TextEncoder().encode(text))
  return parser
}
