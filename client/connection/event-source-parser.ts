/** Receives the contents of an event stream, in order. */
interface ParserListener {
  /** A message. `id` is the last one that the stream gave, for this message or an earlier one; `''` when it gave none. */
  onMessage(message: { event: string; data: string; id: string }): void
  /** The stream's reconnection time: milliseconds. */
  onRetry?(milliseconds: number): void
}

/** The longest message, in characters. The server's pages are about 256 KiB, plus one row at most. */
const MESSAGE_LIMIT = 4 * 1024 * 1024

const BYTE_ORDER_MARK = '\ufeff'

/**
 * A parser for event streams (WHATWG HTML, 9.2.6), for those that are read with `fetch`. Accepts text in arbitrary pieces.
 *
 * @example
 * ```ts
 * const parser = new EventSourceParser({ onMessage: ({ event, data }) => console.log(event, data) })
 * parser.feed('event: ping\ndata: {')
 * parser.feed('}\n\n') // ping {}
 * ```
 */
export class EventSourceParser {
  readonly #listener: ParserListener
  readonly #limit: number
  /** The start of an incomplete line. */
  #rest = ''
  /** The last piece ended with CR: an LF that comes first in the next is part of the same line end. */
  #afterReturn = false
  #atStart = true
  #event = ''
  #data: string | undefined
  #id = ''

  /** @param limit characters of a message, above which {@link feed} throws */
  constructor(listener: ParserListener, limit = MESSAGE_LIMIT) {
    this.#listener = listener
    this.#limit = limit
  }

  /** @throws RangeError when a message is longer than the limit */
  feed(piece: string): void {
    let at = 0
    if (piece !== '' && this.#atStart) {
      this.#atStart = false
      if (piece.startsWith(BYTE_ORDER_MARK)) at = 1
    }
    if (at < piece.length && this.#afterReturn) {
      this.#afterReturn = false
      if (piece[at] === '\n') at += 1
    }
    let returnAt = piece.indexOf('\r', at)
    while (at < piece.length) {
      const feedAt = piece.indexOf('\n', at)
      const isReturn = returnAt !== -1 && (feedAt === -1 || returnAt < feedAt)
      const end = isReturn ? returnAt : feedAt
      if (end === -1) break
      this.#line(this.#rest + piece.slice(at, end))
      this.#rest = ''
      at = end + 1
      if (!isReturn) continue
      if (at === piece.length) this.#afterReturn = true
      else if (piece[at] === '\n') at += 1
      returnAt = piece.indexOf('\r', at)
    }
    this.#rest += piece.slice(at)
    this.#check(this.#rest.length)
  }

  #check(added: number): void {
    if ((this.#data?.length ?? 0) + added > this.#limit) {
      throw new RangeError(`A message of this event stream is longer than ${this.#limit} characters`)
    }
  }

  #line(line: string): void {
    if (line === '') {
      this.#dispatch()
      return
    }
    const colon = line.indexOf(':')
    if (colon === 0) return
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    switch (field) {
      case 'event':
        this.#event = value
        break
      case 'data':
        this.#check(value.length)
        this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`
        break
      case 'id':
        if (!value.includes('\0')) this.#id = value
        break
      case 'retry':
        if (/^[0-9]+$/.test(value)) this.#listener.onRetry?.(Number(value))
        break
    }
  }

  #dispatch(): void {
    const [event, data] = [this.#event, this.#data]
    this.#event = ''
    this.#data = undefined
    if (data !== undefined) this.#listener.onMessage({ event: event || 'message', data, id: this.#id })
  }
}
