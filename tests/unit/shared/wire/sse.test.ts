import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { AppliedEvent } from '../../../../shared/document/events.ts'
import { encodeComment, encodeMessage, encodeRetry, eventName, type Message } from '../../../../shared/wire/sse.ts'
import { placed, producerEvent } from '../../../arbitraries.ts'
import { EventStreamParser, parseEventStream } from '../../../event-stream-parser.ts'

/** Any text at all: half surrogate pairs too, and what ends lines for somebody at every turn. */
const anyText = fc.oneof(
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 30 }).map((units) => String.fromCharCode(...units)),
  fc
    .array(
      fc.constantFrom('\r', '\n', '\r\n', '\0', '\u2028', '\u2029', '\u0085', '\v', '\f', '\ufeff', '\ud83d', '\ude00'),
      { maxLength: 8 },
    )
    .map((parts) => parts.join('')),
  fc.constantFrom('\n\nevent: end\ndata: {}\n\n', '\r\rid: e1-9\rdata: x\r\r', '\nretry: 1\n', ': ', 'data: x'),
)

/** Events that hold any text in every field that takes text. */
const hostileEvent = fc.tuple(fc.constantFrom('progress', 'status', 'item', 'step', 'error', 'log'), anyText).map(
  ([type, text]): AppliedEvent =>
    ({
      type,
      version: 2,
      at: '2026-01-01T00:00:00.000Z',
      id: text,
      itemId: text,
      label: text,
      message: text,
      error: text,
      code: text,
      unit: text,
      title: text,
      result: { [text]: [text] },
      metadata: { [text]: text },
    }) as never,
)

describe('encodeMessage', () => {
  test('encodeMessage writes the event, the id and the data, a line each, and a blank one', () => {
    expect(encodeMessage({ event: 'progress', id: 'k3x9-43', data: { done: 13 } })).toBe(
      'event: progress\nid: k3x9-43\ndata: {"done":13}\n\n',
    )
  })

  test('encodeMessage without an id leaves the line out', () => {
    expect(encodeMessage({ event: 'ping', data: { at: 'x' } })).toBe('event: ping\ndata: {"at":"x"}\n\n')
  })

  test('encodeMessage escapes what ends a line, for this protocol and for others', () => {
    expect(encodeMessage({ event: 'log', data: '\r\n\0\u2028\u2029\ufeff\ud800é' })).toBe(
      'event: log\ndata: "\\r\\n\\u0000\\u2028\\u2029\ufeff\\ud800é"\n\n',
    )
  })

  test('encodeMessage throws for an event or an id that would break the framing', () => {
    for (const bad of ['a\nb', 'a\rb', 'a\r\nb', '\n', 'a\0b', '\0']) {
      expect(() => encodeMessage({ event: bad, data: 1 })).toThrow(TypeError)
      expect(() => encodeMessage({ event: 'log', id: bad, data: 1 })).toThrow(TypeError)
    }
  })

  test('encodeMessage of any data is one message with that data, and nothing else', () => {
    const data = fc.oneof(anyText, fc.dictionary(anyText, anyText), fc.array(anyText), producerEvent)
    fc.assert(
      fc.property(data, (data) => {
        const parsed = parseEventStream(encodeMessage({ event: 'log', id: 'e1-2', data }))
        expect(parsed.dispatched).toEqual([{ event: 'log', data: expect.any(String), lastEventId: 'e1-2' }])
        expect(JSON.parse(parsed.dispatched[0]?.data ?? '')).toEqual(JSON.parse(JSON.stringify(data)))
        expect(parsed.retry).toBeUndefined()
      }),
    )
  })

  test('encodeMessage of any events is as many messages, in their order, however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(hostileEvent, { maxLength: 4 }), fc.integer({ min: 1, max: 50 }), (events, chunk) => {
        const messages = events.map(
          (event): Message => ({ event: eventName(event.type), id: `e1-${event.version}`, data: event }),
        )
        const bytes = new TextEncoder().encode(encodeRetry(2_000) + messages.map(encodeMessage).join(''))
        const parser = new EventStreamParser()
        for (let at = 0; at < bytes.length; at += chunk) parser.push(bytes.subarray(at, at + chunk))
        expect(
          parser.dispatched.map(({ event, lastEventId, data }) => ({ event, id: lastEventId, data: JSON.parse(data) })),
        ).toEqual(
          messages.map((message) => ({
            ...message,
            id: message.id ?? '',
            data: JSON.parse(JSON.stringify(message.data)),
          })),
        )
        expect(parser.retry).toBe(2_000)
      }),
    )
  })

  test('encodeMessage makes UTF-8 alone: the bytes decode to the text that was encoded', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const encoded = encodeMessage({ event: 'log', data: { [text]: text } })
        expect(encoded.isWellFormed()).toBe(true)
      }),
    )
  })

  test('encodeMessage carries events of producers unchanged', () => {
    fc.assert(
      fc.property(fc.array(producerEvent), (events) => {
        const applied = placed(events)
        const stream = applied.map((event) => encodeMessage({ event: eventName(event.type), data: event })).join('')
        expect(parseEventStream(stream).dispatched.map(({ data }) => JSON.parse(data))).toEqual(applied)
      }),
    )
  })
})

describe('eventName', () => {
  test('eventName gives error another name, and leaves the rest', () => {
    expect(['progress', 'status', 'item', 'step', 'error', 'log', 'control'].map(eventName)).toEqual([
      'progress',
      'status',
      'item',
      'step',
      'job-error',
      'log',
      'control',
    ])
  })
})

describe('encodeRetry', () => {
  test('encodeRetry sets the reconnection time, whole, and dispatches nothing', () => {
    expect(encodeRetry(3_127.4)).toBe('retry: 3127\n')
    const parsed = parseEventStream(encodeRetry(4_999.5))
    expect([parsed.retry, parsed.dispatched]).toEqual([5_000, []])
  })
})

describe('encodeComment', () => {
  test('encodeComment writes a colon before each line', () => {
    expect(encodeComment('one\ntwo\r\nthree\rfour')).toBe(': one\n: two\n: three\n: four\n\n')
  })

  test('encodeComment of any text dispatches nothing and sets nothing', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const parsed = parseEventStream(`${encodeComment(text)}${encodeMessage({ event: 'log', data: 1 })}`)
        expect(parsed.dispatched).toEqual([{ event: 'log', data: '1', lastEventId: '' }])
        expect([parsed.retry, parsed.lastEventId]).toEqual([undefined, ''])
      }),
    )
  })
})

describe('EventStreamParser', () => {
  test('EventStreamParser does what the examples of the specification say', () => {
    const parse = (text: string) => parseEventStream(text).dispatched
    expect(parse('data: YHOO\ndata: +2\ndata: 10\n\n')).toEqual([
      { event: 'message', data: 'YHOO\n+2\n10', lastEventId: '' },
    ])
    expect(parse(': test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n')).toEqual(
      [
        { event: 'message', data: 'first event', lastEventId: '1' },
        { event: 'message', data: 'second event', lastEventId: '' },
      ],
    )
    expect(parse('data\n\ndata\ndata\n\ndata:')).toEqual([
      { event: 'message', data: '', lastEventId: '' },
      { event: 'message', data: '\n', lastEventId: '' },
    ])
    expect(parse('data:test\n\ndata: test\n\n').map(({ data }) => data)).toEqual(['test', 'test'])
  })

  test('EventStreamParser is told the same by every way to cut the bytes', () => {
    const text = 'id: 1\r\ndata: é😀\r\n\r\ndata: b\r\rdata: c\n\n'
    const bytes = new TextEncoder().encode(text)
    for (let cut = 0; cut <= bytes.length; cut++) {
      const parser = new EventStreamParser()
      parser.push(bytes.subarray(0, cut))
      parser.push(bytes.subarray(cut))
      expect(parser.dispatched.map(({ data }) => data)).toEqual(['é😀', 'b', 'c'])
    }
    const parser = new EventStreamParser()
    parser.push(new TextEncoder().encode('data: at once\r\r'))
    expect(parser.dispatched).toHaveLength(1)
  })

  test('EventStreamParser takes CR, LF and CRLF as ends of lines, strips one BOM, and ignores ids with NUL', () => {
    expect(
      parseEventStream('\ufeffevent: a\rid: 1\r\ndata: x\r\n\r\nid: 2\0\ndata: y\r\rdata: z\n\n').dispatched,
    ).toEqual([
      { event: 'a', data: 'x', lastEventId: '1' },
      { event: 'message', data: 'y', lastEventId: '1' },
      { event: 'message', data: 'z', lastEventId: '1' },
    ])
  })
})
